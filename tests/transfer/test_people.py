"""People: everything that tells of a user is found, shown, and gone after an erasure."""

import time
from typing import Any

import pytest

from readstate.domain.direct import direct_room
from readstate.domain.identity import IssuedToken
from readstate.domain.personal_data import CopyLine, EventLine, TokenLine
from readstate.domain.transfer import EndLine, MemberLine, MessageLine, RoomLine, StayLine, UserLine
from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.person import RedisPerson
from readstate.store.redis_store import RedisStore, redis_store
from readstate.store.remnants import remnants
from readstate.store.throttle import RedisThrottle
from readstate.store.tokens import RedisTokens
from readstate.store.users import RedisUsers
from tests.support.rooms import a_room, posted
from tests.support.transfers import Breaking
from tests.transfer.test_erasure import people_of

ENDS_S = int(time.time()) + 3600


async def a_life(store: RedisStore, app: str, user: str) -> None:
    """Something of every kind that is stored of a user."""
    executor = store.rooms._executor
    with_events = redis_store(executor, events=True)
    await RedisUsers(executor).upsert_user(app=app, user=user, profile={"name": b'"x"'})
    tokens = RedisTokens(executor)
    await tokens.remember_token(app=app, user=user, token_id=f"t{user}", created_ms=1, expires_s=ENDS_S)
    bound = IssuedToken("custom", f"b{user}", 1, ENDS_S, bound=True)
    await tokens.bind_token(app=app, user=user, digest=f"d{user}", token=bound, generation=0)
    await tokens.revoke_tokens(app=app, user=user, token_id=f"t{user}")
    await RedisThrottle(executor).hit_rate_limit(app=app, what=f"read:{user}", limit=5, window_ms=60_000)
    await a_room(store, app, f"room of {len(user)}", members=["ann", user])
    room = f"room of {len(user)}"
    first, second = [(await posted(store, app, room, sender="ann")).message for _ in range(2)]
    await store.reading.acknowledge(app=app, room=room, user=user, messages=[second])
    await with_events.reading.mark_read(app=app, room=room, user=user, message=first)
    await posted(store, app, room, sender=user)
    await store.reading.mark_unread(app=app, room=room, user=user, message="")
    await a_room(store, app, f"closed to {len(user)}", members=["ann"])
    await store.rooms.invite(app=app, room=f"closed to {len(user)}", users=[user])
    await store.outbox.idle()


async def found(executor: Executor, app: str, user: str) -> set[str]:
    return {remnant async for remnant in remnants(executor, app, user)}


@pytest.mark.parametrize("user", ["bob", "b" * 97, "b*[b]\\?^-ü"])
async def test_every_place_that_tells_of_a_user_is_found_and_cleared(store: RedisStore, app: str, user: str) -> None:
    """Of them alone: not of a user with a longer name, and not in another app."""
    executor = store.rooms._executor
    for name in (user, user + "by"):
        await a_life(store, app, name)
    await a_life(store, f"{app}-2", user)
    before = {one: await found(executor, *one) for one in ((app, user + "by"), (f"{app}-2", user))}
    told = await found(executor, app, user)
    room = Keys.room(app, f"room of {len(user)}")
    side = Keys.user(app, user)
    in_room = (f"{room} {user}", f"{room}:q 2", f"{room}:l s0", f"{room}:u {user}")
    assert told.issuperset((side, f"{side}:p", f"{side}:t", *in_room))
    assert any(place.startswith(Keys.bound_token(app, f"d{user}")) for place in told)
    assert any(place.startswith(Keys.revocations(app)) for place in told)
    assert any(place.startswith("{w:") for place in told)
    assert any(place.startswith("{q:") for place in told)
    assert any(":n" in place for place in told)
    await people_of(store, app).erase(user, None, lambda _: None)
    assert await found(executor, app, user) == set()
    assert {one: await found(executor, *one) for one in before} == before
    assert await store.audit.audit_all(app=app) == []
    assert user not in [one async for one in people_of(store, app).users()]


