"""Exports and imports as files: what is refused, what is gone on with, and what a service that runs
meanwhile sees.
"""

import asyncio
import contextlib
import gzip
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from readstate.domain.receipts import Filter
from readstate.domain.transfer import EndLine, Line, MemberLine, MessageLine, RoomLine
from readstate.errors import Fault, NotMember
from readstate.store.exports import RedisExport
from readstate.store.redis_store import RedisStore, redis_store
from readstate.store.users import RedisUsers
from readstate.transfer.exporting import export_to
from readstate.transfer.files import TransferError, lines_of, read_lines
from tests.support.receipts import whole_list
from tests.support.rooms import a_room, posted
from tests.support.transfers import Breaking, bring_in, exported

AT_MS = 1_767_225_600_000
PAGE = Path(__file__).resolve().parents[2] / "docs" / "export-and-import.md"


def reader(path: Path) -> Iterator[tuple[int, Line]]:
    with path.open("rb") as file, contextlib.closing(lines_of(file)) as lines:
        yield from read_lines(lines)


def a_small_room(*people: MemberLine, messages: int = 2, **more: Any) -> list[Line]:
    sent = [MessageLine(seq=seq, id=f"m{seq}", at_ms=AT_MS + seq, sender="ann") for seq in range(1, messages + 1)]
    return [RoomLine("lobby", AT_MS, **more), *sent, *people, EndLine("lobby")]


async def test_the_example_of_the_page_is_what_it_says(store: RedisStore, app: str, tmp_path: Path) -> None:
    (block,) = re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)
    path = tmp_path / "small.jsonl"
    path.write_text(block)
    lines = [line for _, line in reader(path)]
    importing = await bring_in(store, lines[1:], app)
    assert importing.counted == {"rooms imported": 1}
    assert importing.whole
    (receipt,) = (await whole_list(store, app, "lobby", "m1", Filter.READ)).readers
    assert receipt.member == "ben", "the sender is no reader"
    members = await store.rooms.members(app=app, room="lobby")
    assert [(one.member, one.cursor, one.unread, one.last_read) for one in members] == [
        ("ann", 2, 0, "m2"),
        ("ben", 1, 1, None),
    ]
    assert await store.badges.badge(app=app, user="ben", tags=["support"]) == 1
    assert await store.audit.audit_all(app=app) == []


async def test_the_program_of_the_how_to_writes_what_was_read(store: RedisStore, app: str, tmp_path: Path) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", (PAGE.parent / "how-to" / "moving-in.md").read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(program, "moving-in.md", "exec"), names)
    lobby = {"id": "lobby", "tags": ["support"], "created": AT_MS}
    lobby["messages"] = [(f"m{number}", "ann", AT_MS + number) for number in (1, 2, 3)]
    lobby["members"] = [("ann", "m3", AT_MS + 3), ("ben", "m2", AT_MS + 9), ("cid", None, 0)]
    names["write"](tmp_path / "file", [lobby], {"ann": {"nickname": "Ann"}, "ben": {}, "cid": {}})
    importing = await bring_in(store, [line for _, line in reader(tmp_path / "file")][1:], app)
    assert (importing.counted, importing.whole) == ({"users": 3, "rooms imported": 1}, True)
    for user, unread in (("ann", 0), ("ben", 1), ("cid", 3)):
        assert await store.badges.badge(app=app, user=user, tags=["support"]) == unread
    (receipt,) = (await whole_list(store, app, "lobby", "m2", Filter.READ)).readers
    assert (receipt.member, receipt.at_ms, receipt.exact) == ("ben", AT_MS + 9, False)
    assert await store.audit.audit_all(app=app) == []


