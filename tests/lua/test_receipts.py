"""receipts.lua, receipt_counts.lua: who has read a message, who has not, and how many."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from readstate.batches import in_batches
from readstate.domain.receipts import Filter, ReceiptCount, ReceiptsPage
from readstate.errors import Invalid, MessageUnknown, RoomUnknown
from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.redis_store import RedisStore
from tests.support.contents import contents, refused
from tests.support.nouns import operation_of
from tests.support.receipts import page_while, whole_list
from tests.support.rooms import a_room, posted

FOUR = ("ann", "bob", "cid", "dan")


@pytest.fixture(params=[1, 256])
def fanout_limit(request: pytest.FixtureRequest) -> int:
    """ReceiptsPage are the same below and above the limit."""
    return int(request.param)


async def a_message(store: RedisStore, app: str, *, readers: Sequence[str] = (), members: Sequence[str] = FOUR) -> str:
    """A message of ann's in a room of four, which `readers` have read. Returns its id."""
    await a_room(store, app, members=members)
    message = (await posted(store, app, sender="ann")).message
    for reader in readers:
        await store.reading.mark_read(app=app, room="r", user=reader, message=message)
    return message


async def lists(store: RedisStore, app: str, message: str) -> tuple[list[str], list[str], list[str]]:
    """Names of those who have read it, who have not, and who had read it and left."""
    read = await whole_list(store, app, "r", message)
    unread = await whole_list(store, app, "r", message, Filter.UNREAD)
    here = [receipt.member for receipt in read.readers if not receipt.left]
    gone = [receipt.member for receipt in read.readers if receipt.left]
    assert (read.read, read.unread, read.left) == (len(here), len(unread.non_readers), len(gone))
    (count,) = await store.receipts.receipt_counts(app=app, room="r", messages=[message])
    assert count == ReceiptCount(message, read.read, read.unread, read.left)
    return here, list(unread.non_readers), gone


async def test_readers_and_non_readers_are_told_apart(store: RedisStore, app: str) -> None:
    """The sender is in neither list, for nobody asks whether they have read what they wrote."""
    message = await a_message(store, app, readers=["bob"])
    assert await lists(store, app, message) == (["bob"], ["cid", "dan"], [])


async def test_the_message_itself_is_told(store: RedisStore, app: str) -> None:
    """As far as it is remembered."""
    await a_room(store, app)
    sent = await posted(store, app, message="m", sender="ann")
    told = (await whole_list(store, app, "r", "m")).message
    assert (told.message, told.seq, told.sender, told.at_ms) == ("m", sent.seq, "ann", sent.at_ms)


async def test_a_message_of_nobody_concerns_everybody(store: RedisStore, app: str) -> None:
    """There is no sender to leave out; nor when the sender is no member."""
    await a_room(store, app, members=["ann", "bob"])
    for sender in ("", "zoe"):
        message = (await posted(store, app, sender=sender)).message
        assert await lists(store, app, message) == ([], ["ann", "bob"], [])


async def test_who_posts_has_read_what_came_before(store: RedisStore, app: str) -> None:
    """Also what does not count as unread."""
    message = await a_message(store, app)
    silent = (await posted(store, app, sender="ann", countable=False)).message
    await posted(store, app, sender="bob")
    assert await lists(store, app, message) == (["bob"], ["cid", "dan"], [])
    assert await lists(store, app, silent) == (["bob"], ["cid", "dan"], [])


async def test_who_joined_later_is_in_neither_list(store: RedisStore, app: str) -> None:
    """Not even when they read the message, or one that came later."""
    message = await a_message(store, app)
    await store.rooms.add_members(app=app, room="r", members=["eve", "fay"])
    await store.reading.mark_read(app=app, room="r", user="eve", message=message)
    await posted(store, app, sender="fay")
    assert await lists(store, app, message) == ([], ["bob", "cid", "dan"], [])


async def test_who_joined_later_and_left_is_in_no_number(store: RedisStore, app: str) -> None:
    """Whether or not they have read anything meanwhile."""
    message = await a_message(store, app, readers=["bob"])
    await store.rooms.add_members(app=app, room="r", members=["eve", "fay"])
    await posted(store, app, sender="fay")
    await store.rooms.remove_members(app=app, room="r", members=["eve", "fay"])
    assert await lists(store, app, message) == (["bob"], ["cid", "dan"], [])


