"""The rate limit by user and route, shown in three headers.

One call too many is a 429 without errorType.
"""

import re
import time

import msgspec
import pytest

from readstate.settings import Settings
from tests.support.imkit import API_KEY, CLIENT_KEY
from tests.support.rocketchat import PATH, Rocketchat, seen
from tests.support.servers import Server

LIMIT = 3
TOO_MANY = re.compile(
    r'429 {"success":false,"error":"Error, too many requests\. Please slow down\. '
    r'You must wait (\d+) seconds before trying this endpoint again\. \[error-too-many-requests\]"}'
)


@pytest.fixture
def settings(server: Server) -> Settings:
    return Settings(
        redis_url=server.url, api_key=API_KEY, client_key=CLIENT_KEY, token_secret="t" * 32, rocketchat_rate_limit=LIMIT
    )


@pytest.fixture
async def al(rocketchat: Rocketchat) -> Rocketchat:
    for user in ("al", "bo"):
        await rocketchat.backend.sign_in(user)
    await rocketchat.backend.room("r", "al", "bo")
    return rocketchat


async def test_the_headers_count_down_to_a_429(al: Rocketchat) -> None:
    """Reset is in Unix milliseconds; Retry-After is in seconds and only with a 429."""
    for left in (2, 1, 0):
        answer = await al.get("al", "subscriptions.get")
        assert (answer.status_code, answer.headers["x-ratelimit-limit"], answer.headers["x-ratelimit-remaining"]) == (
            200,
            "3",
            str(left),
        )
        assert 0 < int(answer.headers["x-ratelimit-reset"]) - time.time() * 1000 <= 60_000
        assert "retry-after" not in answer.headers
    answer = await al.get("al", "subscriptions.get")
    found = TOO_MANY.fullmatch(seen(answer))
    assert found, seen(answer)
    assert 1 <= int(found[1]) <= 60
    assert (answer.headers["x-ratelimit-remaining"], answer.headers["retry-after"]) == ("0", found[1])


async def test_users_and_routes_are_counted_apart(al: Rocketchat) -> None:
    for _ in range(LIMIT + 1):
        last = await al.get("al", "subscriptions.get")
    assert last.status_code == 429
    assert (await al.get("bo", "subscriptions.get")).status_code == 200
    assert (await al.get("al", "subscriptions.getOne", roomId="r")).status_code == 200
    assert (await al.post("al", "subscriptions.read", {"rid": "r"})).status_code == 200


async def test_only_calls_of_the_right_form_by_somebody_known_count(al: Rocketchat) -> None:
    """401 and the 400s of a bad form come before it and have no headers of the limit."""
    for _ in range(LIMIT + 1):
        for answer in (
            await al.get("al", "subscriptions.getOne"),
            await al.get("al", "subscriptions.getOne", roomId=""),
            await al.client.get(f"{PATH}/subscriptions.getOne?roomId=r", headers={"X-User-Id": "al"}),
        ):
            assert answer.status_code in (400, 401)
            assert "x-ratelimit-limit" not in answer.headers
    assert (await al.get("al", "subscriptions.getOne", roomId="r")).headers["x-ratelimit-remaining"] == "2"


async def test_a_call_that_fails_after_that_counts(al: Rocketchat) -> None:
    answer = await al.get("al", "chat.getMessageReadReceipts", messageId="x")
    assert (answer.status_code, answer.headers["x-ratelimit-remaining"]) == (400, "2")


async def test_a_call_over_the_limit_does_nothing(al: Rocketchat) -> None:
    for _ in range(LIMIT):
        await al.read("al", "r")
    await al.backend.post("r", "bo", "m1")
    assert (await al.post("al", "subscriptions.read", {"rid": "r"})).status_code == 429
    assert await al.backend.badge("al") == 1


async def test_the_count_ends_with_its_window(al: Rocketchat) -> None:
    for _ in range(LIMIT + 1):
        await al.get("al", "subscriptions.get")
    for key in await al.backend.executor.command("KEYS", "*rocketchat_*", key=""):
        await al.backend.executor.command("PEXPIRE", key.decode(), 1, key=key.decode())
    time.sleep(0.01)  # noqa: ASYNC251  # the clock is the store's
    assert (await al.get("al", "subscriptions.get")).headers["x-ratelimit-remaining"] == "2"


class TestOff:
    """READSTATE_ROCKETCHAT_RATE_LIMIT=0"""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return msgspec.structs.replace(settings, rocketchat_rate_limit=0)

    async def test_nothing_is_counted(self, al: Rocketchat) -> None:
        for _ in range(LIMIT + 1):
            answer = await al.get("al", "subscriptions.get")
            assert answer.status_code == 200
            assert "x-ratelimit-limit" not in answer.headers
