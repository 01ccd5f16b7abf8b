"""Work that grows with what a room or a journal holds is bounded in each script, and the answers
stay whole.
"""

import asyncio

import pytest

from readstate.domain.receipts import Filter
from readstate.store.executor import Executor
from readstate.store.redis_store import RedisStore, redis_store
from tests.support.rooms import a_room, posted


@pytest.fixture
def store(executor: Executor) -> RedisStore:
    """One that remembers enough messages."""
    return redis_store(executor, message_history=1000)


async def test_a_page_of_receipts_ends_early_when_journals_are_long_and_leaves_nobody_out(
    store: RedisStore, app: str
) -> None:
    """40 people read on 300 times between two pages: 12,000 moves are more than one page
    looks at.
    """
    people = [f"p{number:02}" for number in range(40)]
    await a_room(store, app, members=["ann", *people])
    await posted(store, app, message="m", sender="ann")
    for person in people:
        await store.reading.mark_read(app=app, room="r", user=person, message="m")
    first = await store.receipts.page(app=app, room="r", message="m", which=Filter.READ, limit=2, page="")
    for number in range(300):
        await posted(store, app, message=f"n{number}")
        await asyncio.gather(
            *(store.reading.mark_read(app=app, room="r", user=person, message=f"n{number}") for person in people)
        )
    seen = [reader.member for reader in first.readers]
    sizes, page = [], first.next
    while page:
        found = await store.receipts.page(app=app, room="r", message="m", which=Filter.READ, limit=1000, page=page)
        seen += [reader.member for reader in found.readers]
        sizes.append(len(found.readers))
        page = found.next
    assert sorted(seen) == people
    assert len(sizes) > 1, "all journals were walked for one page"