async def test_who_left_stays_among_the_readers_and_goes_from_the_others(store: RedisStore, app: str) -> None:
    """The receipt is as it was, but for the mark."""
    message = await a_message(store, app, readers=["bob", "cid"])
    before = {receipt.member: receipt.at_ms for receipt in (await whole_list(store, app, "r", message)).readers}
    await store.rooms.remove_members(app=app, room="r", members=["bob", "dan"])
    assert await lists(store, app, message) == (["cid"], [], ["bob"])
    after = {receipt.member: receipt.at_ms for receipt in (await whole_list(store, app, "r", message)).readers}
    assert after == before


async def test_who_came_back_is_one_who_left_for_what_was_read_before(store: RedisStore, app: str) -> None:
    """What came while they were away does not concern them; what comes then does.

    No reader comes twice.
    """
    first = await a_message(store, app, readers=["bob"])
    await store.rooms.remove_members(app=app, room="r", members=["bob", "cid"])
    meanwhile = (await posted(store, app, sender="ann")).message
    await store.rooms.add_members(app=app, room="r", members=["bob", "cid"])
    then = (await posted(store, app, sender="ann")).message
    await store.reading.mark_read(app=app, room="r", user="bob", message=then)
    assert await lists(store, app, first) == ([], ["dan"], ["bob"])
    assert await lists(store, app, meanwhile) == ([], ["dan"], [])
    assert await lists(store, app, then) == (["bob"], ["cid", "dan"], [])


async def test_times_of_several_stays_are_told_apart(store: RedisStore, app: str) -> None:
    """One journal goes through all stays of a person; each receipt has the time at which its
    message was reached.
    """
    await a_room(store, app)
    told = []
    for _ in range(4):
        question = await posted(store, app, sender="ann")
        told.append((question.message, (await posted(store, app, sender="bob")).at_ms))
        await store.rooms.remove_members(app=app, room="r", members=["bob"])
        await asyncio.sleep(0.002)
        await posted(store, app, sender="ann")
        await store.rooms.add_members(app=app, room="r", members=["bob"])
    for message, at_ms in told:
        (receipt,) = (await whole_list(store, app, "r", message)).readers
        assert (receipt.member, receipt.at_ms, receipt.exact, receipt.left) == ("bob", at_ms, True, True)


async def test_the_sender_is_in_no_list_after_leaving_and_coming_back_either(store: RedisStore, app: str) -> None:
    """They wrote it, whatever they did then."""
    message = await a_message(store, app, readers=["bob"])
    await store.rooms.remove_members(app=app, room="r", members=["ann"])
    assert await lists(store, app, message) == (["bob"], ["cid", "dan"], [])
    await store.rooms.add_members(app=app, room="r", members=["ann"])
    await store.reading.mark_read_until(app=app, room="r", user="ann", until_ms=0)
    assert await lists(store, app, message) == (["bob"], ["cid", "dan"], [])


@pytest.mark.parametrize("leaves", [False, True])
async def test_a_sender_who_has_not_read_their_own_message_is_in_no_list_and_no_number(
    store: RedisStore, app: str, leaves: bool
) -> None:
    """Their cursor was left alone; before they read it, after that, and when they have left."""
    await a_room(store, app, members=FOUR)
    await posted(store, app, message="before", sender="bob")
    await posted(store, app, message="m", sender="ann", move_cursor=False)
    assert await lists(store, app, "before") == ([], ["ann", "cid", "dan"], [])
    assert await lists(store, app, "m") == ([], ["bob", "cid", "dan"], [])
    assert await store.reading.acknowledge(app=app, room="r", user="ann", messages=["m"]) == []
    if not leaves:
        await store.reading.mark_read(app=app, room="r", user="ann", message="m")
    else:
        await store.reading.mark_read(app=app, room="r", user="ann", message="before")
        await store.rooms.remove_members(app=app, room="r", members=["ann"])
    assert await lists(store, app, "m") == ([], ["bob", "cid", "dan"], [])


async def test_a_post_that_is_told_late_says_when_its_sender_had_read_at_the_latest(
    store: RedisStore, app: str
) -> None:
    """Its sender read what stood before it at some time up to now.

    A message of just now says it exactly, and so does a later read.
    """
    await a_room(store, app, members=FOUR)
    first = await posted(store, app, message="first", sender="ann")
    for sender, ago_ms in (("bob", 61_000), ("cid", 1_000)):
        await posted(store, app, message=sender, sender=sender, sent_ms=first.at_ms - ago_ms)
    await store.reading.mark_read(app=app, room="r", user="dan", message="cid")
    found = await whole_list(store, app, "r", "first")
    assert [(receipt.member, receipt.exact) for receipt in found.readers] == [
        ("bob", False),
        ("cid", True),
        ("dan", True),
    ]
    assert all(receipt.at_ms >= first.at_ms for receipt in found.readers)


