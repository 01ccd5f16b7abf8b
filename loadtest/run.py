"""`python -m loadtest.run`: load a running service without a browser and leave an HTML report.

`make load` is the same.

The environment says what and how:

  LOAD_URL, LOAD_API_KEY, LOAD_CLIENT_KEY   the service (needed)
  LOAD_MODEL       mixed (default), open (LOAD_ARRIVALS calls a second) or staircase (users doubled
                   every 30 s)
  LOAD_USERS       users at once, listeners included (40)
  LOAD_TIME        how long, after the start of all of them (60s)
  LOAD_LISTENERS   Socket.IO listeners among them (10)
  LOAD_LISTENER_ROOMS, LOAD_STORM_EVERY
                   rooms of each kind that a listener is in (all); seconds after which all listeners
                   are cut off, again and again (never)
  LOAD_REPORT      where the report goes (reports/load.html)
  LOAD_ROOMS, LOAD_ACCOUNTS, LOAD_ROOMS_EACH, LOAD_MESSAGES
                   the size of the world (20, 300, 5, 200)
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from loadtest.report import VERDICT, add_facts, facts
from loadtest.target import Target, TargetError

ROOT = Path(__file__).resolve().parents[1]
USERS = {
    "mixed": ["HotPath", "ChatDay", "Listener"],
    "open": ["OpenHotPath", "Listener"],
    "staircase": ["HotPath", "ChatDay", "Listener"],
}
DEFAULTS = {
    "LOAD_MODEL": "mixed",
    "LOAD_USERS": "40",
    "LOAD_TIME": "60s",
    "LOAD_LISTENERS": "10",
    "LOAD_REPORT": "reports/load.html",
}


def main(environ: Mapping[str, str]) -> int:
    """Run the load.

    Returns 0 when no call failed and every notice came once, 1 otherwise, and 2 when it could not
    be started.
    """
    chosen = DEFAULTS | dict(environ)
    try:
        target = Target.from_environ(chosen)
        command = locust_command(chosen)
    except TargetError as error:
        print(f"loadtest: {error}\n{__doc__}", file=sys.stderr)
        return 2
    Path(ROOT, chosen["LOAD_REPORT"]).parent.mkdir(parents=True, exist_ok=True)
    print(
        f"locust {version('locust')}, {chosen['LOAD_MODEL']} model, {chosen['LOAD_USERS']} users against {target.url}",
        flush=True,
    )
    rows = facts(target, chosen)
    with tempfile.TemporaryDirectory() as directory:
        verdict = Path(directory, "verdict")
        code = subprocess.run(command, env=chosen | {VERDICT: str(verdict)}, cwd=ROOT, check=False).returncode
        said = verdict.read_text(encoding="utf-8") if verdict.exists() else "the run did not come so far"
    rows += [("notices", said), ("result", "passed" if code == 0 else "failed: a call or a notice went wrong")]
    add_facts(Path(ROOT, chosen["LOAD_REPORT"]), rows)
    return code


def locust_command(chosen: Mapping[str, str]) -> list[str]:
    """The command line of Locust. Raises TargetError."""
    model, users = chosen["LOAD_MODEL"], chosen["LOAD_USERS"]
    if model not in USERS:
        raise TargetError(f"LOAD_MODEL must be one of {', '.join(USERS)}, not {model!r}")
    for name in ("LOAD_USERS", "LOAD_LISTENERS"):
        if not chosen[name].isdigit():
            raise TargetError(f"{name} must be a whole number, not {chosen[name]!r}")
    options = ["--headless", "--only-summary", "--stop-timeout", "10", "--html", chosen["LOAD_REPORT"]]
    if model == "staircase":
        # The shape gives users and time. Its report is read step by step, so all of it is kept.
        options += ["--locustfile", "loadtest/locustfile.py,loadtest/shapes.py"]
    else:
        options += ["--locustfile", "loadtest/locustfile.py", "--reset-stats", "--run-time", chosen["LOAD_TIME"]]
        options += ["--users", users, "--spawn-rate", users]
    return [sys.executable, "-m", "locust", *options, *USERS[model]]


if __name__ == "__main__":
    sys.exit(main(os.environ))
