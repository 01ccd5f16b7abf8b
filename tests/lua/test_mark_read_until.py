"""mark_read_until.lua: reading up to a time.

Late messages of one-to-one conversations were read before they came.
"""

import pytest

from readstate.domain.messages import Posted
from readstate.domain.reading import MarkedRead
from readstate.errors import NotMember, RoomUnknown
from readstate.store.redis_store import RedisStore
from tests.support.contents import contents, refused
from tests.support.receipts import whole_list
from tests.support.rooms import a_room, posted, unread_of

LONG_AGO = 1_000_000_000_000  # Unix ms


async def sent(
    store: RedisStore, app: str, message: str, sent_ms: int, *, sender: str = "bob", countable: bool = True
) -> Posted:
    """A message whose poster says when it was sent."""
    return await posted(store, app, message=message, sender=sender, countable=countable, sent_ms=sent_ms, by_time=True)


async def until(store: RedisStore, app: str, until_ms: int, user: str = "ann") -> MarkedRead | None:
    return await store.reading.mark_read_until(app=app, room="r", user=user, until_ms=until_ms)


async def three(store: RedisStore, app: str, *members: str) -> None:
    """Messages of LONG_AGO + 10, + 20 and + 30."""
    await a_room(store, app, members=members or ("ann", "bob", "cid"))
    for number in (1, 2, 3):
        await sent(store, app, f"m{number}", LONG_AGO + 10 * number)


@pytest.mark.parametrize(
    ("until_ms", "message", "unread"),
    [
        (0, "m3", 0),
        (LONG_AGO + 9, "", 3),
        (LONG_AGO + 10, "m1", 2),
        (LONG_AGO + 29, "m2", 1),
        (LONG_AGO + 30, "m3", 0),
        (2**52, "m3", 0),
    ],
)
async def test_the_newest_message_of_that_time_or_earlier_is_read(
    store: RedisStore, app: str, until_ms: int, message: str, unread: int
) -> None:
    """0: the newest of all. Without any such message nothing moves."""
    await three(store, app)
    expected = MarkedRead(message, int(message[1:]), True, unread, unread) if message else None
    assert await until(store, app, until_ms) == expected
    assert await store.badges.badge(app=app, user="ann") == unread
    assert await unread_of(store, app, "ann") == unread


async def test_the_time_is_the_one_that_the_poster_gave(store: RedisStore, app: str) -> None:
    """It is answered and remembered; without one it is the server's."""
    await three(store, app)
    now = await store.messages.post(
        app=app, room="r", sender="", message="n", countable=True, body="{}", sender_must_be_member=False, sent_ms=0
    )
    assert now.at_ms > LONG_AGO + 10**11
    assert (await sent(store, app, "m3", 5)).at_ms == LONG_AGO + 30  # a repeat changes nothing
    assert (await whole_list(store, app, "r", "m2")).message.at_ms == LONG_AGO + 20


async def test_the_newest_is_that_which_came_last(store: RedisStore, app: str) -> None:
    """Messages have the order in which they came; what lies between is read along."""
    await three(store, app)
    await sent(store, app, "late", LONG_AGO + 5)
    reading = await until(store, app, LONG_AGO + 7)
    assert reading is not None
    assert reading.message == "late"
    assert await unread_of(store, app, "ann") == 0


async def test_an_older_time_changes_nothing(store: RedisStore, app: str) -> None:
    """The newer cursor is answered."""
    await three(store, app)
    await until(store, app, LONG_AGO + 20)
    assert await until(store, app, LONG_AGO + 10) == MarkedRead("m2", 2, False, 1, 1)
    before = await contents(store, app)
    assert await until(store, app, LONG_AGO + 10) == MarkedRead("m2", 2, False, 1, 1)
    assert await contents(store, app) == before


async def test_a_room_without_messages_has_nothing_to_read(store: RedisStore, app: str) -> None:
    """No message is named."""
    await a_room(store, app)
    assert await until(store, app, 0) is None
    assert await unread_of(store, app, "ann") == 0
    assert await store.badges.badge(app=app, user="ann") == 0


