"""Arguments that several commands take, and what they tell the person who runs them."""

import argparse
import logging
import os
import sys

from readstate.logs import ADMINISTRATION, configure_administration


def text(argument: str) -> str:
    """A name of something stored. Raises ArgumentTypeError for bytes that are not UTF-8."""
    try:
        argument.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError("must be UTF-8") from None
    return argument


def many(number: int, noun: str) -> str:
    """A number and its noun, such as `1 room` and `2 rooms`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def note(sentence: str) -> None:
    """Print a sentence beside the command's output, on standard error."""
    print(f"readstate: {sentence}", file=sys.stderr)


def tell_administration(message: str, **about: object) -> None:
    """Log what an administrator does by a command, and the user id of the system who does it."""
    configure_administration()
    told = {name: value for name, value in about.items() if value is not None}
    logging.getLogger(ADMINISTRATION).info(message, extra={**told, "by": "command", "uid": os.getuid()})
