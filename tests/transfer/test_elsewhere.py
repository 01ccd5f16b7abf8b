"""What other products have stored: dumps of Rocket.Chat, bulk exports of Mattermost."""

import contextlib
import gzip
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from readstate.domain.direct import direct_room
from readstate.domain.receipts import Filter
from readstate.domain.transfer import Line
from readstate.store.imports import RedisImport
from readstate.store.redis_store import RedisStore
from readstate.transfer.bson import BsonError, read_documents
from readstate.transfer.files import TransferError
from readstate.transfer.importing import Import
from readstate.transfer.mattermost import read_mattermost
from readstate.transfer.rocketchat import read_rocketchat
from tests.support.bson import At, encoded
from tests.support.receipts import whole_list
from tests.support.rooms import posted, unread_of

AT_MS = 1_767_225_600_000
HISTORY = 1000

# Of every type, written by PyMongo 4.
EVERY_TYPE = bytes.fromhex(
    "1d010000075f6964000123456789abcdef012345670274657874000900000068c3a4c39f2000780001666c6f617400000000"
    "000000f83f10696e740007000000126c6f6e67000000000000010000097768656e0005a8da769b010000087965730001086e"
    "6f00000a6e6f6e650003696e00250000000461001d000000103000010000000331000e000000026200020000006300000000"
    "0b726567657800612b0069000562797465730002000000050102117374616d7000020000000100000013646563696d616c00"
    "0f000000000000000000000000003e300d636f64650004000000783d31000f73636f70656400160000000200000078000c00"
    "00001079000100000000ff6d696e007f6d61780002656e6400050000006c6173740000"
)


async def bring_in(store: RedisStore, lines: Iterator[Line], app: str) -> Import:
    importing = Import(RedisImport(store.rooms._executor, store.outbox, store.bounds, app=app, source="elsewhere"))
    await importing.run(enumerate(lines, 1))
    await store.outbox.idle()
    return importing


async def receipts(store: RedisStore, app: str, room: str, message: str) -> dict[str, tuple[int, bool]]:
    """Of each reader the time after AT_MS, and whether it is exact."""
    page = await whole_list(store, app, room, message, Filter.READ)
    return {one.member: (one.at_ms - AT_MS, one.exact) for one in page.readers}


def test_every_type_of_bson_is_read_or_passed_over() -> None:
    (document,) = read_documents(io.BytesIO(EVERY_TYPE))
    assert {name: value for name, value in document.items() if value is not None} == {
        "_id": "0123456789abcdef01234567",
        "text": "häß \0x",
        "float": 1.5,
        "int": 7,
        "long": 2**40,
        "when": AT_MS + 5,
        "yes": True,
        "no": False,
        "in": {"a": [1, {"b": "c"}]},
        "end": "last",
    }


def test_bytes_that_are_no_bson_are_refused() -> None:
    """Cut off or changed anywhere: an error of ours, or another document."""
    for end in range(1, len(EVERY_TYPE)):
        with pytest.raises(BsonError):
            list(read_documents(io.BytesIO(EVERY_TYPE[:end])))
    for place in range(len(EVERY_TYPE)):
        changed = EVERY_TYPE[:place] + bytes([EVERY_TYPE[place] ^ 0xFF]) + EVERY_TYPE[place + 1 :]
        with contextlib.suppress(BsonError):
            list(read_documents(io.BytesIO(changed)))


