"""What a token proves, and for how long, by a clock that the test sets."""

import base64
import hmac
import json

import pytest

from readstate.domain import tokens as rules
from readstate.domain.identity import App, Session
from readstate.domain.tokens import BOUND_CACHE_S, Tokens
from readstate.errors import Invalid, TokenConflict, TokenUnknown, UserUnknown
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
        self.directory.now_s = int(NOW)
        self.tokens = self.worker()

    def worker(self, secret: str = SECRET, *, old_secret: str = "", off_s: float = 0.0) -> Tokens:
        """Another worker, on a host whose clock is `off_s` ahead."""
        return Tokens(self.directory, self.apps, secret=secret, old_secret=old_secret, now=lambda: self.now + off_s)

    def new_generation(self, generation: int, app: str = "one") -> None:
        self.apps.apps[app] = App(app, f"key-{app}", "", generation)


@pytest.fixture
async def world() -> World:
    world = World()
    for app in ("one", "two"):
        await world.directory.upsert_user(app=app, user="al", profile={})
    return world


async def issued(world: World, app: str = "one") -> str:
    return (await world.tokens.issue(app=app, user="al")).token


async def bound(world: World, token: str = "the-custom-token", *, life_s: int = DAY_S, replaces: bool = False) -> str:
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
    """Exactly to the second, although it was valid before."""
    token = await issued(world)
    world.now = NOW + 7 * DAY_S - 1
    session = await world.tokens.verify("one", token)
    assert session is not None
    world.now += 1
    assert await world.tokens.verify("one", token) is None
    assert not world.tokens.still_valid(session)


async def test_a_new_generation_voids_the_tokens_of_its_app_only(world: World) -> None:
    """Issued and custom ones, cached or not; sessions of open connections, too."""
    mine, custom, other = await issued(world), await bound(world), await issued(world, "two")
    sessions = [await world.tokens.verify("one", token) for token in (mine, custom)]
    world.new_generation(2)
    assert not any(world.tokens.still_valid(session) for session in sessions if session)
    for worker in (world.tokens, world.worker()):
        assert [await worker.verify("one", token) for token in (mine, custom)] == [None, None]
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
    await elsewhere.refresh_revocations()
    assert await elsewhere.verify("one", token) is None
    assert not elsewhere.still_valid(session)


async def test_a_custom_token_may_be_bound_anew_in_a_new_generation(world: World) -> None:
    """Also by another user: a void token has no owner."""
    token = await bound(world)
    world.new_generation(2)
    await world.directory.upsert_user(app="one", user="bo", profile={})
    await world.tokens.bind(app="one", user="bo", token=token, expires_s=int(NOW) + DAY_S)
    session = await world.tokens.verify("one", token)
    assert session is not None
    assert session.user == "bo"


async def test_tokens_of_the_old_secret_are_good_and_none_is_signed_with_it(world: World) -> None:
    old = await issued(world)
    changed = world.worker("n" * 32, old_secret=SECRET)
    new = (await changed.issue(app="one", user="al")).token
    assert [await changed.verify("one", token) is not None for token in (old, new)] == [True, True]
    only_new, only_old = world.worker("n" * 32), world.worker()
    assert [await only_new.verify("one", token) is not None for token in (old, new)] == [False, True]
    assert [await only_old.verify("one", token) is not None for token in (old, new)] == [True, False]


async def test_a_token_of_the_old_secret_is_revoked_like_any(world: World) -> None:
    """New tokens are signed with the new secret."""
    old = await issued(world)
    changed = world.worker("n" * 32, old_secret=SECRET)
    await changed.revoke(app="one", user="al", token=old)
    assert await changed.verify("one", old) is None
    await issued(world)
    (revoked,) = await changed.revoke(app="one", user="al")
    assert await world.worker("n" * 32).verify("one", revoked.token) is not None
    assert await changed.verify("one", revoked.token) is None