async def test_what_was_read_before_a_post_that_is_told_late_keeps_its_time(store: RedisStore, app: str) -> None:
    """In the newest moves of the journal, and in those that were put away."""
    message = await a_message(store, app, readers=["bob"])
    (read,) = (await whole_list(store, app, "r", message)).readers
    for _ in range(20):
        await asyncio.sleep(0.002)
        await posted(store, app, sender="bob", sent_ms=1_000_000)
        assert (await whole_list(store, app, "r", message)).readers == (read,)


@pytest.mark.parametrize("how", ["delete_message", "recall_message", "delete_messages"])
async def test_what_is_no_longer_there_has_no_receipts(store: RedisStore, app: str, how: str) -> None:
    """Deleted, recalled or emptied: unknown, and no number among the others'."""
    message = await a_message(store, app, readers=["bob"])
    named = {
        "delete_messages": {},
        "delete_message": {"message": message},
        "recall_message": {"message": message, "body": "{}"},
    }
    await operation_of(store, how)(app=app, room="r", **named[how])
    for which in Filter:
        await refused(store, app, MessageUnknown, whole_list(store, app, "r", message, which))
    other = (await posted(store, app, sender="ann")).message
    assert await store.receipts.receipt_counts(app=app, room="r", messages=[message, other, "nothing"]) == [
        None,
        ReceiptCount(other, 0, 3, 0),
        None,
    ]


async def test_a_room_created_anew_knows_nothing_of_the_one_before(store: RedisStore, app: str) -> None:
    """Neither its messages nor who had read them or left."""
    message = await a_message(store, app, readers=["bob", "cid"])
    await store.rooms.remove_members(app=app, room="r", members=["cid"])
    await store.rooms.delete_room(app=app, room="r")
    await refused(store, app, RoomUnknown, whole_list(store, app, "r", message))
    await refused(store, app, RoomUnknown, store.receipts.receipt_counts(app=app, room="r", messages=[message]))
    await a_room(store, app, members=FOUR)
    await refused(store, app, MessageUnknown, whole_list(store, app, "r", message))
    fresh = (await posted(store, app, sender="ann")).message
    assert await lists(store, app, fresh) == ([], ["bob", "cid", "dan"], [])


async def test_asking_writes_nothing_but_the_order_of_a_small_room(
    store: RedisStore, app: str, fanout_limit: int
) -> None:
    """Not a byte else; of a large room nothing at all."""
    message = await a_message(store, app, readers=["bob"])
    before = await contents(store, app)
    await lists(store, app, message)
    after = await contents(store, app)
    order = {f"{Keys.room(app, 'r')}:c".encode()}
    assert after.keys() - before.keys() == (order if fanout_limit > len(FOUR) else set())
    assert {key: value for key, value in after.items() if key in before} == before
    await lists(store, app, message)
    assert await contents(store, app) == after


async def test_a_message_that_is_forgotten_has_no_receipts_and_stays_go_with_it(
    store: RedisStore, executor: Executor, app: str
) -> None:
    """What only its receipts needed is not kept."""
    message = await a_message(store, app, readers=["bob", "cid"])
    await store.rooms.remove_members(app=app, room="r", members=["bob"])
    for _ in range(256):
        await posted(store, app, sender="ann")
    await refused(store, app, MessageUnknown, whole_list(store, app, "r", message))
    key = Keys.room(app, "r")
    assert await executor.command("EXISTS", *(f"{key}:{suffix}" for suffix in "xye"), key=key) == 0


async def test_the_journal_of_one_who_has_left_goes_with_their_last_stay(
    store: RedisStore, executor: Executor, app: str
) -> None:
    """All of it, from the first chunk on."""
    await a_room(store, app, members=["ann", "bob"])
    for _ in range(50):
        await posted(store, app, sender="bob")
    await store.rooms.remove_members(app=app, room="r", members=["bob"])
    key = Keys.room(app, "r") + ":j"
    assert {field.partition(b"\x1f")[0] for field in await executor.command("HKEYS", key, key=key)} == {b"bob"}
    for _ in range(256):
        await posted(store, app)
    assert await executor.command("EXISTS", key, key=key) == 0


