"""Operations by their names alone, as random programs choose them."""

from collections.abc import Callable
from typing import Any

NOUNS = ("rooms", "messages", "reading", "receipts", "badges", "audit", "throttle", "latest")


def noun_of(read_state: Any, name: str) -> Any:
    """The noun that has the operation `name`."""
    return next(one for noun in NOUNS if hasattr(one := getattr(read_state, noun), name))


def operation_of(read_state: Any, name: str) -> Callable[..., Any]:
    return getattr(noun_of(read_state, name), name)  # type: ignore[no-any-return]
