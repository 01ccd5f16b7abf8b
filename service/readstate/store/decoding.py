"""What replies of several scripts have in common."""

from collections.abc import Sequence
from typing import Any

from readstate.domain.types import MessageRef
from readstate.store.states import SEPARATOR


def text(value: bytes) -> str:
    return value.decode()


def texts(values: Sequence[bytes]) -> list[str]:
    return [value.decode() for value in values]


def tag_set(joined: bytes) -> tuple[str, ...]:
    return tuple(joined.decode().split(SEPARATOR)) if joined else ()


def two_by_two(flat: Sequence[Any]) -> list[tuple[Any, Any]]:
    """(first, second), (third, fourth) ... of a flat list."""
    return list(zip(flat[::2], flat[1::2], strict=True))


def by_field(flat: Sequence[Any]) -> dict[Any, Any]:
    """A flat list of names and values in turn, as a dict."""
    return dict(two_by_two(flat))


def message_ref(reply: Sequence[Any]) -> MessageRef | None:
    """A message as scripts answer it, {} for none."""
    return (
        MessageRef(message=text(reply[0]), seq=reply[1], sender=text(reply[2]) or None, at_ms=reply[3])
        if reply
        else None
    )