async def test_reading_to_a_deleted_message_at_the_end_leaves_nothing(store: RedisStore, app: str) -> None:
    """Cursors may stand on it."""
    await three(store, app)
    await store.messages.delete_message(app=app, room="r", message="m3")
    assert await until(store, app, 0) == MarkedRead("m3", 3, True, 0, 0)


async def test_what_was_sent_before_a_time_that_is_read_does_not_count_when_it_comes(
    store: RedisStore, app: str
) -> None:
    """In a room of two: the reader's own device had shown it before we heard of it."""
    await three(store, app, "ann", "bob")
    await until(store, app, LONG_AGO + 100)
    assert (await sent(store, app, "late", LONG_AGO + 50)).created
    assert await unread_of(store, app, "ann") == 0
    assert await store.badges.badge(app=app, user="ann", tags=[]) == 0
    await sent(store, app, "at that very time", LONG_AGO + 100)
    assert await unread_of(store, app, "ann") == 1
    await sent(store, app, "later", LONG_AGO + 101)
    assert await unread_of(store, app, "ann") == 2


async def test_who_read_everything_has_read_up_to_that_moment(store: RedisStore, app: str) -> None:
    """What was sent before it does not count when it comes; what was sent later does."""
    await three(store, app, "ann", "bob")
    await until(store, app, 0)
    await sent(store, app, "late", LONG_AGO + 50)
    assert await unread_of(store, app, "ann") == 0
    await sent(store, app, "later", 2**52)
    assert await unread_of(store, app, "ann") == 1


async def test_a_late_message_is_in_nobodys_readers_until_it_is_read(store: RedisStore, app: str) -> None:
    """That it does not count is no receipt."""
    await three(store, app, "ann", "bob")
    await until(store, app, LONG_AGO + 100)
    await sent(store, app, "late", LONG_AGO + 50)
    assert (await whole_list(store, app, "r", "late")).readers == ()
    await until(store, app, LONG_AGO + 100)
    assert [receipt.member for receipt in (await whole_list(store, app, "r", "late")).readers] == ["ann"]


async def test_a_time_that_was_read_never_goes_back(store: RedisStore, app: str) -> None:
    """An older one says nothing new."""
    await three(store, app, "ann", "bob")
    await until(store, app, LONG_AGO + 100)
    await until(store, app, LONG_AGO + 40)
    await sent(store, app, "late", LONG_AGO + 50)
    assert await unread_of(store, app, "ann") == 0


async def test_without_a_time_of_sending_a_message_counts(store: RedisStore, app: str) -> None:
    """Whatever has been read until."""
    await three(store, app, "ann", "bob")
    await until(store, app, 2**52)
    await sent(store, app, "n", 0)
    assert await unread_of(store, app, "ann") == 1


async def test_in_larger_rooms_late_messages_count(store: RedisStore, app: str) -> None:
    """Their other members have not said how far they have read."""
    await three(store, app)
    await until(store, app, LONG_AGO + 100)
    await sent(store, app, "late", LONG_AGO + 50)
    assert [await unread_of(store, app, user) for user in ("ann", "cid")] == [1, 4]


async def test_the_sender_reading_up_to_a_time_takes_nothing_from_the_other(store: RedisStore, app: str) -> None:
    """Only the reader's own time says what they have read."""
    await three(store, app, "ann", "bob")
    await until(store, app, LONG_AGO + 100, user="bob")
    await sent(store, app, "late", LONG_AGO + 50)
    assert await unread_of(store, app, "ann") == 4


async def test_ids_that_are_made_rise_whenever_a_message_was_sent(store: RedisStore, app: str) -> None:
    """24 lower-case hex, in the order of arrival, whatever the poster's clock says."""
    await a_room(store, app)
    made = [(await sent(store, app, "", at_ms)).message for at_ms in (0, LONG_AGO, 1, 2**52, 0)]
    assert made == sorted(made)
    assert {len(message) for message in made} == {24}


async def test_refusals_come_in_order_room_member(store: RedisStore, app: str) -> None:
    """Nothing is written."""
    await refused(store, app, RoomUnknown, until(store, app, 0, user="zoe"))
    await a_room(store, app)
    await refused(store, app, NotMember, until(store, app, 5, user="zoe"))