def a_dump(directory: Path, *, zipped: bool = False, **collections: Sequence[Mapping[str, Any]]) -> Path:
    """ann, ben and cid in a channel: three messages, a thread's reply, one about cid's joining."""
    ids = {"ann": "annIdOfRocketCha", "ben": "benIdOfRocketCha", "cid": "cidIdOfRocketCha"}
    everything: dict[str, Sequence[Mapping[str, Any]]] = {
        "users": [{"_id": ids[name], "username": name, "name": name.title()} for name in ids],
        "rocketchat_room": [{"_id": "GENERAL", "t": "c", "name": "general", "ts": At(AT_MS)}],
        "rocketchat_subscription": [
            {"_id": "s1", "rid": "GENERAL", "u": {"_id": "ann"}, "ts": At(AT_MS), "ls": At(AT_MS + 50)},
            {"_id": "s2", "rid": "GENERAL", "u": {"_id": "ben"}, "ts": At(AT_MS), "ls": At(AT_MS + 25)},
            {"_id": "s3", "rid": "GENERAL", "u": {"_id": "cid"}, "ts": At(AT_MS + 15)},
            {"_id": "s4", "rid": "gone", "u": {"_id": "cid"}, "ts": At(AT_MS + 15)},
        ],
        "rocketchat_message": [
            {"_id": "m2", "rid": "GENERAL", "ts": At(AT_MS + 20), "u": {"_id": "ann"}, "msg": "two"},
            {"_id": "m1", "rid": "GENERAL", "ts": At(AT_MS + 10), "u": {"_id": "ann"}, "msg": "one"},
            {"_id": "m3", "rid": "GENERAL", "ts": At(AT_MS + 30), "u": {"_id": "ann"}, "msg": "three"},
            {"_id": "m4", "rid": "GENERAL", "ts": At(AT_MS + 40), "u": {"_id": "ann"}, "tmid": "m1"},
            {"_id": "uj", "rid": "GENERAL", "ts": At(AT_MS + 15), "u": {"_id": "cid"}, "t": "uj"},
            {"_id": "h1", "rid": "GENERAL", "ts": At(AT_MS + 12), "u": {"_id": "ann"}, "_hidden": True},
        ],
        "rocketchat_read_receipts": [
            {"_id": "m1ben", "roomId": "GENERAL", "userId": "ben", "messageId": "m1", "ts": At(AT_MS + 12)}
        ],
        **collections,
    }
    for name, documents in everything.items():
        data = b"".join(map(encoded, documents))
        path = directory / f"{name}.bson{'.gz' if zipped else ''}"
        path.write_bytes(gzip.compress(data) if zipped else data)
    return directory


@pytest.mark.parametrize("zipped", [False, True])
async def test_a_dump_of_rocketchat_is_brought_in(store: RedisStore, app: str, tmp_path: Path, zipped: bool) -> None:
    importing = await bring_in(store, read_rocketchat(a_dump(tmp_path, zipped=zipped), app, HISTORY), app)
    assert importing.counted == {"users": 3, "rooms imported": 1}
    assert {user: await unread_of(store, app, user, "GENERAL") for user in ("ann", "ben", "cid")} == {
        "ann": 0,
        "ben": 1,
        "cid": 2,
    }
    room = await store.rooms.room(app=app, room="GENERAL", user="cid")
    assert room.last is not None
    assert room.last.message == "m3", "a reply in a thread is shown as the last message"
    assert room.profile == {"t": b'"c"', "name": b'"general"'}
    assert await receipts(store, app, "GENERAL", "m1") == {"ben": (12, True)}
    assert await receipts(store, app, "GENERAL", "m2") == {"ben": (25, False)}
    page = await whole_list(store, app, "GENERAL", "m1", Filter.UNREAD)
    assert page.non_readers == (), "who joined later has nothing to do with it"
    assert await store.audit.audit_all(app=app) == []
    await posted(store, app, "GENERAL", sender="ben")
    assert await store.badges.badge(app=app, user="cid", tags=()) == 3


def test_a_directory_that_is_no_dump_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TransferError, match=r"has no users\.bson"):
        list(read_rocketchat(tmp_path, "default", HISTORY))
    a_dump(tmp_path)
    (tmp_path / "rocketchat_room.bson").write_bytes(b"no document")
    with pytest.raises(TransferError, match=r"rocketchat_room\.bson: .* is no size"):
        list(read_rocketchat(tmp_path, "default", HISTORY))


def test_a_gzipped_dump_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    users = next(a_dump(tmp_path, zipped=True).glob("users.bson.gz"))
    users.write_bytes(users.read_bytes()[:-9])
    with pytest.raises(TransferError, match=r"users\.bson\.gz: the gzipped file is cut off"):
        list(read_rocketchat(tmp_path, "default", HISTORY))


