"""GET /rooms: the caller's rooms, filtered and sorted (docs.imkit.io, List Rooms). The forms of `q`
are those that clients send.
"""

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import msgspec
from litestar.params import QueryParameter
from msgspec import Meta, Struct

from readstate.batches import in_batches
from readstate.dialects.access import costs
from readstate.dialects.base import ProblemError
from readstate.dialects.http.body import BadBody, decode
from readstate.dialects.http.reply import Reply, encode
from readstate.dialects.imkit.errors import INVALID_QUERY
from readstate.dialects.imkit.operation import Access, Call, Principal, operation
from readstate.dialects.imkit.reply import ok
from readstate.dialects.imkit.schemas import Tags
from readstate.dialects.imkit.schemas import rooms as schemas
from readstate.dialects.imkit.views import View, personal, room_view, unread_view, users_in, with_me
from readstate.domain.profiles import text_of
from readstate.domain.rooms import RoomSummary, Status
from readstate.times import unix_ms

MAX_ROOMS_LISTED = 1000  # in one answer, whatever `limit` says
MAX_IDS_LISTED = 8000  # the same for a list of ids only
UNREAD = "unread"  # the value of `fields`
MAX_LIST_BYTES = 1024 * 1024  # of one answer, but one room is always listed
MAX_MEMBERS_LISTED = 100  # of each room; GET /rooms/:id shows more
MAX_LISTED_TOGETHER = 20_000  # members in one answer
VIEWS_AT_ONCE = 20  # rooms that are prepared before other callers have a turn
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
    """The forms of `q` that the service understands."""

    members: str | None = None
    room_tags: str | _TagSet | None = msgspec.field(name="roomTags", default=None)
    name: _Regex | None = None


_Test = Callable[[RoomSummary], bool]
_decode_query: Callable[[bytes], _Query] = msgspec.json.Decoder(_Query).decode
_decode_object: Callable[[bytes], dict[str, Any]] = msgspec.json.Decoder(dict[str, Any]).decode


@operation(
    "GET /rooms",
    Access.CLIENT,
    schemas.RoomsResult,
    or_else=schemas.RoomsUnreadResult,
    cost=costs.LIST,
    query=("skip", "limit", "sort", "updatedAfter", "sortUnreadFirst", "q", "pref", "fields"),
)
async def rooms(
    request: Call,
    skip: Count = 0,
    limit: Count = 0,
    sort: Annotated[str, QueryParameter(max_length=256)] = "-lastMessage -createdTime",
    updated_after: Annotated[str, QueryParameter(name="updatedAfter", max_length=64)] = "",
    sort_unread_first: Annotated[int, QueryParameter(name="sortUnreadFirst", ge=-(2**31), le=2**31 - 1)] = 0,
    q: Annotated[str, QueryParameter(max_length=16_384)] = "",
    pref: Annotated[str, QueryParameter(max_length=4096)] = "",
    fields: Annotated[str | None, QueryParameter(enum=[UNREAD])] = None,
) -> Reply:
    """The active rooms the caller is in.

    `limit` 0: all. `pref` is accepted and filters nothing: preferences are not kept here.

    `fields=unread` answers what a list of badges needs and no more: of each room `_id`, `unread`,
    `lastRead`, `roomTags`, and of `lastMessage` the id and the time.

    An answer ends after 1,000 rooms or 1 MiB of JSON: `skip` what has come already and ask again
    until there are `totalCount`. `sort`: `lastMessage`, `createdTime`, `createdTimeMS`, `name` and
    `unread`, separated by spaces, `-` in front to descend. `sortUnreadFirst` other than 0: rooms
    with something unread come first. `updatedAfter`: an ISO-8601 time or Unix milliseconds. `q`:
    JSON of `members` (the caller's id), `roomTags` (a tag, `$in` or `$all`) and `name` (`$regex`,
    taken for plain text, `$options`).
    """
    query, order, since_ms = _query(request.auth, q), _order(sort), _since_ms(updated_after)
    if pref:
        _parse("pref", _decode_object, pref)
    if fields not in (None, UNREAD):
        raise ProblemError(INVALID_QUERY, f"fields must be {UNREAD}")
    tests = [*_tag_tests(query.room_tags), *_name_tests(query.name)]
    if since_ms is not None:
        tests.append(lambda room: _touched_ms(room) > since_ms)
    by_name = query.name is not None or any(key is _name for key, _ in order)
    kept = await _present(
        request,
        tests,
        tags=query.room_tags is not None,
        fields=("name",) if by_name else (),
        last_read=fields == UNREAD,
    )
    for key, descending in reversed(order):
        kept.sort(key=key, reverse=descending)
    if sort_unread_first:
        kept.sort(key=lambda room: not room.me.unread)
    page = kept[skip : skip + (limit or MAX_ROOMS_LISTED)][:MAX_ROOMS_LISTED]
    if fields == UNREAD:
        listed = _Listed()
        all(map(listed.add, map(unread_view, page)))
        return ok({"totalCount": len(kept), "data": listed.rooms})
    return ok({"totalCount": len(kept), "data": await _views(request, [room.room for room in page])})


