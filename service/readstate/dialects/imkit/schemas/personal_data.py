"""Wire types of what is stored of users, and of its erasure."""

from typing import Any

from msgspec import Struct


class PeopleResult(Struct, frozen=True):
    """A page of the users who were created or are in a room."""

    data: list[str]
    next: str | None


class PersonResult(Struct, frozen=True):
    """Profile, tokens and rooms of a user: the lines of `readstate people show`."""

    data: list[Any]  # lines


class PersonExportResult(Struct, frozen=True):
    """A page of all that is stored of a user: lines of `readstate people export`."""

    data: list[Any]  # lines
    next: str | None


class ErasureResult(Struct, frozen=True):
    """How far the erasure of a user has come."""

    client: str
    name: str
    rooms: int
    next: str | None


class TracesResult(Struct, frozen=True):
    """A page of the places where the store still tells of a user."""

    data: list[str]
    next: str | None
