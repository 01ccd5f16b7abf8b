"""`readstate serve`: the service."""

import argparse
import os

from readstate.cli.arguments import note
from readstate.process.listener import StartError
from readstate.process.supervisor import serve
from readstate.settings import Settings

CANNOT_START = 2


def declare(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=run)


def run(_args: argparse.Namespace) -> int:
    try:
        return serve(Settings.from_environ(os.environ))
    except StartError as error:
        note(str(error))
        return CANNOT_START
