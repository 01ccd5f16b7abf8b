"""Every kind of damage: an audit finds it, no call about others fails meanwhile, and what can be
known is mended, so that the next audit finds nothing and everybody is answered as before.

What cannot be known is said as such: "lost".
"""

from collections.abc import Awaitable, Callable, Iterator
from typing import Any, NamedTuple

import msgspec
import pytest

from readstate.domain.audit import Drift
from readstate.domain.receipts import Filter
from readstate.errors import ReadStateError
from readstate.store import lua
from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.redis_store import RedisStore
from readstate.store.replies import ScriptFailed
from tests.support.damage import MEMBERS, TAGS, Planter, busy_room
from tests.support.rooms import posted

Plant = Callable[[Planter], Awaitable[Any]]


class Kind(NamedTuple):
    """One kind of damage."""

    name: str
    plant: Plant
    lost: bool = False  # the truth itself is gone: then answers may differ
    paid: bool = False  # pending updates, which every audit pushes before it looks


def on_room(command: str, suffix: str, *parts: str | int | bytes) -> Plant:
    return lambda planter: planter.run(command, planter.room + suffix, *parts)


def on_user(command: str, suffix: str, *parts: str | int | bytes) -> Plant:
    return lambda planter: planter.run(command, planter.user + suffix, *parts)


def head(**changes: int) -> Plant:
    return lambda planter: planter.head(**changes)


def record(member: str, **changes: int) -> Plant:
    return lambda planter: planter.record(member, **changes)


def edit(suffix: str, field: str | bytes, change: Callable[[bytes], bytes]) -> Plant:
    return lambda planter: planter.edit(planter.room + suffix, field, change)


def edit_side(suffix: str, field: str | bytes, change: Callable[[bytes], bytes]) -> Plant:
    return lambda planter: planter.edit(planter.user + suffix, field, change)


