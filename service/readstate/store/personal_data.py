"""Personal data in pages, over what a command does in one go.

A page token is of one operation on one user of one app: with another one's, an erasure would pass
over what that one had looked at.
"""

import hashlib
from collections.abc import Callable
from typing import Annotated, Generic, TypeVar

import msgspec
from msgspec import Meta, Struct

from readstate.domain.personal_data import ErasurePage, LinesPage, PersonLine, RemnantsPage, UsersPage, is_stand_in
from readstate.errors import Invalid, UserUnknown
from readstate.store import page_tokens
from readstate.store.bounds import Bounds
from readstate.store.executor import Executor
from readstate.store.key_scan import ScanPosition
from readstate.store.outbox import Outbox
from readstate.store.people import RedisPeople, RestOfErasure
from readstate.store.person import Position, RedisPerson
from readstate.store.remnants import some_remnants

Where = TypeVar("Where")


class _Next(Struct, Generic[Where], frozen=True, array_like=True):
    """What a page token says."""

    of: Annotated[str, Meta(max_length=16)]
    where: Where


_scan = msgspec.msgpack.Decoder(_Next[ScanPosition]).decode
_rest = msgspec.msgpack.Decoder(_Next[RestOfErasure]).decode
_position = msgspec.msgpack.Decoder(_Next[Position]).decode


class RedisPersonalData:
    """Implements domain.personal_data.PersonalData."""

    def __init__(self, executor: Executor, outbox: Outbox, bounds: Bounds) -> None:
        self._executor = executor
        self._outbox = outbox
        self._bounds = bounds

    async def users(self, *, app: str, page: str | None = None) -> UsersPage:
        of = _digest("users", app)
        users, looked_at, position = await self._people(app).some_users(_read(page, of, _scan))
        return UsersPage(users, looked_at, _next(of, position))

    async def side(self, *, app: str, user: str) -> list[PersonLine]:
        return await (await self._known(app, user)).side()

    async def lines(self, *, app: str, user: str, page: str | None = None) -> LinesPage:
        of = _digest("lines", app, user)
        position = _read(page, of, _position)
        person = RedisPerson(self._executor, app, user) if position else await self._known(app, user)
        some = await person.page(position)
        return LinesPage(list(some.lines), some.looked_at, _next(of, some.position))

    async def erase(self, *, app: str, user: str, name: str | None = None, page: str | None = None) -> ErasurePage:
        of = _digest("erase", app, user)
        rest = _read(page, of, _rest)
        if rest and not is_stand_in(rest.name, user):
            raise Invalid("page", page_tokens.IS_NONE)
        erased = await self._people(app).erase_some(user, name, rest)
        return ErasurePage(erased.name, erased.rooms, erased.looked_at, _next(of, erased.rest))

    async def remnants(self, *, app: str, user: str, page: str | None = None) -> RemnantsPage:
        of = _digest("traces", app, user)  # the word of the tokens that are under way
        found, looked_at, position = await some_remnants(self._executor, app, user, _read(page, of, _scan))
        return RemnantsPage(found, looked_at, _next(of, position))

    def _people(self, app: str) -> RedisPeople:
        return RedisPeople(self._executor, self._outbox, self._bounds, app)

    async def _known(self, app: str, user: str) -> RedisPerson:
        person = RedisPerson(self._executor, app, user)
        if not await person.exists():
            raise UserUnknown(f"there is no user {user}")
        return person


def _digest(*of: str) -> str:
    """Of an operation, an app and a user."""
    return hashlib.sha256(msgspec.msgpack.encode(of)).hexdigest()[:16]


def _read(page: str | None, of: str, decode: Callable[[bytes], _Next[Where]]) -> Where | None:
    """Where a page begins; None: at the beginning. Raises Invalid for another page."""
    if not page:
        return None
    found = page_tokens.read(page, decode)
    if found.of != of:
        raise Invalid("page", "page belongs to another call or user")
    return found.where


def _next(of: str, where: Where | None) -> str | None:
    return page_tokens.written(_Next(of, where)) if where else None
