"""Wrong tokens slow down their address and their app; good ones never.

By a clock that the test sets, on users in memory.
"""

import asyncio
import time

import pytest

from readstate.dialects.access import credentials as module
from readstate.dialects.access.credentials import (
    APP_MISSES_AT_ONCE,
    MAX_DELAY_S,
    MAX_DELAYED,
    MISSES_AT_ONCE,
    WRONG_FOR_S,
    Credentials,
)
from readstate.dialects.access.rate_limits import RateLimits
from readstate.domain.identity import App
from readstate.domain.tokens import BOUND_CACHE_S, Tokens
from readstate.errors import TooManyRequests, Unavailable
from tests.support.directory import FixedApps, ModelDirectory

APP = App("a", "client-key", "", 1)
OTHER = App("b", "other-key", "", 1)
HOME, AWAY = "192.0.2.1", "192.0.2.2"


class World:
    """Two apps, their users, and a clock. `slept` is how long each look-up was delayed."""

    def __init__(self, address_rate: float = 1000) -> None:
        self.now_s = time.time()
        self.directory = ModelDirectory()
        self.tokens = Tokens(self.directory, FixedApps(APP, OTHER), secret="s" * 32, now=lambda: self.now_s)
        self.slept: list[float] = []
        self.limits = RateLimits(address=address_rate, now=lambda: self.now_s)
        self.credentials = Credentials(self.tokens, self.limits, lambda: self.now_s, self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)

    async def bind(self, user: str, token: str) -> None:
        await self.directory.upsert_user(app="a", user=user, profile={})
        await self.tokens.bind(app="a", user=user, token=token, expires_s=int(self.now_s) + 1000)

    async def user(self, token: str, address: str = HOME, apps: tuple[App, ...] = (APP,)) -> str | None:
        session = await self.credentials.session(apps, token, address)
        return session.user if session else None

    async def miss(self, times: int, address: str = HOME) -> None:
        for number in range(times):
            assert await self.user(f"wrong-{self.now_s}-{address}-{number}", address) is None


@pytest.fixture
def world() -> World:
    return World()


async def test_after_a_burst_an_address_may_be_wrong_once_a_second_and_the_store_is_not_asked(world: World) -> None:
    await world.miss(MISSES_AT_ONCE)
    asked = world.directory.asked
    for _ in range(10):
        with pytest.raises(TooManyRequests) as refusal:
            await world.user("another")
        assert refusal.value.retry_after_s == 1
    assert world.directory.asked == asked
    assert await world.user("another", AWAY) is None
    world.now_s += 1.1
    await world.miss(1)
    with pytest.raises(TooManyRequests):
        await world.user("another")


async def test_many_at_the_same_time_are_no_more(world: World) -> None:
    answers = await asyncio.gather(*(world.user(f"wrong-{number}") for number in range(200)), return_exceptions=True)
    assert world.directory.asked == answers.count(None) == MISSES_AT_ONCE


async def test_good_tokens_pass_however_many_wrong_ones_their_address_has(world: World) -> None:
    """A token that was issued here, and one that was good here before, even if the cache has
    dropped it.
    """
    await world.bind("ann", "custom-token-of-ann")
    issued = await world.tokens.issue(app="a", user="ben")
    assert await world.user("custom-token-of-ann") == "ann"
    await world.miss(MISSES_AT_ONCE)
    assert await world.user(issued.token) == "ben"
    world.now_s += BOUND_CACHE_S + 0.5
    await world.miss(4)
    with pytest.raises(TooManyRequests):
        await world.user("another")
    assert await world.user("custom-token-of-ann") == "ann"
    await world.bind("cid", "custom-token-of-cid")  # empties what is believed about custom tokens
    assert await world.user("custom-token-of-ann") == "ann"
    assert world.slept == []


async def test_a_good_token_counts_as_no_miss(world: World) -> None:
    for number in range(5 * MISSES_AT_ONCE):
        await world.bind(f"u{number}", f"custom-token-{number:04}")
        assert await world.user(f"custom-token-{number:04}") == f"u{number}"


async def test_a_token_that_has_ended_counts_as_no_miss(world: World) -> None:
    """Its client must learn that it needs a new one. It had a good one once."""
    await world.directory.upsert_user(app="a", user="ann", profile={})
    issued = await world.tokens.issue(app="a", user="ann")
    await world.tokens.revoke(app="a", user="ann", token=issued.token)
    for _ in range(5 * MISSES_AT_ONCE):
        assert await world.user(issued.token) is None
    await world.miss(1)


