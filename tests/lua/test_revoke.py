"""revoke.lua and revocations.lua: which tokens are void, in the order of positions that the store
gives.
"""

import time

import msgspec

from readstate.store.executor import Executor
from readstate.store.keys import Keys
from tests.lua.conftest import Run

FAR_S = 4_102_444_800
NEVER = 10**10


def revoked(*names: str, until_s: int = FAR_S) -> list[bytes]:
    return [msgspec.msgpack.encode(["al", name, until_s]) for name in names]


async def test_a_position_is_the_time_or_one_more_than_the_last(run: Run, executor: Executor, app: str) -> None:
    """Though the last one was ahead, as after a failover to a node whose clock is behind."""
    key = Keys.revocations(app)
    before = time.time_ns() // 1_000_000
    first = await run("revoke", key, margin_s=NEVER, revoked=revoked("a"))
    assert before <= first <= time.time_ns() // 1_000_000
    ahead = first + 3_600_000
    await executor.command("ZADD", key, ahead, revoked("b")[0], key=key)
    assert [await run("revoke", key, margin_s=NEVER, revoked=revoked(name)) for name in "cd"] == [ahead + 1, ahead + 2]


async def test_no_two_calls_share_a_position_but_all_of_one_do(run: Run, app: str) -> None:
    key = Keys.revocations(app)
    positions = [
        await run("revoke", key, margin_s=NEVER, revoked=revoked(f"{number}a", f"{number}b")) for number in range(20)
    ]
    assert positions == sorted(set(positions))
    _, newest, found = await run("revocations", key, since=positions[-2])
    assert (newest, found) == (positions[-1], revoked("18a", "18b", "19a", "19b"))


async def test_who_asks_is_told_the_time_and_the_newest_position(run: Run, app: str) -> None:
    """Also when there is nothing to tell."""
    now_s, newest, found = await run("revocations", Keys.revocations(app), since=0)
    assert abs(now_s - time.time()) < 60
    assert (newest, found) == (0, [])
    position = await run("revoke", Keys.revocations(app), margin_s=NEVER, revoked=revoked("a"))
    assert (await run("revocations", Keys.revocations(app), since=position + 1))[1:] == [position, []]


async def test_a_repeated_call_notes_the_tokens_once(run: Run, app: str) -> None:
    """At the later position, which is heard by those who have heard of the first."""
    key = Keys.revocations(app)
    first = await run("revoke", key, margin_s=NEVER, revoked=revoked("a"))
    second = await run("revoke", key, margin_s=NEVER, revoked=revoked("a"))
    assert second > first
    assert (await run("revocations", key, since=second))[1:] == [second, revoked("a")]


async def test_what_ended_longer_ago_than_the_margin_goes(run: Run, app: str) -> None:
    key, now_s = Keys.revocations(app), int(time.time())
    await run(
        "revoke",
        key,
        margin_s=NEVER,
        revoked=[*revoked("long-ago", until_s=now_s - 200), *revoked("lately", until_s=now_s - 50)],
    )
    await run("revoke", key, margin_s=100, revoked=revoked("new"))
    assert (await run("revocations", key, since=0))[2] == [*revoked("lately", until_s=now_s - 50), *revoked("new")]


async def test_thousands_of_tokens_are_revoked_at_once(run: Run, app: str) -> None:
    key = Keys.revocations(app)
    await run("revoke", key, margin_s=NEVER, revoked=[*revoked(*(f"t{number:04}" for number in range(5000)))])
    assert len((await run("revocations", key, since=0))[2]) == 5000
