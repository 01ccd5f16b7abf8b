"""What a token is worth, and for how long; with a clock that the test holds."""

import pytest

from service.domain import tokens as rules
from service.domain.identity import App, Session
from service.domain.tokens import BOUND_CACHE_S, Tokens
from service.errors import Invalid, TokenConflict, TokenUnknown, UserUnknown
from tests.support.directory import FixedApps, ModelDirectory

NOW = 1_800_000_000.0
DAY_S = 86_400
SECRET = "s" * 32


class World:
    """Two apps, a user in each, and a clock."""

    def __init__(self) -> None:
        self.now = NOW
        self.apps = FixedApps(App("one", "key-one", "", 1), App("two", "key-two", "", 1))
        self.directory = ModelDirectory()
        self.tokens = self.worker()

    def worker(self, secret: str = SECRET) -> Tokens:
        return Tokens(self.directory, self.apps, secret=secret, now=lambda: self.now)


@pytest.fixture
async def world() -> World:
    world = World()
    for app in ("one", "two"):
        await world.directory.upsert_user(app=app, user="al", profile={})
    return world


async def issued(world: World, app: str = "one") -> str:
    return (await world.tokens.issue(app=app, user="al")).token


async def bound(world: World, token: str = "custom-token", *, life_s: int = DAY_S, replaces: bool = False) -> str:
    await world.tokens.bind(app="one", user="al", token=token, expires_s=int(world.now) + life_s, replaces=replaces)
    return token


async def test_an_issued_token_stands_for_its_user_in_its_app(world: World) -> None:
    session = await world.tokens.verify("one", await issued(world))
    assert session is not None
    assert (session.app, session.user, session.expires_s) == ("one", "al", int(NOW) + 7 * DAY_S)


async def test_every_worker_with_the_secret_takes_it_and_no_other(world: World) -> None:
    token = await issued(world)
    assert await world.worker().verify("one", token) is not None
    assert await world.worker("x" * 32).verify("one", token) is None


async def test_a_token_is_worth_nothing_in_another_app(world: World) -> None:
    token = await issued(world)
    assert await world.tokens.verify("two", token) is None
    assert await world.tokens.verify("none", token) is None


async def test_a_token_ends_with_its_life(world: World) -> None:
    """To the second, though it had been found valid before."""
    token = await issued(world)
    world.now = NOW + 7 * DAY_S - 1
    session = await world.tokens.verify("one", token)
    assert session is not None
    world.now += 1
    assert await world.tokens.verify("one", token) is None
    assert not world.tokens.still_valid(session)


async def test_rotating_an_app_voids_its_tokens_only(world: World) -> None:
    """Issued and custom ones, cached or not; sessions of open connections, too."""
    mine, custom, other = await issued(world), await bound(world), await issued(world, "two")
    sessions = [await world.tokens.verify("one", token) for token in (mine, custom)]
    world.apps.apps["one"] = App("one", "key-one", "", 2)
    assert not any(world.tokens.still_valid(session) for session in sessions if session)
    assert await world.tokens.verify("one", mine) is None
    assert await world.worker().verify("one", mine) is None
    assert await world.tokens.verify("two", other) is not None


async def test_removing_an_app_ends_its_sessions(world: World) -> None:
    session = await world.tokens.verify("one", await issued(world))
    assert session is not None
    del world.apps.apps["one"]
    assert not world.tokens.still_valid(session)


async def test_revoking_counts_here_at_once_and_elsewhere_after_a_look(world: World) -> None:
    elsewhere, token = world.worker(), await issued(world)
    session = await elsewhere.verify("one", token)
    assert session is not None
    await world.tokens.revoke(app="one", user="al", token=token)
    assert await world.tokens.verify("one", token) is None
    await elsewhere.learn_revocations()
    assert await elsewhere.verify("one", token) is None
    assert not elsewhere.still_valid(session)


async def test_a_revocation_is_remembered_no_longer_than_its_token(world: World) -> None:
    token = await issued(world)
    await world.tokens.revoke(app="one", user="al", token=token)
    world.directory.revoked.clear()
    world.now += 7 * DAY_S
    await world.tokens.learn_revocations()
    assert world.tokens._revoked == {}


