"""PyPI's rocketchat_API, driven by one JSON argument; prints one JSON line for each call.

A program of its own: two versions are tried.

in    {"session": arguments of RocketChat, "calls": [[method, arguments, keywords], ...]}
out   {"answer": value} (of a generator all it yields, up to MOST),
      or {"raised": class, "error": ..., "error_type": ...}
"""

import itertools
import json
import sys
from collections.abc import Iterator

from rocketchat_API.rocketchat import RocketChat

MOST = 10_000


def main() -> None:
    asked = json.loads(sys.argv[1])
    try:
        client = RocketChat(**asked["session"])
    except Exception as error:
        say(error)
        return
    for method, arguments, keywords in asked["calls"]:
        try:
            answer = getattr(client, method)(*arguments, **keywords)
            print(
                json.dumps(
                    {"answer": list(itertools.islice(answer, MOST)) if isinstance(answer, Iterator) else answer}
                ),
                flush=True,
            )
        except Exception as error:
            say(error)


def say(error: Exception) -> None:
    told = {
        "raised": type(error).__name__,
        "error": getattr(error, "error", None),
        "error_type": getattr(error, "error_type", None),
    }
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
