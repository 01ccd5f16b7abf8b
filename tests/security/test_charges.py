"""The work of a call is paid for, also when it is refused or when its input is wrong."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count

import httpx
import pytest
from msgspec.structs import replace

from readstate.dialects.access.credentials import MISSES_AT_ONCE
from readstate.dialects.access.rate_limits import MAX_EXPENSIVE_CALLS
from readstate.domain.limits import MAX_TOKENS_PER_CALL
from readstate.settings import Settings
from readstate.store.apps import AppRegistry
from tests.support.imkit import CLIENT_KEY, Imkit
from tests.support.rocketchat import PATH, Rocketchat
from tests.support.tencent import with_tencent

OTHER_APPS = 5
BOUND = "custom-token-of-ann-1"

Ask = Callable[[int], Awaitable[httpx.Response]]


@pytest.fixture
def fanout_limit() -> int:
    return 256


@pytest.fixture
def settings(settings: Settings, fanout_limit: int) -> Settings:
    return replace(with_tencent(settings), fanout_limit=fanout_limit)


async def with_other_apps(imkit: Imkit) -> str:
    """A token of ann; there are several apps in which tokens may be good."""
    registry: AppRegistry = imkit.services.apps
    for number in range(OTHER_APPS):
        await registry.add(f"other-{number}")
    await registry.refresh()
    return await imkit.sign_in("ann")


@pytest.mark.parametrize("bound", [False, True], ids=["issued", "bound"])
@pytest.mark.parametrize("way", ["client key", "no client key", "rocketchat", "rocketchat login"])
async def test_a_good_token_with_something_wrong_beside_it_is_counted_and_does_not_ask_all_apps_again(
    imkit: Imkit, way: str, bound: bool
) -> None:
    token = await with_other_apps(imkit)
    if bound:
        body = {"token": BOUND, "expirationDate": "2099-01-01T00:00:00Z"}
        assert (await imkit.as_backend("PUT", "/admin/clients/ann/token", body)).status_code == 200
        token = BOUND

    async def ask(number: int) -> httpx.Response:
        match way:
            case "client key":
                return await imkit.call(
                    "GET", "/me", headers={"IM-CLIENT-KEY": f"wrong-{number}", "IM-Authorization": token}
                )
            case "no client key":
                return await imkit.call("GET", "/me", headers={"IM-Authorization": token})
            case "rocketchat":
                return await imkit.client.get(
                    f"{PATH}/subscriptions.getOne?roomId=r",
                    headers={"X-Auth-Token": token, "X-User-Id": f"wrong-{number}"},
                )
        return await imkit.client.post(f"{PATH}/login", json={"user": f"wrong-{number}", "password": token})

    before, asked = imkit.round_trips, 2 * MISSES_AT_ONCE
    answers = [await ask(number) for number in range(asked)]
    assert {answer.status_code for answer in answers[:MISSES_AT_ONCE]} == {403 if "client key" in way else 401}
    assert answers[-1].status_code == 429
    assert answers[-1].headers["retry-after"] == "1"
    profiles = asked if way == "rocketchat login" else 0
    # All apps are asked once a second at most, however often one asks.
    assert imkit.round_trips - before <= profiles + 3 * (OTHER_APPS + 1)
    good = await imkit.call("GET", "/me", headers={"IM-CLIENT-KEY": CLIENT_KEY, "IM-Authorization": token})
    assert good.status_code == 200


async def test_guesses_at_tokens_in_a_body_are_counted_each(imkit: Imkit) -> None:
    """POST /badges takes many tokens at once, with a public key alone."""

    async def guess(first: int) -> int:
        body = {"tokens": [f"a-guess-at-a-token-{number:04}" for number in range(first, first + MAX_TOKENS_PER_CALL)]}
        return (await imkit.call("POST", "/badges", body, {"IM-CLIENT-KEY": CLIENT_KEY})).status_code

    token = await imkit.sign_in("ann")
    answers = [await guess(number * MAX_TOKENS_PER_CALL) for number in range(3)]
    assert answers == [401, 429, 429]
    before = imkit.round_trips
    assert await guess(1000) == 429
    assert imkit.round_trips == before
    # A good token passes, no matter how many wrong ones came from its address.
    good = await imkit.call("POST", "/badges", {"tokens": [token]}, {"IM-CLIENT-KEY": CLIENT_KEY})
    assert good.json()["result"]["totalBadge"] == 0


async def test_a_login_without_the_form_of_one_counts(imkit: Imkit) -> None:
    answers = [await imkit.client.post(f"{PATH}/login", json={"user": 1}) for _ in range(1500)]
    assert answers[0].status_code == 401
    assert answers[-1].status_code == 429


async def test_logging_in_is_paid_for_before_the_store_is_asked_who_that_is(imkit: Imkit) -> None:
    token = await imkit.sign_in("ann")
    for number in count():
        before = imkit.round_trips
        if (await imkit.client.post(f"{PATH}/login", json={"resume": token})).status_code == 429:
            break
        assert number < 1000
    assert imkit.round_trips == before


async def test_finding_a_room_by_its_name_costs_as_a_list_of_rooms_does(imkit: Imkit, rocketchat: Rocketchat) -> None:
    for number in range(200):
        await imkit.room(f"r{number}", "ann", name=f"name {number}")
    for call in ("channels.counters", "groups.counters"):
        answers = [await rocketchat.get("ann", call, roomName="none") for _ in range(40)]
        assert [answer.status_code for answer in answers].count(429) >= 15


async def test_rooms_are_looked_for_by_name_a_few_times_at_once(imkit: Imkit, rocketchat: Rocketchat) -> None:
    """The cost of such a call is known while it runs."""
    for number in range(120):
        await imkit.room(f"r{number}", "ann")
    await imkit.sign_in("ann")
    answers = await asyncio.gather(*(rocketchat.get("ann", "channels.counters", roomName="none") for _ in range(12)))
    assert sorted(answer.status_code for answer in answers) == [400] * MAX_EXPENSIVE_CALLS + [429] * (
        12 - MAX_EXPENSIVE_CALLS
    )
    assert (await rocketchat.get("ann", "channels.counters", roomName="r1")).status_code == 200


@pytest.mark.parametrize("fanout_limit", [1])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/me/badge"),
        ("POST", "/badges/byRoomTags"),
        ("PUT", "/rooms/r0/lastRead"),
        ("PUT", "/me/lastReads"),
        ("POST", "/badges"),
    ],
)
async def test_a_badge_costs_more_for_each_large_room_that_it_asks(imkit: Imkit, method: str, path: str) -> None:
    """With 80 large rooms it costs 6 units instead of 1."""
    for number in range(80):
        await imkit.room(f"r{number}", "ann", "bob")
        await imkit.post(f"r{number}", "bob", f"m{number}")  # now it tells more than one
    body = {
        "/rooms/r0/lastRead": {"message": "m0"},
        "/me/lastReads": {"items": [{"room": "r0", "message": "m0"}]},
        "/badges": {"tokens": [await imkit.sign_in("ann")]},
    }.get(path)
    for number in count():
        answer = await imkit.as_user("ann", method, path, body)
        if answer.status_code == 429:
            break
        assert answer.status_code == 200
        assert number < 300
    assert number > 90


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("join", {}),
        ("members", {"invitees": ["ann"]}),
        ("members", {"invitees": ["none"]}),
        ("delete/members", {"members": ["ann"]}),
    ],
)
async def test_a_stranger_does_not_learn_from_the_price_whether_a_room_is_there(
    imkit: Imkit, path: str, body: object
) -> None:
    """A large room of others costs as much as an unknown one."""
    await imkit.room("large", *(f"u{number}" for number in range(900)))

    async def calls(user: str, room: str) -> int:
        for number in count():
            if (await imkit.as_user(user, "POST", f"/rooms/{room}/{path}", body)).status_code == 429:
                return number
        raise AssertionError

    assert abs(await calls("eve", "large") - await calls("eva", "none")) <= 1