async def test_a_time_that_is_the_latest_possible_stays_so(store: RedisStore, app: str) -> None:
    ben = MemberLine("ben", (0, AT_MS), [(1, AT_MS + 5), (2, AT_MS + 9, False)], read=2)
    await bring_in(store, a_small_room(ben), app)
    for message, at_ms, exact in (("m1", AT_MS + 5, True), ("m2", AT_MS + 9, False)):
        (receipt,) = (await whole_list(store, app, "lobby", message, Filter.READ)).readers
        assert (receipt.member, receipt.at_ms, receipt.exact) == ("ben", at_ms, exact)


async def test_a_room_that_is_there_already_stays(store: RedisStore, app: str) -> None:
    await a_room(store, app, "lobby", members=["cid"])
    importing = await bring_in(store, a_small_room(MemberLine("ben", (0, AT_MS))), app)
    assert importing.counted == {"rooms there already": 1}
    assert [one.member for one in await store.rooms.members(app=app, room="lobby")] == ["cid"]


async def test_a_room_that_was_deleted_since_stays_deleted(store: RedisStore, app: str) -> None:
    """By an import that was broken off behind its messages."""
    lines = a_small_room(MemberLine("ben", (0, AT_MS)))
    for calls in range(1, 8):
        dying = redis_store(Breaking(store.rooms._executor, calls))  # type: ignore[arg-type]
        with contextlib.suppress(Fault):
            await bring_in(dying, lines, app)
        if await store.rooms.delete_room(app=app, room="lobby"):
            assert (await bring_in(store, lines, app)).counted == {"rooms deleted since": 1}
            return
    raise AssertionError("no import was broken off behind its messages")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (MemberLine("ben", (3, AT_MS)), "a cursor must be at most the last seq, 2"),
        (MemberLine("ben", (2, AT_MS), [(1, AT_MS)]), "must not go back"),
        (MemberLine("ben", (0, AT_MS), read=3), "room lobby, which begins in line 2: joined and read"),
        (MemberLine("ben", (2, AT_MS), ordinal=3), "ordinal must be at most"),
        (MemberLine("ben", (2, AT_MS), marked=3), "marked must be at most"),
        (MemberLine("..", (2, AT_MS)), "user must not be"),
        (MessageLine(2, "m9", AT_MS), "seq must rise"),
        (MessageLine(3, "m1", AT_MS), "comes twice"),
        (MessageLine(3, "m3", AT_MS, joined=4), "joined must be at most"),
    ],
)
async def test_a_line_that_cannot_be_is_refused_and_nothing_is_written(
    store: RedisStore, app: str, line: Any, words: str
) -> None:
    lines = a_small_room()
    with pytest.raises(TransferError, match=words):
        await bring_in(store, [*lines[:-1], line, lines[-1]], app)
    assert await exported(store.rooms._executor, app) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file is empty"),
        ("{", "line 1 is no line of an export"),
        ('{"type":"user","user":"ann"}', "the first line"),
        ('{"type":"readstate","version":2,"id":"x","app":"a","exported_ms":0}', "version 2"),
        ('{"type":"readstate","version":1,"id":"x","app":"a","exported_ms":0}\n{"type":"user"}', "line 2 is no line"),
        ('{"type":"readstate","version":1,"id":"x","app":"a","exported_ms":0}\n{"type":"us', "line 2.* is cut off"),
    ],
)
def test_a_file_that_is_no_export_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "file"
    path.write_text(text)
    with pytest.raises(TransferError, match=words):
        list(reader(path))


async def test_an_export_goes_on_behind_what_is_whole(store: RedisStore, app: str, tmp_path: Path) -> None:
    """Cut anywhere: what was whole is not written again, and at the end all is there."""
    await RedisUsers(store.rooms._executor).upsert_user(app=app, user="ann", profile={"name": b'"Ann"'})
    for room in ("one", "two"):
        await a_room(store, app, room)
        await posted(store, app, room, sender="ann")
    source = RedisExport(store.rooms._executor, app)
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert await export_to(whole, app, source, resume=False)
    assert not await export_to(whole, app, source, resume=True), "there was nothing to do"
    data = whole.read_bytes()
    expected = sorted(data.splitlines())
    for end in range(data.index(b"\n") + 1, len(data), 37):
        cut.write_bytes(data[:end])
        assert await export_to(cut, app, source, resume=True)
        assert sorted(cut.read_bytes().splitlines()) == expected
    with pytest.raises(TransferError, match="exists already"):
        await export_to(whole, app, source, resume=False)
    assert whole.stat().st_mode & 0o077 == 0, "it is readable by others"


