"""acknowledge.lua: single messages are read, and no cursor moves."""

import pytest

from readstate.errors import NotMember, RoomTooLarge, RoomUnknown
from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.redis_store import RedisStore
from tests.support.contents import contents, refused
from tests.support.receipts import whole_list
from tests.support.rooms import a_room, posted, unread_of

FOUR = ("ann", "bob", "cid", "dan")


async def a_room_with(store: RedisStore, app: str, *messages: str, members: tuple[str, ...] = FOUR) -> None:
    """Messages of ann's."""
    await a_room(store, app, members=members)
    for message in messages:
        await posted(store, app, message=message, sender="ann")


async def readers(store: RedisStore, app: str, message: str) -> list[str]:
    return [receipt.member for receipt in (await whole_list(store, app, "r", message)).readers]


async def acknowledge(store: RedisStore, app: str, user: str, *messages: str) -> list[str]:
    return await store.reading.acknowledge(app=app, room="r", user=user, messages=messages)


async def test_only_the_named_messages_are_read(store: RedisStore, app: str) -> None:
    """Those before and after are not, and unread stays what it is."""
    await a_room_with(store, app, "m1", "m2", "m3")
    assert await acknowledge(store, app, "bob", "m2") == ["m2"]
    assert [await readers(store, app, message) for message in ("m1", "m2", "m3")] == [[], ["bob"], []]
    assert (await store.receipts.receipt_counts(app=app, room="r", messages=["m2"]))[0].unread == 2  # type: ignore[union-attr]
    assert await unread_of(store, app, "bob") == 3
    me = (await store.rooms.room(app=app, room="r", user="bob")).me
    assert me is not None
    assert (me.cursor, me.has_read) == (0, False)


async def test_only_news_is_answered_in_the_order_asked(store: RedisStore, app: str) -> None:
    """Not what is one's own, unknown, deleted, recalled, read already in either way, from before
    one joined, or named twice.
    """
    await a_room_with(store, app, "old")
    await store.rooms.add_members(app=app, room="r", members=["eve"])
    for message in ("m1", "m2", "gone", "recalled", "m3", "m4"):
        await posted(store, app, message=message, sender="ann")
    await store.reading.mark_read(app=app, room="r", user="eve", message="m1")
    await store.messages.delete_message(app=app, room="r", message="gone")
    await store.messages.recall_message(app=app, room="r", message="recalled", body="{}")
    assert await acknowledge(store, app, "eve", "m3") == ["m3"]
    asked = ("m4", "old", "m1", "nothing", "gone", "recalled", "m3", "m2", "m4")
    assert await acknowledge(store, app, "eve", *asked) == ["m4", "m2"]
    assert await acknowledge(store, app, "ann", "m4") == []


async def test_whatever_members_are_called(store: RedisStore, app: str) -> None:
    """An id is never taken for anything else."""
    names = ("packed", "1", "joined", "member")
    await a_room_with(store, app, "m1", members=("ann", *names))
    for name in names:
        assert await acknowledge(store, app, name, "m1") == ["m1"]
        assert await acknowledge(store, app, name, "m1") == []
    assert await readers(store, app, "m1") == sorted(names)


async def test_the_earlier_of_both_times_is_told(store: RedisStore, executor: Executor, app: str) -> None:
    """Reading up to it later changes nothing, and nobody is counted twice."""
    await a_room_with(store, app, "m1", "m2")
    await acknowledge(store, app, "bob", "m1")
    (first,) = (await whole_list(store, app, "r", "m1")).readers
    await store.reading.mark_read(app=app, room="r", user="bob", message="m2")
    told = await whole_list(store, app, "r", "m1")
    assert told.readers == (first,)
    assert (told.read, told.unread, told.left) == (1, 2, 0)
    assert first.exact


async def test_who_leaves_is_still_a_reader_of_what_they_acknowledged(store: RedisStore, app: str) -> None:
    """As of what they read; also after coming back, and once only."""
    await a_room_with(store, app, "m1", "m2")
    await acknowledge(store, app, "bob", "m1")
    await acknowledge(store, app, "cid", "m1")
    await store.reading.mark_read(app=app, room="r", user="cid", message="m2")
    await store.rooms.remove_members(app=app, room="r", members=["bob", "cid"])
    for back in ([], ["bob", "cid"]):
        await store.rooms.add_members(app=app, room="r", members=back)
        told = await whole_list(store, app, "r", "m1")
        assert [(receipt.member, receipt.left) for receipt in told.readers] == [("bob", True), ("cid", True)]
        assert (told.read, told.unread, told.left) == (0, 1, 2)
    assert await acknowledge(store, app, "bob", "m1") == []


async def test_a_message_that_is_deleted_takes_its_acknowledgements_along(store: RedisStore, app: str) -> None:
    """Its receipts are unknown, and the others' are as they were."""
    await a_room_with(store, app, "m1", "m2")
    await acknowledge(store, app, "bob", "m1", "m2")
    await store.messages.delete_message(app=app, room="r", message="m1")
    assert (await store.receipts.receipt_counts(app=app, room="r", messages=["m1"])) == [None]
    assert await readers(store, app, "m2") == ["bob"]


async def test_acknowledgements_of_forgotten_messages_are_forgotten(
    store: RedisStore, executor: Executor, app: str
) -> None:
    """The store of these tests remembers a hundred messages."""
    await a_room_with(store, app, "m1", "m2")
    await acknowledge(store, app, "bob", "m1", "m2")
    for _ in range(256):
        await posted(store, app)
    key = Keys.room(app, "r")
    assert await executor.command("EXISTS", f"{key}:q", key=key) == 0


async def test_a_room_created_anew_has_none(store: RedisStore, app: str) -> None:
    """Nor has a message of the same id in it."""
    await a_room_with(store, app, "m1")
    await acknowledge(store, app, "bob", "m1")
    await store.rooms.delete_room(app=app, room="r")
    await a_room_with(store, app, "m1")
    assert await readers(store, app, "m1") == []


async def test_repeating_changes_nothing(store: RedisStore, app: str) -> None:
    """Not a byte, and nothing is new."""
    await a_room_with(store, app, "m1")
    await acknowledge(store, app, "bob", "m1")
    before = await contents(store, app)
    assert await acknowledge(store, app, "bob", "m1") == []
    assert await acknowledge(store, app, "bob") == []
    assert await contents(store, app) == before


@pytest.mark.parametrize("fanout_limit", [1])
async def test_above_the_fan_out_limit_it_is_the_same(store: RedisStore, app: str) -> None:
    """Up to 200 members."""
    await a_room_with(store, app, "m1")
    assert await acknowledge(store, app, "bob", "m1") == ["m1"]
    assert await readers(store, app, "m1") == ["bob"]


async def test_refusals_come_in_order_room_member_size(store: RedisStore, app: str) -> None:
    """A room of 200 members is small enough, a larger one is not."""
    await refused(store, app, RoomUnknown, acknowledge(store, app, "zoe", "m1"))
    crowd = tuple(f"p{number}" for number in range(199))
    await a_room_with(store, app, "m1", members=("ann", *crowd))
    await refused(store, app, NotMember, acknowledge(store, app, "zoe", "m1"))
    assert await acknowledge(store, app, "p1", "m1") == ["m1"]
    await store.rooms.add_members(app=app, room="r", members=["more"])
    await refused(store, app, RoomTooLarge, acknowledge(store, app, "p2", "m1"))
    await refused(store, app, NotMember, acknowledge(store, app, "zoe", "m1"))
