"""post.lua: one more unread for everybody but the poster."""

import re

from service.errors import NotMember, RoomUnknown
from service.store.redis_store import RedisStore
from tests.support.contents import contents, refused
from tests.support.rooms import a_room, posted, unread_of


async def test_a_message_is_unread_for_all_but_its_poster(store: RedisStore, app: str) -> None:
    """The poster's own cursor moves to it, and that is a real read."""
    await a_room(store, app, tags=["a"])
    post = await posted(store, app, message="m", sender="ann")
    assert (post.message, post.seq, post.ordinal, post.created) == ("m", 1, 1, True)
    me = (await store.room(app=app, room="r", user="ann")).me
    assert me is not None
    assert (me.cursor, me.unread, me.last_read) == (1, 0, "m")
    assert [await store.badge(app=app, user=user, tags=["a"]) for user in ("ann", "bob")] == [0, 1]


async def test_posting_reads_everything_before_it(store: RedisStore, app: str) -> None:
    """Who answers has seen what they answer to."""
    await a_room(store, app)
    await posted(store, app)
    await posted(store, app, sender="ann")
    assert [await unread_of(store, app, user) for user in ("ann", "bob")] == [0, 2]


async def test_a_message_that_does_not_count_takes_a_position_and_no_ordinal(store: RedisStore, app: str) -> None:
    """Reactions and the like are unread for nobody."""
    await a_room(store, app)
    post = await posted(store, app, countable=False)
    assert (post.seq, post.ordinal) == (1, 0)
    assert await unread_of(store, app, "ann") == 0


async def test_a_known_id_changes_nothing_and_is_answered_with_its_place(store: RedisStore, app: str) -> None:
    """Also after it was deleted, and whatever else the repetition says."""
    await a_room(store, app)
    first = await posted(store, app, message="m")
    await posted(store, app)
    await store.delete_message(app=app, room="r", message="m")
    before = await contents(store, app)
    again = await posted(store, app, message="m", sender="bob", countable=False)
    assert (again.message, again.seq, again.ordinal, again.at_ms, again.created) == ("m", first.seq, first.ordinal, first.at_ms, False)
    assert await contents(store, app) == before


async def test_ids_of_ours_rise_as_strings_within_a_room(store: RedisStore, app: str) -> None:
    """24 lower-case hex."""
    await a_room(store, app)
    made = [(await posted(store, app)).message for _ in range(20)]
    assert made == sorted(set(made))
    assert all(re.fullmatch("[0-9a-f]{24}", message) for message in made)


async def test_ids_that_look_like_numbers_stay_strings(store: RedisStore, app: str) -> None:
    """Two 19-digit ids that are equal as doubles are two messages."""
    await a_room(store, app, members=["1e15", "0x10"])
    for message in ("1234567890123456789", "1234567890123456790", "1e15", "1000000000000000", " 12 ", "nan"):
        assert (await posted(store, app, message=message, sender="1e15")).created
    assert [await unread_of(store, app, user) for user in ("1e15", "0x10")] == [0, 6]


async def test_a_sender_who_is_not_a_member_has_no_cursor(store: RedisStore, app: str) -> None:
    """A message by the system or an outsider counts for every member."""
    await a_room(store, app)
    await posted(store, app, sender="zoe")
    assert [await unread_of(store, app, user) for user in ("ann", "bob")] == [1, 1]
    assert await store.rooms(app=app, user="zoe") == []


async def test_a_stranger_is_refused_where_senders_must_be_members(store: RedisStore, app: str) -> None:
    """Even if the id is known already."""
    await a_room(store, app)
    await posted(store, app, message="m")
    for message in ("m", "new", ""):
        call = store.post(app=app, room="r", sender="zoe", message=message, countable=True, body="{}", sender_must_be_member=True)
        await refused(store, app, NotMember, call)


async def test_a_room_that_does_not_exist_is_refused(store: RedisStore, app: str) -> None:
    """Nothing is written."""
    await refused(store, app, RoomUnknown, posted(store, app, room="nowhere"))