def a_bulk_export() -> list[bytes]:
    """A channel of three posts and a reply, a one-to-one channel and a group."""
    viewed = {"ann": AT_MS + 50, "ben": AT_MS + 15, "cid": 0}
    users = [
        {
            "username": name,
            "first_name": name.title(),
            "teams": [{"name": "core", "channels": [{"name": "town", "last_viewed_at": viewed[name]}]}],
        }
        for name in viewed
    ]
    reply = {"user": "ben", "create_at": AT_MS + 15, "message": "re"}
    posts = [
        {"team": "core", "channel": "town", "user": "ann", "create_at": AT_MS + 10, "replies": [reply]},
        {"team": "core", "channel": "town", "user": "ann", "create_at": AT_MS + 20},
        {"team": "core", "channel": "town", "user": "cid", "create_at": AT_MS + 5, "type": "system_join_channel"},
    ]
    pair, group = ["ben", "ann"], ["ann", "ben", "cid"]
    participants = [{"username": "ann", "last_viewed_at": AT_MS + 1}, {"username": "ben", "last_viewed_at": AT_MS + 9}]
    return [
        json.dumps(line).encode()
        for line in (
            {"type": "version", "version": 1},
            {"type": "team", "team": {"name": "core"}},
            {"type": "channel", "channel": {"team": "core", "name": "town", "display_name": "Town", "type": "O"}},
            *({"type": "user", "user": user} for user in users),
            *({"type": "post", "post": post} for post in posts),
            {"type": "direct_channel", "direct_channel": {"members": pair, "participants": participants}},
            {"type": "direct_channel", "direct_channel": {"members": group}},
            {"type": "direct_post", "direct_post": {"channel_members": pair, "user": "ben", "create_at": AT_MS + 7}},
            {"type": "direct_post", "direct_post": {"channel_members": group, "user": "cid", "create_at": AT_MS + 8}},
        )
    ]


async def test_a_bulk_export_of_mattermost_is_brought_in(store: RedisStore, app: str) -> None:
    importing = await bring_in(store, read_mattermost(a_bulk_export(), app, HISTORY), app)
    assert importing.counted == {"users": 3, "rooms imported": 3}
    town, pair = "core:town", direct_room("ann", "ben")
    assert {user: await unread_of(store, app, user, town) for user in ("ann", "ben", "cid")} == {
        "ann": 0,
        "ben": 1,
        "cid": 3,
    }
    assert {user: await unread_of(store, app, user, pair) for user in ("ann", "ben")} == {"ann": 1, "ben": 0}
    for user, badge in (("ann", 1), ("ben", 1), ("cid", 3)):
        assert await store.badges.badge(app=app, user=user, tags=()) == badge, "in a group nothing is unread"
    assert await store.badges.badge(app=app, user="ben", tags=["core"]) == 1
    room = await store.rooms.room(app=app, room=town, user="ann")
    assert room.last is not None
    assert await receipts(store, app, town, room.last.message) == {}, "its author alone has read it"
    first = (await store.rooms.members(app=app, room=town))[1].last_read
    assert first is not None
    assert await receipts(store, app, town, first) == {"ann": (50, False)}, "ben's reply"
    assert await store.audit.audit_all(app=app) == []


def test_a_file_that_is_no_bulk_export_is_refused() -> None:
    for line in (b"no", b'{"type": "post", "post": {"user": "ann"}}'):
        with pytest.raises(TransferError, match="line 1 is no line of a bulk export"):
            list(read_mattermost([line], "default", HISTORY))
    with pytest.raises(TransferError, match="version 2"):
        list(read_mattermost([b'{"type": "version", "version": 2}'], "default", HISTORY))


async def test_of_a_long_room_the_newest_messages_are_kept(store: RedisStore, app: str) -> None:
    """Counts are right all the same, where it is known up to where a member has read."""
    viewed = {"ann": AT_MS + 95, "ben": AT_MS + 30, "cid": 0}
    lines = [
        json.dumps(
            {
                "type": "user",
                "user": {
                    "username": name,
                    "teams": [{"name": "core", "channels": [{"name": "town", "last_viewed_at": at_ms}]}],
                },
            }
        ).encode()
        for name, at_ms in viewed.items()
    ] + [
        json.dumps(
            {"type": "post", "post": {"team": "core", "channel": "town", "user": "dan", "create_at": AT_MS + number}}
        ).encode()
        for number in reversed(range(1, 101))
    ]
    await bring_in(store, read_mattermost(lines, app, 20), app)
    assert {user: await unread_of(store, app, user, "core:town") for user in viewed} == {
        "ann": 5,
        "ben": 20,  # of those that are remembered
        "cid": 100,
    }
    assert await store.audit.audit_all(app=app) == []