def cut(value: bytes) -> bytes:
    return value[: len(value) // 2]


def flipped(at: int, bits: int = 0xFF) -> Callable[[bytes], bytes]:
    return lambda value: value[:at] + bytes([value[at] ^ bits]) + value[at + 1 :]


async def of_wrong_type(planter: Planter, key: str) -> None:
    await planter.run("DEL", key)
    await planter.run("SET", key, "x")


def wrong_type(suffix: str) -> Plant:
    return lambda planter: of_wrong_type(planter, planter.room + suffix)


def wrong_type_of_side(suffix: str) -> Plant:
    return lambda planter: of_wrong_type(planter, planter.user + suffix)


US = "\x1f"
FAR = 2**40 - 1

HEADS = [
    Kind("head: seq too low", head(seq=20)),
    Kind("head: seq too high", head(seq=1000)),
    Kind("head: ordinal too low", head(ordinal=3)),
    Kind("head: ordinal too high", head(ordinal=44)),
    Kind("head: number of members", head(member_count=77)),
    Kind("head: highest hole too low", head(top_hole=1)),
    Kind("head: highest hole too high", head(top_hole=FAR)),
    Kind("head: floor", head(floor=9)),
    Kind("head: floor beyond the head", head(floor=FAR)),
    Kind("head: seq of the floor beyond the head", head(floor_seq=FAR)),
    Kind("head: messages deleted, too many", head(deleted_count=30)),
    Kind("head: messages deleted, too few", head(deleted_count=0)),
    Kind("head: oldest message beyond the head", head(oldest=FAR), lost=True),
    Kind("head: buckets, too many", head(buckets=9)),
    Kind("head: no bucket", head(buckets=0)),
    Kind("head: revision of the future", head(revision=2**55)),
    Kind("head: created after its revision", head(created=2**55), lost=True),
    Kind("head: flagged as derived", head(flags=4)),
    Kind("head: flagged as deleted", head(flags=2)),
    Kind("head: flagged as large", head(flags=16)),
    Kind("head: newest message", lambda p: p.edit(p.room, "", lambda v: v.replace(b"m44", b"m13"))),
    Kind("head: tags out of order", lambda p: p.edit(p.room, "", lambda v: v[:-3] + b"b\x1fa")),
    Kind("head: cut", edit("", "", cut), lost=True),
    Kind("head: gone", on_room("HDEL", "", ""), lost=True),
    Kind("room: will expire", on_room("EXPIRE", "", 100)),
    Kind("room: of a wrong type", wrong_type(""), lost=True),
]
MESSAGES = [
    Kind("log: all gone", on_room("DEL", ":l"), lost=True),
    Kind("log: of a wrong type", wrong_type(":l"), lost=True),
    Kind("log: newest chunk gone", on_room("HDEL", ":l", 2), lost=True),
    Kind("log: chunk in the middle gone", on_room("HDEL", ":l", 1), lost=True),
    Kind("log: oldest chunk gone", on_room("HDEL", ":l", 0), lost=True),
    Kind("log: chunk cut", edit(":l", "1", cut), lost=True),
    Kind("log: wrong ordinals", edit(":l", "1", flipped(4, 3))),
    Kind("log: another kind of message", lambda p: p.edit(p.room + ":l", "1", kind_of_the_first)),
    Kind("log: the id of a newer message", edit(":l", "0", lambda v: v.replace(b"m4", b"m9", 1)), lost=True),
    Kind("log: the id of an older message", edit(":l", "0", lambda v: v.replace(b"m9", b"m4", 1)), lost=True),
    Kind("log: senders gone", on_room("HDEL", ":l", "s0"), lost=True),
    Kind("log: a chunk beyond the head", on_room("HSET", ":l", 77, b"x")),
    Kind("log: a field that is none", on_room("HSET", ":l", "what", b"x")),
    Kind("index: all gone", on_room("HDEL", ":l", "i0", "i1")),
    Kind("index: entry gone", edit(":l", "i0", lambda v: v[7:])),
    Kind("index: entry in the middle gone", edit(":l", "i0", lambda v: v[:14] + v[21:])),
    Kind("index: wrong place", edit(":l", "i0", flipped(6, 3))),
    Kind("index: wrong hash", edit(":l", "i0", flipped(9))),
    Kind("index: cut", edit(":l", "i0", lambda v: v[:-3])),
    Kind("index: out of order", edit(":l", "i0", lambda v: v[7:14] + v[:7] + v[14:])),
    Kind("index: a bucket that is none", on_room("HSET", ":l", "i55", b"abcdefg")),
    Kind("holes: all gone", on_room("DEL", ":h")),
    Kind("holes: one gone", on_room("ZREMRANGEBYRANK", ":h", 0, 0)),
    Kind("holes: one too many", on_room("ZADD", ":h", 5, 5)),
    Kind("holes: beyond the head", on_room("ZADD", ":h", 5000, 5000)),
    Kind("holes: a score that is none", on_room("ZADD", ":h", "5.5", "x")),
    Kind("holes: of a wrong type", wrong_type(":h")),
    Kind("deleted: one gone", on_room("ZREM", ":d", 37)),
    Kind("deleted: one too many", on_room("ZADD", ":d", 5, 5)),
    Kind("deleted: of a wrong type", wrong_type(":d")),
]


def kind_of_the_first(chunk: bytes) -> bytes:
    """The first message of a chunk of 16 is countable if it was not, and the other way round."""
    return flipped(12 + 2 * 16, 1)(chunk)


RECORDS = [
    Kind("record: cursor beyond the head", record("ann", cursor=5000)),
    Kind("record: ordinal beyond the head", record("ann", ordinal=5000)),
    Kind("record: ordinal not of its message", record("ann", ordinal=1)),
    Kind("record: told far too long", record("ann", attentive_until=FAR), lost=True),
    Kind("record: read beyond the cursor", record("ann", read=5000), lost=True),
    Kind("record: joined beyond the cursor", record("ann", joined=5000)),
    Kind("record: moved in the future", record("ann", at=2**45), lost=True),
    Kind("record: another number of moves", record("ann", moves=3), lost=True),
    Kind("record: moves cut", edit("", "ann", lambda v: v[:-1]), lost=True),
    Kind("record: cut", edit("", "ann", lambda v: v[:20]), lost=True),
    Kind("record: begins wrongly", record("ann", begins=255), lost=True),
    Kind("record: gone", on_room("HDEL", "", "ann"), lost=True),
    Kind("record: marked, and nothing says where", on_room("HDEL", ":u", "dan"), lost=True),
    Kind("record: of no member", on_room("HSET", "", "zoe", b"x"), lost=True),
    Kind("order: a stranger", on_room("ZADD", ":c", 3, "zoe")),
    Kind("order: of a wrong type", wrong_type(":c")),
    Kind("joining: a stranger", on_room("ZADD", ":b", 3, "zoe")),
    Kind("joining: one gone", on_room("ZREM", ":b", "gus")),
    Kind("joining: another place", on_room("ZADD", ":b", 7, "gus")),
    Kind("joining: one who was there from the beginning", on_room("ZADD", ":b", 7, "ann")),
    Kind("invited: a member", on_room("SADD", ":n", "ann")),
    Kind("attentive: a stranger", on_room("SADD", ":a", "zoe")),
    Kind("journal: chunk gone", on_room("HDEL", ":j", f"ann{US}0"), lost=True),
    Kind("journal: chunk cut", edit(":j", f"ann{US}0", lambda v: v[:2]), lost=True),
    Kind("journal: a stranger's", on_room("HSET", ":j", f"zoe{US}0", b"\x01\x01\x00")),
    Kind("journal: of a wrong type", wrong_type(":j"), lost=True),
    Kind("stays: cursor", on_room("ZADD", ":y", 2, f"eve{US}0")),
    Kind("stays: no cursor", on_room("ZREM", ":y", f"eve{US}0")),
    Kind("stays: joining", on_room("ZADD", ":e", 2, f"eve{US}0")),
    Kind("stays: no joining", on_room("ZREM", ":e", f"eve{US}0")),
    Kind("stays: end cut", edit(":x", f"eve{US}0", lambda v: v[:1]), lost=True),
    Kind("stays: end gone", on_room("HDEL", ":x", f"eve{US}0"), lost=True),
    Kind("stays: record of who left gone", on_room("HDEL", ":x", "eve"), lost=True),
    Kind("stays: record of who left cut", edit(":x", "eve", cut), lost=True),
    Kind("stays: one that is none", on_room("ZADD", ":y", 20, "zoe")),
    Kind("stays: of a wrong type", wrong_type(":y")),
    Kind("acknowledgements: cut", edit(":q", "41", lambda v: v[:2]), lost=True),
    Kind("acknowledgements: of no message", on_room("HSET", ":q", 4000, b"\xa3ann\x01\x01")),
    Kind("acknowledgements: of a wrong type", wrong_type(":q"), lost=True),
    Kind("marks: no seq", on_room("HSET", ":u", "dan", "x"), lost=True),
    Kind("marks: of no member", on_room("HSET", ":u", "zoe", 4)),
    Kind("marks: no time", on_room("HSET", ":u", f"ann{US}", "x")),
    Kind("marks: no lowest count", on_room("HSET", ":u", US, "x")),
    Kind("pending: a revision to come", on_room("HSET", ":o", "ann", 2**55), paid=True),
    Kind("pending: no revision", on_room("HSET", ":o", "ann", "x"), paid=True),
]
SIDES = [
    Kind("copy: gone", on_user("HDEL", "", "rr")),
    Kind("copy: cut", edit_side("", "rr", lambda v: v[:9])),
    Kind("copy: of a state that is none", edit_side("", "rr", lambda v: b"\x89" + v[1:])),
    Kind("copy: another cursor", edit_side("", "rr", flipped(9, 7))),
    Kind("copy: a far higher cursor", edit_side("", "rr", flipped(8))),
    Kind("copy: another unread", edit_side("", "rr", flipped(11, 7))),
    Kind("copy: other tags", edit_side("", "rr", lambda v: v[:-1] + b"z")),
    Kind(
        "copy: a little newer than the room",
        edit_side("", "rr", lambda v: v[:1] + (int.from_bytes(v[1:8], "big") + 9).to_bytes(7, "big") + v[8:]),
    ),
    Kind("copy: of the future", edit_side("", "rr", lambda v: v[:1] + b"\x7f" + v[2:])),
    Kind("copy: of a room that is none", lambda p: copied(p, "rr", "rnowhere")),
    Kind("copies: of a wrong type", wrong_type_of_side("")),
    Kind("sums: cut", edit_side("", "", cut)),
    Kind("sums: another total", edit_side("", "", flipped(11, 3))),
    Kind("sums: gone", on_user("HDEL", "", "")),
    Kind("counter: of a tag", on_user("HSET", "", "ta", 99)),
    Kind("counter: negative", on_user("HSET", "", "ta", -99)),
    Kind("counter: no number", on_user("HSET", "", "ta", "x")),
    Kind("counter: of no tag", on_user("HSET", "", "tz", 1)),
    Kind("counter: of a tag set", on_user("HDEL", "", "sa\x1fb")),
    Kind("counter: of nothing", on_user("HSET", "", "what", 1)),
    Kind("tag sets: too many rooms", on_user("HSET", ":s", "a\x1fb", 9)),
    Kind("tag sets: of a wrong type", wrong_type_of_side(":s")),
    Kind("tags: too many sets", on_user("HSET", ":k", "a", 9)),
    Kind("derived: a stranger", on_user("SADD", ":d", "zoo")),
    Kind("derived: of a wrong type", wrong_type_of_side(":d")),
    Kind("left: a stranger", on_user("ZADD", ":g", 5, "zoo")),
    Kind("left: of a wrong type", wrong_type_of_side(":g")),
    Kind("side: will expire", on_user("EXPIRE", "", 100)),
]
KINDS = [*HEADS, *MESSAGES, *RECORDS, *SIDES]


async def copied(planter: Planter, field: str, other: str) -> None:
    value = await planter.run("HGET", planter.user, field)
    await planter.run("HSET", planter.user, other, value)


FAILED = "failed: "


async def answers(store: RedisStore, app: str, *, of_room_only: bool = False) -> dict[str, Any]:
    """What users are told of their rooms. A refusal or fault stands for its answer."""
    asked: dict[str, Awaitable[Any]] = {}
    for user in (*MEMBERS, "fay", "gus", "eve"):
        asked[f"room of {user}"] = store.rooms.room(app=app, room="r", user=user)
        if of_room_only:
            continue
        asked[f"badge of {user}"] = store.badges.badge(app=app, user=user, tags=[])
        asked[f"badge of {user} by tag"] = store.badges.badge(app=app, user=user, tags=TAGS[:1])
        asked[f"rooms of {user}"] = store.rooms.rooms_of(app=app, user=user)
    asked["members"] = store.rooms.members(app=app, room="r")
    for number in (1, 7, 16, 17, 30, 33, 36, 40, 41, 44):
        asked[f"message {number}"] = store.messages.message(app=app, room="r", message=f"m{number}")
        for which in Filter:
            asked[f"receipts of {number}, {which.value}"] = store.receipts.page(
                app=app, room="r", message=f"m{number}", which=which
            )
    told = {}
    for name, call in asked.items():
        try:
            answer = await call
            told[name] = sorted(answer) if name.startswith("rooms of") else answer
        except ReadStateError as error:
            told[name] = repr(error)
        except ScriptFailed as error:
            told[name] = f"{FAILED}{error}"
    return told


# Where these are damaged, nothing can be answered: what must be read is not there.
UNREADABLE = ("of a wrong type", "head: cut", "head: revision of the future")


async def audit(store: RedisStore, app: str, *, repair: bool) -> list[Drift]:
    found = await store.audit.audit_all(app=app, repair=repair)
    await store.outbox.idle()
    return found


# Both plans look with the same scripts, and differ in how what is mended reaches the copies.
CASES = [
    *(("atomic", kind) for kind in KINDS),
    *(pytest.param("split", kind, marks=pytest.mark.full if number % 3 else []) for number, kind in enumerate(KINDS)),
]


@pytest.mark.parametrize(
    ("plan_url", "kind"), CASES, indirect=["plan_url"], ids=lambda value: getattr(value, "name", value)
)
async def test_damage_is_found_and_mended(store: RedisStore, executor: Executor, app: str, kind: Kind) -> None:
    await busy_room(store, app)
    before = await answers(store, app)
    assert await audit(store, app, repair=False) == []
    await kind.plant(Planter(executor, app))
    if not any(one in kind.name for one in UNREADABLE):
        meanwhile = await answers(store, app, of_room_only=True)
        assert {name: answer for name, answer in meanwhile.items() if str(answer).startswith(FAILED)} == {}
        assert [number for number in numbers_in(list(meanwhile.values())) if number < 0] == []
    found = await audit(store, app, repair=False)
    assert found or kind.paid, "the audit finds nothing"
    names = [(drift.user, drift.room, drift.what) for drift in found]
    assert len(names) == len(set(names)), "a difference is said twice"
    mended = await audit(store, app, repair=True)
    assert mended or kind.paid
    assert [drift for drift in mended if not drift.mended] == []
    assert await audit(store, app, repair=False) == []
    after = await answers(store, app)
    assert {name: answer for name, answer in after.items() if str(answer).startswith(FAILED)} == {}
    if not kind.lost:
        assert {name: (before[name], after[name]) for name in before if before[name] != after[name]} == {}


@pytest.mark.parametrize(
    "plant",
    [
        record("ann", ordinal=5000),
        record("ann", cursor=5000),
        head(ordinal=3),
        on_user("HSET", "", "ta", 0),
        edit_side("", "", lambda sums: sums[:8] + bytes(4) + sums[12:]),  # the total
    ],
)
async def test_no_count_falls_below_0(store: RedisStore, executor: Executor, app: str, plant: Plant) -> None:
    """Of a member who has read more than was posted, as the store says, or whose counters are too
    low: in each answer, and in the copies and counters that are written from it.
    """
    await busy_room(store, app)
    await plant(Planter(executor, app))
    for message in ("later-1", "later-2"):
        await posted(store, app, message=message, sender="bob")
        await store.reading.mark_read(app=app, room="r", user="ann", message=message)
        await store.outbox.idle()
        told = await answers(store, app)
        copies = await executor.call(lua.copies(rooms=("r",)), Keys.user(app, "ann"))
        assert [copy for copy in copies if copy.unread < 0] == []
        assert [number for number in numbers_in(list(told.values())) if number < 0] == []


def numbers_in(value: object) -> Iterator[int]:
    """All numbers in an answer."""
    if isinstance(value, int):
        yield value
    elif isinstance(value, dict | msgspec.Struct):
        yield from numbers_in(list(value.values() if isinstance(value, dict) else msgspec.structs.astuple(value)))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from numbers_in(item)


def test_the_kinds_have_names_of_their_own() -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS) >= 61