async def guess(world: World) -> None:
    """Guess tokens of the app from many addresses."""
    for number in range(APP_MISSES_AT_ONCE + 10):
        await world.miss(1, f"guessing-{number}")


async def test_while_an_app_is_guessed_at_a_wrong_token_is_believed_to_be_wrong_for_a_second(world: World) -> None:
    await guess(world)
    asked = world.directory.asked
    assert await world.user("not-bound-yet-token") is None
    assert await world.user("not-bound-yet-token") is None
    assert world.directory.asked == asked + 1
    world.now_s += WRONG_FOR_S
    assert await world.user("not-bound-yet-token") is None
    assert world.directory.asked == asked + 2


async def test_a_binding_counts_at_once_where_it_was_made(world: World) -> None:
    await guess(world)
    assert await world.user("not-bound-yet-token") is None
    await world.bind("ann", "not-bound-yet-token")
    assert await world.user("not-bound-yet-token") == "ann"


async def test_in_quiet_times_a_binding_counts_at_once_wherever_it_was_made(world: World) -> None:
    other = Credentials(world.tokens, world.limits)
    assert await other.session([APP], "not-bound-yet-token", HOME) is None
    bindings = world.tokens.bindings
    await world.bind("ann", "not-bound-yet-token")
    world.tokens.bindings = bindings  # as at a worker that has not heard of it
    assert await other.session([APP], "not-bound-yet-token", HOME) is not None


async def test_a_store_that_does_not_answer_makes_no_token_wrong(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.bind("ann", "custom-token-of-ann")

    async def away(**_: object) -> None:
        raise Unavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(world.directory, "bound_token", away)
        for _ in range(5 * MISSES_AT_ONCE):
            with pytest.raises(Unavailable):
                await world.user("custom-token-of-ann")
    assert await world.user("custom-token-of-ann") == "ann"


async def test_an_app_that_is_guessed_at_is_slower_for_unknown_tokens_and_refuses_none(world: World) -> None:
    """From any number of addresses.

    No user is locked out, and known tokens are not slowed down.
    """
    await world.bind("ann", "custom-token-of-ann")
    await world.bind("ben", "custom-token-of-ben")
    assert await world.user("custom-token-of-ann") == "ann"
    for number in range(APP_MISSES_AT_ONCE):
        await world.miss(1, f"address-{number}")
    assert world.slept == []
    await world.miss(1, "one-more")
    assert world.slept == [pytest.approx(0.05, rel=0.01)]
    for number in range(500):
        await world.miss(1, f"another-{number}")
    assert max(world.slept) == MAX_DELAY_S, world.slept[-3:]
    world.slept.clear()
    assert await world.user("custom-token-of-ann") == "ann"
    assert world.slept == []
    assert await world.user("custom-token-of-ben", AWAY) == "ben"
    assert len(world.slept) == 1
    assert await world.user("custom-token-of-ben", AWAY) == "ben"
    assert len(world.slept) == 1
    assert await world.user("wrong-in-another-app", AWAY, (OTHER,)) is None
    assert len(world.slept) == 1


async def test_only_so_many_look_ups_wait(world: World) -> None:
    for number in range(APP_MISSES_AT_ONCE):
        await world.miss(1, f"address-{number}")
    wrong = (world.user(f"wrong-{number}", f"many-{number}") for number in range(MAX_DELAYED + 50))
    answers = await asyncio.gather(*wrong, return_exceptions=True)
    assert answers.count(None) == MAX_DELAYED
    assert all(answer is None or isinstance(answer, TooManyRequests) for answer in answers)
    assert not +world.credentials._delayed


async def test_wrong_keys_count_as_wrong_tokens_do(world: World) -> None:
    for _ in range(MISSES_AT_ONCE):
        world.credentials.missed(HOME)
    with pytest.raises(TooManyRequests):
        world.credentials.missed(HOME)
    with pytest.raises(TooManyRequests):
        await world.user("another")
    world.credentials.missed(AWAY)


async def test_who_sends_nothing_is_counted_as_a_stranger_only(world: World) -> None:
    for _ in range(1000):
        world.credentials.absent(HOME)
    await world.miss(1)


async def test_without_a_rate_no_caller_is_slowed_down() -> None:
    world = World(address_rate=0)
    await world.miss(500)
    for _ in range(500):
        world.credentials.missed(HOME)


async def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_REMEMBERED", 10)
    world = World()
    for number in range(30):
        await world.bind(f"u{number}", f"custom-token-{number:04}")
        await world.user(f"custom-token-{number:04}")
        await world.miss(1, f"address-{number}")
    await guess(world)
    assert len(world.credentials._good) == len(world.credentials._wrong) == 10
