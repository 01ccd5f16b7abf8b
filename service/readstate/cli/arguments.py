"""Arguments that several commands take, and what they tell the person who runs them."""

import argparse
import sys


def text(argument: str) -> str:
    """A name of something stored. Raises ArgumentTypeError for bytes that are not UTF-8."""
    try:
        argument.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError("must be UTF-8") from None
    return argument


def note(sentence: str) -> None:
    """Print a sentence beside the command's output, on standard error."""
    print(f"readstate: {sentence}", file=sys.stderr)
