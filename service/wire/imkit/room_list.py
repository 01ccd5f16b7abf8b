"""GET /rooms: the caller's rooms, filtered and sorted (docs.imkit.io, List Rooms; the `q` forms are those that clients send)."""

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import msgspec
from litestar import get
from litestar.params import QueryParameter
from msgspec import Meta, Struct

from service.domain.types import Room, Status
from service.together import together
from service.wire import costs
from service.wire.body import BadBody, decode
from service.wire.desk import Desk
from service.wire.imkit.call import Call, Caller, Who
from service.wire.imkit.documented import documented
from service.wire.imkit.errors import INVALID_QUERY, Refused
from service.wire.imkit.messages import RoomsResult, Tags
from service.wire.imkit.reply import ok
from service.wire.imkit.views import people_in, personal, room_view
from service.wire.reply import Reply
from service.wire.rooms import find_members, find_rooms
from service.wire.times import unix_ms

MAX_MEMBERS_LISTED = 100  # of each room; GET /rooms/:id shows more
MAX_LISTED_TOGETHER = 20_000  # members in one answer
MAX_REGEX_CHARS = 256

Count = Annotated[int, QueryParameter(ge=0, le=2**31 - 1)]

_ESCAPED = re.compile(r"\\([^\w\s])")


class _Regex(Struct, frozen=True, forbid_unknown_fields=True):
    pattern: Annotated[str, Meta(max_length=MAX_REGEX_CHARS)] = msgspec.field(name="$regex")
    options: str = msgspec.field(name="$options", default="")


class _TagSet(Struct, frozen=True, forbid_unknown_fields=True):
    any_of: Tags | None = msgspec.field(name="$in", default=None)
    all_of: Tags | None = msgspec.field(name="$all", default=None)


class _Query(Struct, frozen=True, forbid_unknown_fields=True):
    """The forms of `q` that are understood."""

    members: str | None = None
    room_tags: str | _TagSet | None = msgspec.field(name="roomTags", default=None)
    name: _Regex | None = None


_decode_query: Callable[[bytes], _Query] = msgspec.json.Decoder(_Query).decode
_decode_object: Callable[[bytes], dict[str, Any]] = msgspec.json.Decoder(dict[str, Any]).decode


@get("/rooms", **documented("rooms", Who.CLIENT, RoomsResult, cost=costs.LIST))
async def rooms(
    request: Call,
    skip: Count = 0,
    limit: Count = 0,
    sort: Annotated[str, QueryParameter(max_length=256)] = "-lastMessage -createdTime",
    updated_after: Annotated[str, QueryParameter(name="updatedAfter", max_length=64)] = "",
    sort_unread_first: Annotated[int, QueryParameter(name="sortUnreadFirst", ge=-(2**31), le=2**31 - 1)] = 0,
    q: Annotated[str, QueryParameter(max_length=16_384)] = "",
    pref: Annotated[str, QueryParameter(max_length=4096)] = "",
) -> Reply:
    """The active rooms the caller is in. `limit` 0: all. `pref` is accepted and filters nothing: preferences are not kept here.

    `sort`: `lastMessage`, `createdTime`, `createdTimeMS`, `name` and `unread`, separated by spaces, `-` in front to descend.
    `sortUnreadFirst` other than 0: rooms with something unread come first. `updatedAfter`: an ISO-8601 time or Unix milliseconds.
    `q`: JSON of `members` (the caller's id), `roomTags` (a tag, `$in` or `$all`) and `name` (`$regex`, taken for plain text, `$options`).
    """
    caller, desk = request.auth, request.desk
    wanted, order, since_ms = _wanted(caller, q), _order(sort), _since_ms(updated_after)
    if pref:
        _parse("pref", _decode_object, pref)
    there = await _present(desk, caller)
    request.charge(costs.of_list(len(there)))
    kept = [room for room in there if wanted(room) and (since_ms is None or _touched_ms(room) > since_ms)]
    for key, descending in reversed(order):
        kept.sort(key=key, reverse=descending)
    if sort_unread_first:
        kept.sort(key=lambda room: not (room.me and room.me.unread))
    page = kept[skip : skip + limit] if limit else kept[skip:]
    return ok({"totalCount": len(kept), "data": await _views(desk, caller, page)})