async def test_revoked_issued_tokens_are_named_by_their_text(world: World) -> None:
    """It follows from what is kept, so it need not be kept."""
    token, _ = await issued(world), await bound(world)
    revoked = await world.tokens.revoke(app="one", user="al")
    assert [one.token for one in revoked] == [token, ""]


async def test_a_custom_token_is_asked_for_once_in_a_while(world: World) -> None:
    token = await bound(world)
    world.directory.asked = 0
    for _ in range(5):
        assert await world.tokens.verify("one", token) is not None
    assert world.directory.asked == 1
    world.now += BOUND_CACHE_S
    assert await world.tokens.verify("one", token) is not None
    assert world.directory.asked == 2


async def test_an_unknown_token_is_not_remembered_as_unknown(world: World) -> None:
    assert await world.tokens.verify("one", "custom-token") is None
    await bound(world)
    assert await world.worker().verify("one", "custom-token") is not None
    assert await world.tokens.verify("one", "custom-token") is not None


async def test_a_custom_token_ends_even_while_it_is_believed(world: World) -> None:
    token = await bound(world, life_s=1)
    assert await world.tokens.verify("one", token) is not None
    world.now += 1
    assert await world.tokens.verify("one", token) is None


async def test_a_custom_token_voided_elsewhere_is_believed_for_at_most_four_seconds(world: World) -> None:
    elsewhere, token = world.worker(), await bound(world)
    assert await elsewhere.verify("one", token) is not None
    await world.tokens.revoke(app="one", user="al", token=token)
    world.now += BOUND_CACHE_S
    assert BOUND_CACHE_S < 5
    assert await elsewhere.verify("one", token) is None


async def test_replacing_voids_the_earlier_custom_tokens(world: World) -> None:
    kept = await issued(world)
    await bound(world, "custom-one")
    await bound(world, "custom-two")
    await bound(world, "custom-three", replaces=True)
    found = [await world.tokens.verify("one", token) for token in ("custom-one", "custom-two", "custom-three", kept)]
    assert [session is not None for session in found] == [False, False, True, True]


@pytest.mark.parametrize("token", ["", "seven77", "x" * 4097, "with space", "tab\tinside", "ünicode-token", "null\0null"])
async def test_what_cannot_be_a_custom_token(world: World, token: str) -> None:
    with pytest.raises(Invalid):
        await bound(world, token)


@pytest.mark.parametrize("life_s", [0, -1, 300_000_000_000])
async def test_a_custom_token_must_end_some_day_but_not_yet(world: World, life_s: int) -> None:
    with pytest.raises(Invalid):
        await bound(world, life_s=life_s)


async def test_a_custom_token_has_one_owner(world: World) -> None:
    await bound(world)
    await world.directory.upsert_user(app="one", user="bo", profile={})
    with pytest.raises(TokenConflict):
        await world.tokens.bind(app="one", user="bo", token="custom-token", expires_s=int(NOW) + 1)
    with pytest.raises(UserUnknown):
        await world.tokens.bind(app="one", user="nobody", token="custom-next", expires_s=int(NOW) + 1)


async def test_only_the_owner_s_token_is_revoked(world: World) -> None:
    await world.directory.upsert_user(app="one", user="bo", profile={})
    token = await issued(world)
    with pytest.raises(TokenUnknown):
        await world.tokens.revoke(app="one", user="bo", token=token)
    with pytest.raises(TokenUnknown):
        await world.tokens.revoke(app="two", user="al", token=token)
    assert await world.tokens.verify("one", token) is not None


async def test_ending_a_session_that_the_directory_has_lost(world: World) -> None:
    token = await issued(world)
    session = await world.tokens.verify("one", token)
    assert isinstance(session, Session)
    world.directory.tokens.clear()
    await world.tokens.end(session)
    assert await world.tokens.verify("one", token) is None


async def test_the_cache_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "CACHED_TOKENS", 3)
    tokens = [await issued(world) for _ in range(5)]
    for token in [*tokens, *tokens]:
        assert await world.tokens.verify("one", token) is not None
    assert len(world.tokens._issued) == 3
