"""Page tokens: where a list goes on, as a text that callers hand back."""

import base64
from collections.abc import Callable
from typing import TypeVar

import msgspec

from readstate.errors import Invalid

MAX_TOKEN_BYTES = 48 * 1024
IS_NONE = "page must be empty or the `next` of an answer before"

Position = TypeVar("Position")

_encode = msgspec.msgpack.Encoder().encode


def written(position: msgspec.Struct) -> str:
    """The token of a position."""
    return base64.urlsafe_b64encode(_encode(position)).decode().rstrip("=")


def read(page: str, decode: Callable[[bytes], Position]) -> Position:
    """The position that a token names. Raises Invalid."""
    try:
        if len(page) > MAX_TOKEN_BYTES:
            raise ValueError
        return decode(base64.b64decode(page + "=" * (-len(page) % 4), altchars=b"-_", validate=True))
    except (ValueError, msgspec.DecodeError, RecursionError):
        raise Invalid("page", IS_NONE) from None
