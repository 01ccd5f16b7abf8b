"""`readstate replay`: feeds a traffic file to a running service and checks every count."""

import argparse
import os
from pathlib import Path

from readstate.replay.run import replay_file

RULES = """\
The file says who spoke; the replay adds who read:
  a user who posts has read everything up to the post: before it, they read the room's newest message;
  a user who posts without having joined joins just before;
  a rename is that the old name leaves and the new one joins, since a cursor belongs to a user id;
  every room is tagged with the year and month of its first event and the last word of its name.
Exit code: 0 every count was right, 1 some were not, 2 the replay could not be carried out.
"""


def declare(parser: argparse.ArgumentParser) -> None:
    parser.epilog = RULES
    parser.add_argument("file", type=Path, help="traffic file: JSON lines, plain or gzipped")
    parser.add_argument("--url", default="http://127.0.0.1:8080", help="where the service is (default: %(default)s)")
    parser.add_argument(
        "--api-key",
        default=os.environ.get("READSTATE_API_KEY", ""),
        help="the backend's key (default: READSTATE_API_KEY)",
    )
    parser.add_argument(
        "--client-key", default="", help="with it, every user reads and asks with a token of their own, as clients do"
    )
    parser.add_argument(
        "--concurrency", type=int, default=32, help="rooms fed and users compared at a time (default: %(default)s)"
    )
    parser.add_argument(
        "--prefix", help="put before every room and user id (default: a fresh one, so that a replay can be repeated)"
    )
    parser.add_argument("--limit", type=int, default=0, help="only the first so many events (default: all)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    return replay_file(**{name: value for name, value in vars(args).items() if name != "run"})
