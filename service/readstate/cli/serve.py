"""`readstate serve`: the service."""

import argparse
import os

from readstate.process.supervisor import serve
from readstate.settings import Settings


def declare(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=lambda _args: serve(Settings.from_environ(os.environ)))
