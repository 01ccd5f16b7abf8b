"""`readstate serve`: the service."""

import argparse
import os

from readstate.process.supervisor import serve
from readstate.settings import Settings

ABOUT = """\
It has no options: its settings are variables of the environment, such as READSTATE_PORT=9000. The
README lists all of them, and `readstate doctor` looks whether they can be used.
"""


def declare(parser: argparse.ArgumentParser) -> None:
    parser.epilog = ABOUT
    parser.set_defaults(run=lambda _args: serve(Settings.from_environ(os.environ)))
