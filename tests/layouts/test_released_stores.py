"""A store that a released version has written is migrated, and answers as that version did."""

import pytest
import redis

from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.layout import StoreLayout
from readstate.store.noted_layout import LAYOUT, layout_of
from readstate.store.redis_store import redis_store
from readstate.store.server_check import ServerRefused
from tests.support.imkit import in_process
from tests.support.released import Released, answer_to

Client = redis.Redis | redis.RedisCluster


async def migrated(executor: Executor) -> int:
    """Migrate everything. How many rooms were looked at."""
    looked = 0

    async def look_at(rooms: int) -> None:
        nonlocal looked
        looked += rooms

    layout = StoreLayout(executor)
    await layout.begin()
    await layout.migrate(look_at)
    assert layout.describe() == str(LAYOUT)
    return looked


async def test_an_audit_finds_nothing(store_of: Released, executor: Executor) -> None:
    await migrated(executor)
    auditing = redis_store(executor, **store_of.settings_for("redis://unused").bounds()).audit
    assert await auditing.audit_all() == []
    assert auditing.compared.values > 100


async def test_nothing_of_the_earlier_layout_is_left(store_of: Released, executor: Executor, client: Client) -> None:
    looked = await migrated(executor)
    heads = {key: client.hget(key, "") for key in client.scan_iter(Keys.every_room)}
    assert len(heads) == looked > 10
    assert {layout_of(head) for head in heads.values() if isinstance(head, bytes)} == {LAYOUT}
    assert not [key for key in client.scan_iter("{r:*") if key.endswith((b":v", b":r", b":k"))]


async def test_what_goes_by_itself_still_does(store_of: Released, executor: Executor, client: Client) -> None:
    """The head of a room that was deleted."""
    going = [key for key, kind, _, ttl_ms in store_of.keys if key.startswith(b"{r:") and kind == "hash" and ttl_ms > 0]
    assert going
    await migrated(executor)
    assert all(client.pttl(key) > 0 for key in going)


@pytest.mark.parametrize("beforehand", [True, False], ids=["migrated", "while_it_serves"])
async def test_every_answer_is_that_of_the_release(
    store_of: Released, executor: Executor, url: str, beforehand: bool
) -> None:
    if beforehand:
        await migrated(executor)
    async with in_process(store_of.settings_for(url)) as imkit:
        for asked in store_of.asked:
            assert await answer_to(asked, imkit, store_of.api_keys) == (asked.status, asked.answer), asked.path
        assert await imkit.services.audit.audit_all() == []


async def test_other_commands_are_refused_until_it_is_begun(store_of: Released, executor: Executor) -> None:
    layout = StoreLayout(executor)
    with pytest.raises(ServerRefused, match="the data have layout 1, of an earlier readstate; start the service"):
        await layout.require()
    await layout.begin()
    await layout.require()
    assert layout.describe() == "2, migrating"
