"""A slot that moves to another node of the cluster, key by key, while its rooms are used.

docs/decisions/0019-slots-that-move.md says why nothing is lost. A call that cannot be done
meanwhile is refused with nothing done, and its repeat works.
"""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import redis

from readstate.errors import RoomUnknown, Unavailable
from readstate.store import cluster as cluster_module
from readstate.store.connect import connect
from readstate.store.executor import Executor
from readstate.store.keys import Keys, OfRoom
from readstate.store.redis_store import RedisStore, redis_store
from tests.support.calls import SETTINGS, plain_call
from tests.support.moving import Move, moving, names_in, owner_of, slot_of
from tests.support.rooms import a_room, posted, unread_of
from tests.support.servers import Cluster


@pytest_asyncio.fixture
async def executor(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Executor]:
    monkeypatch.setattr(cluster_module, "DEADLINE_S", 0.2)
    executor = await connect(cluster.url)
    yield executor
    await executor.close()


@pytest.fixture
def store(executor: Executor) -> RedisStore:
    return redis_store(executor, message_history=100)


async def settled(store: RedisStore, app: str) -> None:
    """Ann and bo are in a room with the messages m0 to m4, of which bo has read two."""
    await a_room(store, app, members=["ann", "bo"])
    for number in range(5):
        await posted(store, app, message=f"m{number}")
    await store.reading.mark_read(app=app, room="r", user="bo", message="m1")
    await store.outbox.idle()


async def check(store: RedisStore, app: str, messages: int) -> None:
    """Every count of the room is right, and every message is known."""
    await store.outbox.idle()
    assert await unread_of(store, app, "ann") == messages
    assert await store.badges.badge(app=app, user="ann") == messages
    for number in range(messages):
        await store.messages.message(app=app, room="r", message=f"m{number}")


async def test_nothing_is_done_while_a_slot_is_on_its_way(cluster: Cluster, store: RedisStore, app: str) -> None:
    """Also when it is called off before a key has moved."""
    await settled(store, app)
    move = Move(cluster, slot_of(Keys.room(app, "r")))
    move.begin()
    before = contents(move)
    with pytest.raises(Unavailable):
        await posted(store, app, message="m5")
    with pytest.raises(Unavailable):
        await store.reading.mark_read(app=app, room="r", user="bo", message="m4")
    assert contents(move) == before
    move.call_off()
    await posted(store, app, message="m5")
    assert (await store.reading.mark_read(app=app, room="r", user="bo", message="m4")).unread == 1
    await check(store, app, 6)


def contents(move: Move) -> dict[bytes, bytes]:
    """Of the keys that are still at the source."""
    with move.source.client() as client:
        return {key: client.dump(key) for key in move.keys_left()}


@pytest.mark.parametrize("first", ["", OfRoom.MESSAGE_LOG])
async def test_a_room_in_two_parts_is_left_alone_and_a_repeat_works(
    cluster: Cluster, store: RedisStore, app: str, first: str
) -> None:
    await settled(store, app)
    key = Keys.room(app, "r")
    with moving(cluster, key) as move:
        move.move(key + first)
        for _ in range(2):
            with pytest.raises(Unavailable):
                await posted(store, app, message="m5")
            with pytest.raises(Unavailable):
                await store.reading.mark_read(app=app, room="r", user="bo", message="m4")
    await posted(store, app, message="m5")
    assert (await store.reading.mark_read(app=app, room="r", user="bo", message="m4")).unread == 1
    await check(store, app, 6)


async def test_a_user_in_two_parts_is_left_alone_and_a_debt_is_paid(
    cluster: Cluster, store: RedisStore, app: str
) -> None:
    """Who is told of a message has a part of their side on either node."""
    await settled(store, app)
    await store.badges.badge(app=app, user="ann")
    await a_room(store, app, "tagged", members=["ann"], tags=["t"])
    with moving(cluster, Keys.user(app, "ann")) as move:
        move.move(Keys.user(app, "ann"))
        with pytest.raises(Unavailable):
            await store.badges.badge(app=app, user="ann", tags=["t"])
    await posted(store, app, message="m5")
    await check(store, app, 6)


