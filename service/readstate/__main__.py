"""`python -m readstate`: the command `readstate`."""

import signal
import sys


def main() -> int:
    """Run the command line of this process. Returns the exit code."""
    # While the other modules are read there is nothing to clean up, and nothing to say.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from readstate.cli.main import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
