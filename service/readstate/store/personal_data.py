"""Personal data in pages, over what a command does in one go."""

import msgspec

from readstate.domain.personal_data import ErasurePage, LinesPage, PersonLine, TracesPage, UsersPage
from readstate.errors import UserUnknown
from readstate.store import page_tokens
from readstate.store.bounds import Bounds
from readstate.store.executor import Executor
from readstate.store.outbox import Outbox
from readstate.store.people import RedisPeople
from readstate.store.person import Position, RedisPerson
from readstate.store.traces import some_traces
from readstate.store.walk import Place

_place = msgspec.msgpack.Decoder(Place).decode
_position = msgspec.msgpack.Decoder(Position).decode


class RedisPersonalData:
    """Implements domain.personal_data.PersonalData."""

    def __init__(self, executor: Executor, outbox: Outbox, bounds: Bounds) -> None:
        self._executor = executor
        self._outbox = outbox
        self._bounds = bounds

    async def users(self, *, app: str, page: str | None = None) -> UsersPage:
        users, looked_at, place = await self._people(app).some_users(_read_place(page))
        return UsersPage(users, looked_at, _next(place))

    async def side(self, *, app: str, user: str) -> list[PersonLine]:
        return await (await self._known(app, user)).side()

    async def lines(self, *, app: str, user: str, page: str | None = None) -> LinesPage:
        position = page_tokens.read(page, _position) if page else None
        person = RedisPerson(self._executor, app, user) if position else await self._known(app, user)
        some = await person.page(position)
        return LinesPage(list(some.lines), some.looked_at, _next(some.position))

    async def erase(self, *, app: str, user: str, name: str | None = None, page: str | None = None) -> ErasurePage:
        erased = await self._people(app).erase_some(user, name, _read_place(page))
        return ErasurePage(erased.name, erased.rooms, erased.looked_at, _next(erased.place))

    async def traces(self, *, app: str, user: str, page: str | None = None) -> TracesPage:
        found, looked_at, place = await some_traces(self._executor, app, user, _read_place(page))
        return TracesPage(found, looked_at, _next(place))

    def _people(self, app: str) -> RedisPeople:
        return RedisPeople(self._executor, self._outbox, self._bounds, app)

    async def _known(self, app: str, user: str) -> RedisPerson:
        person = RedisPerson(self._executor, app, user)
        if not await person.exists():
            raise UserUnknown(f"there is no user {user}")
        return person


def _read_place(page: str | None) -> Place | None:
    return page_tokens.read(page, _place) if page else None


def _next(position: msgspec.Struct | None) -> str | None:
    return page_tokens.written(position) if position else None