@pytest.mark.parametrize("off_s", [-3600, -60, 0, 60, 3600])
async def test_a_revocation_is_heard_whatever_the_host_s_clock_says(world: World, off_s: float) -> None:
    """Also after a newer one was heard."""
    worker = world.worker(off_s=off_s)
    tokens = [await issued(world) for _ in range(3)]
    for token in tokens:
        assert await worker.verify("one", token) is not None
        await world.worker(off_s=-off_s).revoke(app="one", user="al", token=token)
        await worker.refresh_revocations()
        assert await worker.verify("one", token) is None


async def test_a_revocation_is_heard_from_a_store_that_went_back(world: World) -> None:
    """A replica that took over knows less and has its own clock.

    Its later revocations count all the same.
    """
    first, second = await issued(world), await issued(world)
    elsewhere = world.worker()
    await world.tokens.revoke(app="one", user="al", token=first)
    await elsewhere.refresh_revocations()
    world.directory.revoked.clear()
    world.directory.now_s -= 3600
    await world.worker().revoke(app="one", user="al", token=second)
    await elsewhere.refresh_revocations()
    assert await elsewhere.verify("one", second) is None


async def test_a_revocation_is_remembered_no_longer_than_its_token(world: World) -> None:
    token = await issued(world)
    await world.tokens.revoke(app="one", user="al", token=token)
    world.directory.revoked.clear()
    world.now += 7 * DAY_S
    world.directory.now_s = int(world.now)
    await world.tokens.refresh_revocations()
    assert world.tokens._revoked == {}


async def test_a_revocation_outlasts_a_clock_that_was_ahead_for_a_while(world: World) -> None:
    token = await issued(world)
    await world.tokens.revoke(app="one", user="al", token=token)
    world.now += 8 * DAY_S
    await world.tokens.refresh_revocations()
    world.now -= 8 * DAY_S
    assert await world.tokens.verify("one", token) is None


def signed(claims: object, header: str = '{"alg":"HS256","typ":"JWT"}') -> str:
    """Whatever `claims` and `header` are, signed with the right key."""
    body = claims if isinstance(claims, str) else json.dumps(claims)
    text = ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in (header, body))
    signature = hmac.digest(rules._key(SECRET.encode(), "one", 1), text.encode(), "sha256")
    return f"{text}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


GOOD = {"id": "al", "jti": "1", "exp": int(NOW) + 60}


async def test_what_is_signed_with_the_right_key_is_taken_when_it_makes_sense(world: World) -> None:
    assert await world.tokens.verify("one", signed(GOOD)) is not None
    assert await world.tokens.verify("one", signed(GOOD | {"nbf": int(NOW), "more": [1e300]})) is not None


@pytest.mark.parametrize(
    "claims",
    [
        *(
            f'{{"id":"al","jti":"1","exp":{number}}}'
            for number in ("1e999", "-1e999", "NaN", "Infinity", "9" * 30, "9" * 400, "1e300", "-1")
        ),
        *(
            f'{{"id":"al","jti":"1","exp":4102444800,"nbf":{number}}}'
            for number in ("1e999", "NaN", "4102444800", '"x"', "null")
        ),
        *(
            GOOD | {"exp": odd}
            for odd in ("4102444800", True, None, list[str](), dict[str, str](), 253_402_300_800, 4102444800.5)
        ),
        *(GOOD | {"id": odd} for odd in (1, None, True, ["al"], {"al": 1}, "", "x" * 129, "a\0", "\ud800", "é" * 65)),
        *(GOOD | {"jti": odd} for odd in (1, None, ["1"], "", "\udfff", "x" * 65, "a b", "é")),
        *({name: value for name, value in GOOD.items() if name != missing} for missing in GOOD),
        *("", "null", "[]", '"al"', "1", "{", "[" * 900, '{"id":' * 400),
    ],
)
async def test_odd_claims_make_a_token_void(world: World, claims: object) -> None:
    """Although the right key signed them. There is no exception, whatever they are."""
    assert await world.tokens.verify("one", signed(claims)) is None