@operation("GET /rooms/ids", Access.CLIENT, schemas.RoomIdsResult, cost=costs.LIST, query=("skip", "limit"))
async def room_ids(request: Call, skip: Count = 0, limit: Count = 0) -> Reply:
    """The ids of the active rooms the caller is in, those with the newest messages first.

    `limit` 0: all.

    An answer ends after 8,000: `skip` what has come already and ask again.
    """
    kept = await _present(request, ())
    kept.sort(key=lambda room: (room.last_ms, room.created_ms), reverse=True)
    page = kept[skip : skip + (limit or MAX_IDS_LISTED)][:MAX_IDS_LISTED]
    return ok(schemas.RoomIdsResult(len(kept), [room.room for room in page]))


async def _present(
    call: Call,
    tests: Sequence[_Test],
    *,
    tags: bool = False,
    fields: Sequence[str] = (),
    last_read: bool = False,
) -> list[RoomSummary]:
    """Those of the caller's rooms that are active and pass all `tests`, in their present state.

    The caller is charged for all of their rooms.
    """
    names = await call.services.rooms.rooms_of(app=call.auth.app, user=call.auth.user)
    call.charge(costs.of_list(len(names)))
    kept: list[RoomSummary] = []
    for batch in in_batches(names):
        found = await call.services.rooms.room_summary_each(
            app=call.auth.app, rooms=batch, user=call.auth.user, tags=tags, fields=fields, last_read=last_read
        )
        there = (room for room in found if room is not None and room.status is Status.ACTIVE)
        kept += [room for room in there if all(test(room) for test in tests)]
    return kept


class _Listed:
    """Rooms as JSON, as many as fit into one answer."""

    def __init__(self) -> None:
        self.rooms: list[msgspec.Raw] = []
        self._bytes = 0

    def add(self, view: View | schemas.RoomUnread) -> bool:
        """Add a room. False when it does not fit any more."""
        encoded = encode(view)
        self._bytes += len(encoded)
        if self.rooms and self._bytes > MAX_LIST_BYTES:
            return False
        self.rooms.append(msgspec.Raw(encoded))
        return True