async def test_a_gzipped_export_is_read_by_its_bytes(store: RedisStore, app: str, tmp_path: Path) -> None:
    await a_room(store, app)
    path = tmp_path / "all.gz"
    await export_to(path, app, RedisExport(store.rooms._executor, app), resume=False)
    assert json.loads(gzip.decompress(path.read_bytes()).splitlines()[0])["type"] == "readstate"
    assert len(list(reader(path))) == 6
    with pytest.raises(TransferError, match="gzipped"):
        await export_to(path, app, RedisExport(store.rooms._executor, app), resume=True)


@pytest.mark.parametrize("harm", [lambda data: data[:-9], lambda data: data[:20] + b"\xff" * 20 + data[40:]])
def test_a_gzipped_file_that_is_not_whole_is_refused(tmp_path: Path, harm: Callable[[bytes], bytes]) -> None:
    """Not with the words of the library alone, which tell nothing of the file."""
    path = tmp_path / "all.gz"
    path.write_bytes(harm(gzip.compress(b'{"type": "readstate", "version": 1, "id": "i", "app": "a"}\n' * 9, mtime=0)))
    with path.open("rb") as file, pytest.raises(TransferError, match="the gzipped file is cut off or damaged"):
        list(lines_of(file))


async def test_what_is_exported_while_members_post_and_read_holds_together(store: RedisStore, app: str) -> None:
    """Members come and go, too, and messages are deleted."""
    names = [f"p{number}" for number in range(5)]
    await a_room(store, app, members=names)
    going = True

    async def live(number: int) -> None:
        while going:
            sent = await posted(store, app, sender=names[number])
            with contextlib.suppress(NotMember):
                await store.reading.mark_read(app=app, room="r", user=names[number - 1], message=sent.message)
            if number == 0:
                await store.messages.delete_message(app=app, room="r", message=sent.message)
                await store.rooms.remove_members(app=app, room="r", members=["p1"])
                await store.rooms.add_members(app=app, room="r", members=["p1"])

    tasks = [asyncio.create_task(live(number)) for number in range(len(names))]
    try:
        for number in range(6):
            lines = await exported(store.rooms._executor, app)
            copy = f"{app}-{number}"
            assert (await bring_in(store, lines, copy)).counted == {"rooms imported": 1}
            assert await store.audit.audit_all(app=copy) == []
            assert await exported(store.rooms._executor, copy) == lines
            await asyncio.sleep(0.02)
    finally:
        going = False
        await asyncio.gather(*tasks)


async def test_a_client_sees_nothing_of_a_room_before_it_is_in_its_place(store: RedisStore, app: str) -> None:
    """And what it posts then into the room finds the members who have come."""
    seen: list[int] = []
    lines = a_small_room(*(MemberLine(f"p{number}", (0, AT_MS)) for number in range(120)))

    async def look() -> None:
        while len(seen) < 3 or seen[-1] < 120:
            rooms = await store.rooms.room_summary_each(app=app, rooms=["lobby"], user="p0")
            members = (await store.rooms.members_each(app=app, rooms=["lobby"], limit=1000))[0]
            assert {one.unread for one in members} <= {2}
            seen.append(len(members) if rooms[0] else 0)
            await asyncio.sleep(0)

    await asyncio.gather(look(), bring_in(store, lines, app))
    await posted(store, app, "lobby", sender="p0")
    for user, unread in (("p0", 0), ("p119", 3)):
        assert await store.badges.badge(app=app, user=user, tags=()) == unread
    assert await store.audit.audit_all(app=app) == []
