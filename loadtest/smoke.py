"""`python -m loadtest.smoke`: ten seconds of load on a temporary service.

Fails on any failed call and any notice not come once.

It shows that the load works and the service stands it. Its numbers mean nothing: too short, and
both share one machine.
"""

import os
import sys

from loadtest.run import main
from loadtest.target import NO_RATE_LIMITS
from readstate.replay.temporary import ServiceFailed, temporary_service

SIZE = {
    "LOAD_USERS": "16",
    "LOAD_LISTENERS": "4",
    "LOAD_TIME": "10s",
    "LOAD_ROOMS": "6",
    "LOAD_ACCOUNTS": "20",
    "LOAD_ROOMS_EACH": "4",
    "LOAD_MESSAGES": "100",
    "LOAD_REPORT": "reports/load-smoke.html",
}


def smoke() -> int:
    """Returns Locust's exit code, or 2 when the service did not start."""
    try:
        with temporary_service({"READSTATE_WORKERS": "2", **NO_RATE_LIMITS}) as service:
            target = {"LOAD_URL": service.url, "LOAD_API_KEY": service.api_key, "LOAD_CLIENT_KEY": service.client_key}
            return main({**SIZE, **os.environ, **target})
    except ServiceFailed as failure:
        print(failure, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(smoke())