async def _present(desk: Desk, caller: Caller) -> list[Room]:
    """The caller's active rooms, as they are now."""
    names = await desk.read_state.rooms(app=caller.app, user=caller.user)
    found = await find_rooms(desk.read_state, app=caller.app, rooms=names, user=caller.user)
    return [room for room in found if room.status is Status.ACTIVE]


async def _views(desk: Desk, caller: Caller, page: Sequence[Room]) -> list[dict[str, Any]]:
    shown = min(MAX_MEMBERS_LISTED, max(2, MAX_LISTED_TOGETHER // max(1, len(page))))
    states = await together(lambda room: find_members(desk.read_state, app=caller.app, room=room.room, limit=shown), page)
    everybody = set[str]().union(*(people_in(room, members) for room, members in zip(page, states, strict=True)))
    people = await desk.people.find(caller.app, everybody)
    views = (room_view(caller.app, room, members, people, properties=False) for room, members in zip(page, states, strict=True))
    return [personal(view, room, caller.user) for view, room in zip(views, page, strict=True)]


def _wanted(caller: Caller, query: str) -> Callable[[Room], bool]:
    """What `q` asks of a room. Raises Refused for a form that is not understood."""
    if not query:
        return lambda room: True
    asked = _parse("q", _decode_query, query)
    if asked.members not in (None, caller.user):
        raise Refused(INVALID_QUERY, "q.members must be the caller")
    tests = [*_tag_tests(asked.room_tags), *_name_tests(asked.name)]
    return lambda room: all(test(room) for test in tests)


def _tag_tests(tags: str | _TagSet | None) -> list[Callable[[Room], bool]]:
    if tags is None:
        return []
    if isinstance(tags, str):
        return [lambda room: tags in room.tags]
    any_of, all_of = tags.any_of, tags.all_of
    tests: list[Callable[[Room], bool]] = []
    if any_of is not None:
        tests.append(lambda room: not set(any_of).isdisjoint(room.tags))
    if all_of is not None:
        tests.append(lambda room: bool(all_of) and set(all_of).issubset(room.tags))
    return tests


def _name_tests(name: _Regex | None) -> list[Callable[[Room], bool]]:
    """The pattern is taken for plain text: a regular expression of somebody else's could keep a worker busy for ever."""
    if name is None:
        return []
    if name.options not in ("", "i"):
        raise Refused(INVALID_QUERY, "q.name.$options must be i")
    fold = str.casefold if name.options else str
    text = fold(_ESCAPED.sub(r"\1", name.pattern))
    return [lambda room: text in fold(_name(room))]


def _name(room: Room) -> str:
    name = msgspec.json.decode(room.profile.get("name", b'""'))
    return name if isinstance(name, str) else ""


def _parse(name: str, decoder: Callable[[bytes], Any], text: str) -> Any:
    try:
        return decode(decoder, text.encode("utf-8", "surrogatepass"))
    except BadBody as error:
        raise Refused(INVALID_QUERY, f"{name} is not understood: {error}") from None


def _since_ms(text: str) -> int | None:
    """`updatedAfter`: an ISO-8601 time or Unix milliseconds. Raises Refused."""
    if not text:
        return None
    try:
        return int(text) if text.isascii() and text.isdigit() else unix_ms(text)
    except ValueError:
        raise Refused(INVALID_QUERY, "updatedAfter must be an ISO-8601 time or Unix milliseconds") from None


def _touched_ms(room: Room) -> int:
    return max(room.created_ms, room.last.at_ms if room.last else 0)


_SORT_KEYS: dict[str, Callable[[Room], Any]] = {
    "lastMessage": lambda room: room.last.at_ms if room.last else 0,
    "createdTime": lambda room: room.created_ms,
    "createdTimeMS": lambda room: room.created_ms,
    "name": _name,
    "unread": lambda room: room.me.unread if room.me else 0,
}


def _order(sort: str) -> list[tuple[Callable[[Room], Any], bool]]:
    """The fields to sort by, the most important first, each with whether it descends. Raises Refused."""
    fields = [(field.removeprefix("-"), field.startswith("-")) for field in sort.split()]
    unknown = [name for name, _ in fields if name not in _SORT_KEYS]
    if unknown:
        raise Refused(INVALID_QUERY, f"sort knows only {', '.join(_SORT_KEYS)}")
    return [(_SORT_KEYS[name], descending) for name, descending in fields]