async def test_a_later_stay_keeps_its_receipts_when_an_earlier_one_is_forgotten(store: RedisStore, app: str) -> None:
    """Of a member who came back and left again."""
    await a_message(store, app, readers=["bob"])
    await store.rooms.remove_members(app=app, room="r", members=["bob"])
    await store.rooms.add_members(app=app, room="r", members=["bob"])
    messages = [(await posted(store, app, sender="ann")).message for _ in range(120)]
    await store.reading.mark_read(app=app, room="r", user="bob", message=messages[-1])
    await store.rooms.remove_members(app=app, room="r", members=["bob"])
    for _ in range(80):
        await posted(store, app, sender="ann")
    await refused(store, app, MessageUnknown, whole_list(store, app, "r", messages[0]))
    (receipt,) = (await whole_list(store, app, "r", messages[-1])).readers
    assert (receipt.member, receipt.left, receipt.exact) == ("bob", True, True)


# Pages


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 40])
async def test_pages_together_hold_everybody_once(store: RedisStore, app: str, limit: int) -> None:
    """Readers at several places, people who acknowledged, people who left, and those who have not
    read it.
    """
    people = [f"p{number}" for number in range(20)]
    message = await a_message(store, app, members=["ann", *people])
    later = [(await posted(store, app, sender="ann")).message for _ in range(3)]
    for number, member in enumerate(people[:12]):
        await store.reading.mark_read(app=app, room="r", user=member, message=[message, *later][number % 4])
    for member in people[12:15]:
        await store.reading.acknowledge(app=app, room="r", user=member, messages=[message])
    await store.rooms.remove_members(app=app, room="r", members=[*people[8:10], *people[14:16]])
    read = await whole_list(store, app, "r", message, Filter.READ, limit)
    unread = await whole_list(store, app, "r", message, Filter.UNREAD, limit)
    assert sorted(receipt.member for receipt in read.readers) == sorted(people[:15])
    assert sorted(receipt.member for receipt in read.readers if receipt.left) == sorted([*people[8:10], people[14]])
    assert sorted(unread.non_readers) == sorted(people[16:])


@pytest.mark.parametrize("which", Filter)
@pytest.mark.parametrize("moves", [0, 14, 15, 16, 30])
async def test_who_reads_on_between_pages_is_neither_missing_nor_twice(
    store: RedisStore, app: str, which: Filter, moves: int
) -> None:
    """However many moves anybody has made before: the walk goes by cursors, and cursors move."""
    people = [f"p{number:02}" for number in range(12)]
    await a_room(store, app, members=["ann", *people])
    target = "" if which is Filter.READ else "target"
    steps = [(await posted(store, app, sender="ann")).message for _ in range(moves + 1)]
    for step in steps:
        for member in people:
            await store.reading.mark_read(app=app, room="r", user=member, message=step)
    if which is Filter.READ:
        target = steps[-1]
    further = [(await posted(store, app, sender="ann")).message for _ in range(12)]
    if which is Filter.UNREAD:
        target = (await posted(store, app, sender="ann")).message
    before = await whole_list(store, app, "r", target, which)
    names = [receipt.member for receipt in before.readers] + list(before.non_readers)

    async def everybody_reads(message: str) -> None:
        for member in people:
            await store.reading.mark_read(app=app, room="r", user=member, message=message)

    seen = await page_while(store, app, "r", target, which, 5, [partial(everybody_reads, step) for step in further])
    assert seen == Counter(names)


@pytest.mark.parametrize("moves", [2, 16, 40])
async def test_many_moves_between_two_pages_hide_nobody_and_show_nobody_twice(
    store: RedisStore, app: str, moves: int
) -> None:
    """Somebody who was shown reads on, again and again, before the next page is asked for."""
    people = [f"p{number:02}" for number in range(6)]
    target = await a_message(store, app, members=["ann", *people], readers=people)
    further = [(await posted(store, app, sender="ann")).message for _ in range(moves)]

    async def read_on() -> None:
        for message in further:
            for member in people:
                await store.reading.mark_read(app=app, room="r", user=member, message=message)

    assert await page_while(store, app, "r", target, Filter.READ, 2, [read_on]) == Counter(people)


async def test_a_long_walk_shows_nobody_twice_either(store: RedisStore, app: str) -> None:
    """Fifty pages, and after each of them those who were just shown read on."""
    people = [f"p{number:03}" for number in range(50)]
    target = await a_message(store, app, members=["ann", *people], readers=people)
    further = [(await posted(store, app, sender="ann")).message for _ in range(50)]

    async def read_on(number: int) -> None:
        await store.reading.mark_read(app=app, room="r", user=people[number], message=further[number])

    seen = await page_while(store, app, "r", target, Filter.READ, 1, [partial(read_on, number) for number in range(50)])
    assert seen == Counter(people)