@pytest.mark.parametrize(
    "header",
    [
        *(
            "[]",
            "1",
            "{",
            "null",
            "[" * 900,
            "{}",
            '{"alg":["HS256"]}',
            '{"alg":{}}',
            '{"alg":1e999}',
            '{"alg":"none"}',
            '{"alg":"HS512"}',
        ),
        *(
            f'{{"alg":"HS256",{more}}}'
            for more in ('"crit":[[]]', '"crit":["exp"],"exp":1', '"kid":1', '"b64":false', '"b64":' + "9" * 5000)
        ),
    ],
)
async def test_odd_headers_make_a_token_void(world: World, header: str) -> None:
    """Although the right key signed them."""
    assert await world.tokens.verify("one", signed(GOOD, header)) is None


async def test_what_no_header_can_hold_makes_a_token_void(world: World) -> None:
    """Over a socket any text may come."""
    head, _, rest = signed(GOOD).partition(".")
    assert await world.tokens.verify("one", f"{head}.\ud800.{rest}") is None
    assert await world.tokens.verify("one", f"{head}.\ud800") is None
    assert await world.tokens.verify("one", "a.\ud800.b") is None


async def test_revoked_issued_tokens_are_named_by_their_text(world: World) -> None:
    """It follows from stored data, so it need not be stored."""
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
    assert await world.tokens.verify("one", "the-custom-token") is None
    await bound(world)
    assert await world.worker().verify("one", "the-custom-token") is not None
    assert await world.tokens.verify("one", "the-custom-token") is not None


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
    await bound(world, "custom-token-one")
    await bound(world, "custom-token-two")
    await bound(world, "custom-token-three", replaces=True)
    found = [
        await world.tokens.verify("one", token)
        for token in ("custom-token-one", "custom-token-two", "custom-token-three", kept)
    ]
    assert [session is not None for session in found] == [False, False, True, True]


@pytest.mark.parametrize(
    "token",
    ["", "x" * 15, "x" * 4097, "with a space inside", "with\ta-tab-inside", "an-ünicode-token", "null\0null-null-null"],
)
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
        await world.tokens.bind(app="one", user="bo", token="the-custom-token", expires_s=int(NOW) + 1)
    with pytest.raises(UserUnknown):
        await world.tokens.bind(app="one", user="nobody", token="custom-token-next", expires_s=int(NOW) + 1)


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
    world.tokens = world.worker()
    tokens = [await issued(world) for _ in range(5)]
    for token in [*tokens, *tokens]:
        assert await world.tokens.verify("one", token) is not None
    assert len(world.tokens._issued) == 3


async def test_a_forged_token_is_decoded_for_no_app(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a call names no app, a stranger's token counts against all of them."""
    other = World()
    other.tokens = other.worker("z" * 32)
    await other.directory.upsert_user(app="one", user="al", profile={})
    forged, good = await issued(other), await issued(world)
    decoded = []
    decode = rules._JWS.decode

    def counted(token: str, *arguments: object, **more: object) -> object:
        decoded.append(token)
        return decode(token, *arguments, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(rules._JWS, "decode", counted)
    text, _, signature = good.rpartition(".")
    for number in range(100):
        world.new_generation(number, app=f"app-{number}")
        for token in (
            forged,
            f"{text}.",
            f"{text}.{signature[::-1]}",
            f"{text}\udc80.{signature}",
            f"{text}.é",
            "..",
            f"{text}.{'=' * 99}",
        ):
            assert world.tokens.known(f"app-{number}", token) is None
    assert decoded == []
    assert world.tokens.known("one", good) is not None
    assert decoded == [good]


@pytest.mark.parametrize("user", ['"' * 128, "\U0001f600" * 32, "é" * 64])
async def test_a_token_of_the_longest_id_is_good(world: World, user: str) -> None:
    await world.directory.upsert_user(app="one", user=user, profile={})
    token = (await world.tokens.issue(app="one", user=user)).token
    session = await world.worker().verify("one", token)
    assert session is not None
    assert session.user == user