async def test_what_a_user_is_shown_is_theirs_alone(store: RedisStore, app: str) -> None:
    await a_life(store, app, "bob")
    person = RedisPerson(store.rooms._executor, app, "bob")
    assert await person.exists()
    assert not await RedisPerson(store.rooms._executor, app, "none").exists()
    lines = [line async for line in person.everything()]
    kinds = [type(line) for line in lines]
    assert [kind for kind in kinds if kind in (UserLine, TokenLine, CopyLine)] == [UserLine, TokenLine, CopyLine]
    assert kinds.count(RoomLine) == 2, "the room, and the one that they are invited to"
    assert [line.user for line in lines if isinstance(line, MemberLine)] == ["bob"]
    sent = [line for line in lines if isinstance(line, MessageLine)]
    assert [(line.seq, line.sender, bool(line.acknowledged)) for line in sent] == [(2, "", True), (3, "bob", False)]
    assert "ann" not in repr(lines)
    assert EventLine not in kinds, "what no deliverer has taken yet is in no list"


@pytest.mark.parametrize("user", ["1", "s0"])
async def test_a_short_id_is_not_taken_for_what_else_is_stored(store: RedisStore, app: str, user: str) -> None:
    """Numbers, ids of messages and rooms, tags."""
    await a_room(store, app, user, members=["ann", "cat"])
    await a_room(store, app, members=["ann", "cat", user], tags=[user])
    sent = [(await posted(store, app, message=f"{number}")).message for number in range(40)]
    for message in sent:
        await store.reading.mark_read(app=app, room="r", user="cat", message=message)
    await store.reading.acknowledge(app=app, room="r", user="cat", messages=sent[:2])
    await store.messages.delete_message(app=app, room="r", message=sent[2])
    await store.rooms.remove_members(app=app, room="r", members=["cat"])
    await RedisThrottle(store.rooms._executor).hit_rate_limit(app=app, what="read:ann", limit=5, window_ms=60_000)
    assert await found(store.rooms._executor, app, user)
    await people_of(store, app).erase(user, None, lambda _: None)
    assert await found(store.rooms._executor, app, user) == set()


async def test_traces_tell_nothing_of_other_apps(store: RedisStore, app: str) -> None:
    """Neither their names nor what is in lists that all apps share."""
    executor, other = store.rooms._executor, f"{app}-2"
    pending = Keys.pending_rooms(0)
    await executor.command("HSET", Keys.generations, other, 1, key=Keys.generations)
    for whose, peer in ((app, "cat"), (other, "dan")):
        await executor.command("ZADD", pending, 1, f"{whose}:{direct_room('ann', peer)}", key=pending)
    try:
        assert await found(executor, app, other) == set()
        assert await found(executor, app, "dan") == set()
        assert await found(executor, app, "cat") == {f"{pending} {app}:{direct_room('ann', 'cat')}"}
    finally:
        await executor.command("HDEL", Keys.generations, other, key=Keys.generations)
        await executor.command("DEL", pending, key=pending)


async def test_an_export_of_a_user_reads_no_other_members(store: RedisStore, app: str) -> None:
    """And counts what it looks at: all messages, those who have left, and the user's own moves.

    Eight calls are enough for all of that.
    """
    others = [f"o{number}" for number in range(300)]
    await a_room(store, app, members=["bob", *others])
    message = (await posted(store, app)).message
    for user in ("bob", *others[:20]):
        await store.reading.mark_read(app=app, room="r", user=user, message=message)
    await store.rooms.remove_members(app=app, room="r", members=["bob"])
    await store.rooms.add_members(app=app, room="r", members=["bob"])
    await store.rooms.remove_members(app=app, room="r", members=others[:20])
    few: Any = Breaking(store.rooms._executor, 8)
    lines, seq, looked_at = await RedisPerson(few, app, "bob")._of_room("r", 0, 100)
    assert [type(line) for line in lines] == [RoomLine, MemberLine, StayLine, EndLine]
    assert not seq
    assert looked_at >= 1 + 2 * 20, "the message, and the records and stays of those who have left"


async def test_erasing_an_unknown_user_does_nothing(store: RedisStore, app: str) -> None:
    await a_life(store, app, "bob")
    before = await found(store.rooms._executor, app, "bob")
    await people_of(store, app).erase("bo", None, lambda _: None)
    assert await found(store.rooms._executor, app, "bob") == before