async def test_what_has_moved_as_a_whole_is_used_at_its_new_node(cluster: Cluster, store: RedisStore, app: str) -> None:
    """Although the slot stays open; what is new is made there, and the functions are loaded."""
    await settled(store, app)
    slot = slot_of(Keys.room(app, "r"))
    (other,) = names_in(slot, Keys.room(app, "*"), 1)
    with moving(cluster, Keys.room(app, "r")) as move:
        move.move_all(at_once=1)
        with move.target.client() as client:
            client.execute_command("FUNCTION", "FLUSH")
        await posted(store, app, message="m5")
        await a_room(store, app, other, members=["cy"])
        await posted(store, app, other, message="m")
        assert await unread_of(store, app, "cy", other) == 1
        with pytest.raises(RoomUnknown):
            await posted(store, app, names_in(slot, Keys.room(app, "*"), 2)[1], message="m")
    await check(store, app, 6)


async def test_a_call_that_comes_late_is_not_run_on_a_part(
    cluster: Cluster, store: RedisStore, executor: Executor, app: str
) -> None:
    """It was sent after a first move, and meets the slot on its way to a third node."""
    await settled(store, app)
    key = Keys.room(app, "r")
    with moving(cluster, key):
        pass
    call = plain_call("mark_unread", app, "bo", "", SETTINGS)
    with moving(cluster, key) as move:
        move.move(key + OfRoom.MESSAGE_LOG)
        before = contents(move)
        with move.source.client() as client:
            connection = client.connection_pool.get_connection()
            connection.send_command("ASKING")
            connection.read_response()
            connection.send_command("FCALL", executor.scripts[call.script].function, 1, key, *call.args)
            with pytest.raises(redis.ResponseError, match="SLOT_MOVES"):
                connection.read_response()
        assert contents(move) == before
    await check(store, app, 5)


async def test_a_large_room_is_deleted_when_its_slot_has_moved(cluster: Cluster, executor: Executor, app: str) -> None:
    """Deleting one renames a key, which the node refuses to which the slot moves."""
    store = redis_store(executor, fanout_limit=8)
    people = [f"p{number}" for number in range(150)]
    await a_room(store, app, members=people)
    await posted(store, app, message="m")
    with moving(cluster, Keys.room(app, "r")) as move:
        move.move_all(at_once=10)
        with pytest.raises(Unavailable):
            await store.rooms.delete_room(app=app, room="r")
        assert await unread_of(store, app, "p0") == 1
    await store.rooms.delete_room(app=app, room="r")
    await store.outbox.idle()
    assert [await store.badges.badge(app=app, user=one) for one in people[:3]] == [0, 0, 0]


async def test_nodes_that_name_each_other_are_waited_for(cluster: Cluster, store: RedisStore, app: str) -> None:
    """The old owner has given the slot up, and the new one has not heard of it."""
    await settled(store, app)
    move = Move(cluster, slot_of(Keys.room(app, "r")))
    move.begin()
    move.move_all(at_once=10)
    move.give_up()
    try:
        await posted(store, app, message="m5")
    except Unavailable:
        pass
    else:  # only if the new one has heard of it meanwhile
        assert owner_of(cluster, move.slot) is move.target
    move.finish()
    await posted(store, app, message="m5")
    await check(store, app, 6)


async def test_a_question_is_answered_as_far_as_the_keys_are_there(
    cluster: Cluster, store: RedisStore, app: str
) -> None:
    """Where one is missing, which may have moved, the answer is neither an error nor wrong."""
    await settled(store, app)
    with moving(cluster, Keys.room(app, "r")):
        assert (await store.messages.message(app=app, room="r", message="m1")).seq == 2
        with pytest.raises(Unavailable):
            await store.rooms.room(app=app, room="r")  # it has no profile
    await check(store, app, 5)