async def test_who_leaves_between_pages_is_not_shown_twice(store: RedisStore, app: str) -> None:
    """Whether or not a page has shown them already."""
    people = [f"p{number}" for number in range(6)]
    target = await a_message(store, app, members=["ann", *people], readers=people)

    async def leave() -> None:
        await store.rooms.remove_members(app=app, room="r", members=["p0", "p5"])

    assert await page_while(store, app, "r", target, Filter.READ, 2, [leave]) == Counter(people)


@pytest.mark.parametrize("which", Filter)
async def test_a_page_takes_no_more_commands_in_a_large_room(
    store: RedisStore, executor: Executor, app: str, which: Filter
) -> None:
    """One for each person on it, and a few to find where it begins."""
    counts = []
    for room, size in (("small", 100), ("large", 1600)):
        people = [f"p{number}" for number in range(size)]
        await a_room(store, app, room, members=people[:900])
        await store.rooms.add_members(app=app, room=room, members=people[900:])
        message = (await posted(store, app, room)).message
        if which is Filter.READ:
            for batch in in_batches(people, 100):
                await asyncio.gather(
                    *(store.reading.mark_read(app=app, room=room, user=member, message=message) for member in batch)
                )
        await store.outbox.idle()
        first = await store.receipts.page(app=app, room=room, message=message, which=which, limit=50, page="")
        await executor.each_node("CONFIG", "RESETSTAT")
        await store.receipts.page(app=app, room=room, message=message, which=which, limit=50, page=first.next)
        counts.append(await commands_run(executor))
    assert counts[1] <= counts[0] + 5


async def commands_run(executor: Executor) -> int:
    """Inside scripts as well, on all nodes; what counts is not counted."""
    lines = [
        line
        for told in await executor.each_node("INFO", "commandstats")
        for line in told.decode().splitlines()
        if "calls=" in line
    ]
    named = [line for line in lines if not line.startswith(("cmdstat_info", "cmdstat_config"))]
    return sum(int(line.partition("calls=")[2].partition(",")[0]) for line in named)


BAD_PAGES = ["x", "!", "=", "AAAA", "gICAgA", "é", "a" * 8193, "lKFjAKAA", "kA", "\x00", "lKFxAKCQkJCQ"]


@pytest.mark.parametrize("page", BAD_PAGES)
async def test_a_page_that_was_never_answered_is_refused(store: RedisStore, app: str, page: str) -> None:
    """With what to send instead."""
    message = await a_message(store, app)
    with pytest.raises(Invalid) as caught:
        await store.receipts.page(app=app, room="r", message=message, which=Filter.READ, limit=5, page=page)
    assert caught.value.field == "page"


numbers = st.one_of(st.integers(-2, 12), st.sampled_from([2**31, 2**53, 2**53 + 1, 2**63]))
names = st.one_of(st.sampled_from(["", "ann", "bob", "bob\x1f0", "zoe"]), st.text(max_size=5))
tokens = st.tuples(
    st.sampled_from(["q", "c", "y", "", "z"]), numbers, names, st.lists(st.tuples(numbers, numbers, names), max_size=34)
)


async def test_no_page_whatever_it_holds_is_more_than_refused(store: RedisStore, app: str) -> None:
    """What looks like a page of ours and is none is answered with something, or refused."""
    import base64

    message = await a_message(store, app, readers=["bob"])
    loop = asyncio.get_running_loop()

    async def ask(token: Any, which: Filter) -> ReceiptsPage | None:
        page = base64.urlsafe_b64encode(msgspec.msgpack.encode(token)).decode().rstrip("=")
        try:
            return await store.receipts.page(app=app, room="r", message=message, which=which, limit=3, page=page)
        except Invalid:
            return None

    @given(tokens, st.sampled_from(Filter))
    def tried(token: Any, which: Filter) -> None:
        asyncio.run_coroutine_threadsafe(ask(token, which), loop).result(timeout=60)

    await asyncio.to_thread(tried)


async def test_counts_of_many_messages_come_in_the_order_asked(store: RedisStore, app: str) -> None:
    """One that is asked for twice is answered twice."""
    first = await a_message(store, app, readers=["bob", "cid"])
    second = (await posted(store, app, sender="bob")).message
    assert await store.receipts.receipt_counts(app=app, room="r", messages=[second, first, "nothing", second]) == [
        ReceiptCount(second, 0, 3, 0),
        ReceiptCount(first, 2, 1, 0),
        None,
        ReceiptCount(second, 0, 3, 0),
    ]
    assert await store.receipts.receipt_counts(app=app, room="r", messages=[]) == []