async def _views(call: Call, page: Sequence[str]) -> list[msgspec.Raw]:
    """The rooms of the page as JSON, as many as fit into one answer."""
    shown = min(MAX_MEMBERS_LISTED, max(2, MAX_LISTED_TOGETHER // max(1, len(page))))
    listed = _Listed()
    for batch in in_batches(page, VIEWS_AT_ONCE):
        if not all(map(listed.add, await _views_of(call, batch, shown))):
            break
    return listed.rooms


async def _views_of(call: Call, rooms: Sequence[str], shown: int) -> list[View]:
    found = await call.services.rooms.room_each(app=call.auth.app, rooms=rooms, user=call.auth.user)
    there = [room for room in found if room is not None and room.me is not None]
    furthest = await call.services.rooms.members_each(
        app=call.auth.app, rooms=[room.room for room in there], limit=shown
    )
    states = [with_me(room, members) for room, members in zip(there, furthest, strict=True)]
    everybody = set[str]().union(*(users_in(room, members) for room, members in zip(there, states, strict=True)))
    people = await call.services.people.find(call.auth.app, everybody)
    return [
        personal(room_view(call.auth.app, room, members, people, properties=False), room, call.auth.user)
        for room, members in zip(there, states, strict=True)
    ]


def _query(principal: Principal, text: str) -> _Query:
    """The conditions in `q`. Raises ProblemError for an unknown form."""
    if not text:
        return _Query()
    asked: _Query = _parse("q", _decode_query, text)
    if asked.members not in (None, principal.user):
        raise ProblemError(INVALID_QUERY, "q.members must be the caller")
    return asked


def _tag_tests(tags: str | _TagSet | None) -> list[_Test]:
    if tags is None:
        return []
    if isinstance(tags, str):
        return [lambda room: tags in room.tags]
    any_of, all_of = tags.any_of, tags.all_of
    tests: list[_Test] = []
    if any_of is not None:
        tests.append(lambda room: not set(any_of).isdisjoint(room.tags))
    if all_of is not None:
        tests.append(lambda room: bool(all_of) and set(all_of).issubset(room.tags))
    return tests


def _name_tests(name: _Regex | None) -> list[_Test]:
    """Tests of the name. The pattern is taken as plain text: a caller's regular expression could
    block a worker for ever.
    """
    if name is None:
        return []
    if name.options not in ("", "i"):
        raise ProblemError(INVALID_QUERY, "q.name.$options must be i")
    fold = str.casefold if name.options else str
    text = fold(_ESCAPED.sub(r"\1", name.pattern))
    return [lambda room: text in fold(_name(room))]


def _name(room: RoomSummary) -> str:
    return text_of(room.profile, "name")


def _parse(name: str, decoder: Callable[[bytes], Any], text: str) -> Any:
    try:
        return decode(decoder, text.encode("utf-8", "surrogatepass"))
    except BadBody as error:
        raise ProblemError(INVALID_QUERY, f"{name} is not understood: {error}") from None


def _since_ms(text: str) -> int | None:
    """`updatedAfter`: an ISO-8601 time or Unix milliseconds. Raises ProblemError."""
    if not text:
        return None
    try:
        return int(text) if text.isascii() and text.isdigit() else unix_ms(text)
    except ValueError:
        raise ProblemError(INVALID_QUERY, "updatedAfter must be an ISO-8601 time or Unix milliseconds") from None


def _touched_ms(room: RoomSummary) -> int:
    return max(room.created_ms, room.last_ms)


_SORT_KEYS: dict[str, Callable[[RoomSummary], Any]] = {
    "lastMessage": lambda room: room.last_ms,
    "createdTime": lambda room: room.created_ms,
    "createdTimeMS": lambda room: room.created_ms,
    "name": _name,
    "unread": lambda room: room.me.unread,
}


def _order(sort: str) -> list[tuple[Callable[[RoomSummary], Any], bool]]:
    """The fields to sort by, the most important first, each with whether it descends. Raises
    ProblemError.
    """
    fields = [(field.removeprefix("-"), field.startswith("-")) for field in sort.split()]
    unknown = [name for name, _ in fields if name not in _SORT_KEYS]
    if unknown:
        raise ProblemError(INVALID_QUERY, f"sort knows only {', '.join(_SORT_KEYS)}")
    return [(_SORT_KEYS[name], descending) for name, descending in fields]
