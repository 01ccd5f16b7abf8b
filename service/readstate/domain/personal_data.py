"""What is stored of one user, for them to have it, and how all of it is erased.

All keys of the store are scanned for that, a page at a time: a page may be empty without being
the last, which has no `next`. After a failover, and when a cluster moves slots, a scan begins anew:
what came may come again, and none is missing.
"""

import re
import secrets
from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from readstate.domain.limits import MAX_ID_BYTES, check_id
from readstate.domain.transfer import Line
from readstate.errors import Invalid

_RANDOM_DIGITS = 16  # behind the name that stands in for a user's
MAX_NAME_BYTES = MAX_ID_BYTES - 1 - _RANDOM_DIGITS
_STAND_IN = re.compile(f"(.+)-[0-9a-f]{{{_RANDOM_DIGITS}}}", re.DOTALL)


class TokenLine(Struct, frozen=True, tag="token"):
    """A token of the user; what it is made of is not shown."""

    token: str
    created_ms: int
    expires_ms: int
    custom: bool


class CopyLine(Struct, frozen=True, tag="copy"):
    """What the user's side knows of a room."""

    room: str
    cursor: int
    unread: int
    tags: Sequence[str]


class EventLine(Struct, frozen=True, tag="event"):
    """A read that waits to be told a receiver of webhooks, or was given up."""

    room: str
    message: str
    at_ms: int
    given_up: bool


PersonLine = Line | TokenLine | CopyLine | EventLine


class UsersPage(Struct, frozen=True):
    """Ids of users who were created or are in a room; one may come twice."""

    users: list[str]
    looked_at: int  # keys, rooms and messages, about: what the page has cost
    next: str | None


class LinesPage(Struct, frozen=True):
    """Some of what is stored of a user. The lines of all pages together are a file of it."""

    lines: list[PersonLine]
    looked_at: int
    next: str | None


class ErasurePage(Struct, frozen=True):
    """How far an erasure has come. `name` stands in for the user's in rooms."""

    name: str
    rooms: int  # that were looked at for this page
    looked_at: int
    next: str | None  # None: the user is erased


class RemnantsPage(Struct, frozen=True):
    """Places where the store still tells of a user."""

    remnants: list[str]
    looked_at: int
    next: str | None


class PersonalData(Protocol):
    """`page` is the `next` of the page before, None for the first. One that is none is Invalid."""

    async def users(self, *, app: str, page: str | None = None) -> UsersPage:
        """Who is stored. Raises Invalid."""

    async def side(self, *, app: str, user: str) -> list[PersonLine]:
        """Profile, tokens and rooms of a user. Raises UserUnknown."""

    async def lines(self, *, app: str, user: str, page: str | None = None) -> LinesPage:
        """All that is stored of a user: the same first, then what rooms and events tell.

        Raises Invalid, UserUnknown.
        """

    async def erase(self, *, app: str, user: str, name: str | None = None, page: str | None = None) -> ErasurePage:
        """Do a part of erasing a user, which may be done again; the last page ends it.

        `name`, with random digits behind it, is to stand in for theirs in rooms; the one of the
        first page of an erasure counts. Raises Invalid.
        """

    async def remnants(self, *, app: str, user: str, page: str | None = None) -> RemnantsPage:
        """Where the store still tells of a user: nowhere after an erasure. Raises Invalid."""


def check_name(field: str, name: str, user: str) -> str:
    """Return `name` when it may stand in for a user's, with random digits behind it.

    Raises Invalid for the user's own one, and for one that is too long or was no text.
    """
    if len(check_id(field, name).encode()) > MAX_NAME_BYTES:
        raise Invalid(field, f"{field} must have 1 to {MAX_NAME_BYTES} bytes")
    if "\ufffd" in name:  # in the place of bytes that are no UTF-8
        raise Invalid(field, f"{field} must be UTF-8")
    if name == user:
        raise Invalid(field, "another name must stand in for the user's")
    return name


def is_stand_in(name: str, user: str) -> bool:
    """Whether `name` can be one that `new_stand_in` has made for `user`."""
    found = _STAND_IN.fullmatch(name)
    try:
        return found is not None and bool(check_name("name", found[1], user))
    except Invalid:
        return False


def new_stand_in(name: str | None) -> str:
    """A name that nothing else has: `name`, or "erased", and random digits."""
    return f"{name or 'erased'}-{secrets.token_hex(_RANDOM_DIGITS // 2)}"
