"""`python -m loadtest.capacity`: print what so many users need, by the table of costs.

--check runs a day on a service of its own, compares it with the prediction, and writes the page.
--page writes the page and measures nothing.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields

from loadtest.bench.machine import BenchError
from loadtest.capacity import costs as table
from loadtest.capacity import page, renew
from loadtest.capacity.costs import Costs
from loadtest.capacity.measure import measured
from loadtest.capacity.model import NAMED_USERS, Habits, plan


def main(arguments: Sequence[str]) -> int:
    """Returns 0; 2 when it could not be measured."""
    chosen = _parser().parse_args(arguments)
    costs = Costs.read(renew.DOCS / table.FILE)
    try:
        if chosen.check or chosen.page:
            renew.renew(measured(costs) if chosen.check else [])
            print(f"written to docs/{page.PAGE}")
            return 0
    except BenchError as error:
        print(f"capacity: {error}", file=sys.stderr)
        return 2
    habits = Habits(**{one.name: getattr(chosen, one.name) for one in fields(Habits)})
    print(page.text([plan(users, costs, habits) for users in chosen.users or NAMED_USERS]))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m loadtest.capacity", description="What so many users need.")
    parser.add_argument("--users", type=float, nargs="+", help="how many; several are compared")
    for name, value, what in Habits().described():
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, type=type(value), default=value, help=f"{what} ({value})")
    parser.add_argument("--check", action="store_true", help="predict a day, run it, and write the page")
    parser.add_argument("--page", action="store_true", help="write the page from the table of costs")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
