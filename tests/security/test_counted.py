"""The work that one caller causes in the store, counted by the store: commands, scripts, CPU."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from readstate.settings import Settings
from tests.support.imkit import CLIENT_KEY, Imkit, result

_STATISTICS = re.compile(rb"cmdstat_(\S+?):calls=(\d+),usec=(\d+)")
SLACK = 20  # commands that workers give by themselves meanwhile


async def counted(imkit: Imkit, call: Callable[[], Awaitable[Any]]) -> tuple[dict[str, int], int]:
    """Commands that the store carried out during a call, by name, and the microseconds that its
    scripts took.
    """
    await imkit.executor.command("CONFIG", "RESETSTAT", key="")
    await call()
    text = bytes(await imkit.executor.command("INFO", "commandstats", key=""))
    found = {name.decode(): (int(calls), int(usec)) for name, calls, usec in _STATISTICS.findall(text)}
    scripts = [usec for name, (_, usec) in found.items() if name.startswith("fcall")]
    return {name: calls for name, (calls, _) in found.items()}, sum(scripts)


def scripts_in(commands: dict[str, int]) -> int:
    return sum(calls for name, calls in commands.items() if name.startswith("fcall"))


async def rooms(imkit: Imkit, user: str, count: int, tags: int = 0) -> None:
    """Bring a user into rooms, each with tags of its own."""
    for start in range(0, count, 20):
        numbers = range(start, min(start + 20, count))
        await asyncio.gather(
            *(
                imkit.room(f"{user}-{number}", user, tags=tuple(f"{user}-{number}-{k}" for k in range(tags)))
                for number in numbers
            )
        )


class TestWithoutRates:
    """The cost of a single call, whatever its rate limit."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return msgspec.structs.replace(settings, user_rate_limit=0, address_rate_limit=0)

    async def test_unread_of_every_tag_costs_in_proportion_to_the_tags(self, imkit: Imkit) -> None:
        """Four times the rooms and tags take about four times the store's time, not sixteen times
        or more; and a call is one script.
        """
        took = {}
        for count in (25, 100):
            user = f"u{count}"
            await rooms(imkit, user, count, tags=10)
            await imkit.sign_in(user)
            times = []
            for _ in range(7):
                commands, usec = await counted(imkit, lambda: imkit.as_user(user, "POST", "/badges/byRoomTags", {}))  # noqa: B023
                assert scripts_in(commands) <= 3
                times.append(usec)
            took[count] = min(times)
        assert took[100] <= 8 * took[25]
        assert took[100] <= 25_000

    async def test_a_page_of_rooms_fetches_no_rooms_that_are_not_on_it(self, imkit: Imkit) -> None:
        given = {}
        for count in (20, 200):
            user = f"u{count}"
            await rooms(imkit, user, count)
            await imkit.sign_in(user)
            commands, _ = await counted(imkit, lambda: imkit.as_user(user, "GET", "/rooms?limit=1"))  # noqa: B023
            given[count] = commands["hgetall"]
        # A room is fetched with its profile; what is asked of the others, to choose the page, takes
        # none.
        assert given[200] == given[20]

    async def test_people_whom_a_client_names_must_be_known(self, imkit: Imkit) -> None:
        """A call of a client makes no users: it is refused, and nothing is written."""
        await imkit.sign_in("al")
        unknown = [f"ghost-{number}" for number in range(50)]
        await imkit.room("r", "al", owner="al")
        before = await imkit.everything()
        for path, body in {
            "/rooms/createAndJoin": {"_id": "new", "invitee": unknown},
            "/rooms/r/members": {"invitees": ["al", *unknown]},
        }.items():
            answer = await imkit.as_user("al", "POST", path, body)
            assert answer.status_code in (400, 404), answer.text
            assert answer.json()["error"]["code"]
            assert await imkit.everything() == before

    async def test_what_is_kept_of_people_ends_when_they_are_in_no_room(self, imkit: Imkit) -> None:
        """The backend may name any user.

        Keys of users without rooms expire.
        """
        ghosts = [f"ghost-{number}" for number in range(100)]
        await imkit.room("r", "al", *ghosts)
        await imkit.post("r", "al", "m1")
        result(await imkit.as_backend("DELETE", "/rooms/r"))
        kept = [key for key in await imkit.executor.command("KEYS", "*", key="") if b"ghost" in key]
        for_ever = [key for key in kept if await imkit.executor.command("PTTL", key, key=key.decode()) < 0]
        assert for_ever == []


@pytest.mark.parametrize(
    ("method", "path", "body", "calls"),
    [
        ("GET", "/me/badge", None, 1_500),
        ("POST", "/badges/byRoomTags", {}, 500),
        ("GET", "/rooms", None, 300),
        ("POST", "/rooms/createAndJoin", {}, 300),
        ("GET", "/api/v1/subscriptions.get", None, 1_500),
    ],
)
async def test_beyond_their_rate_a_user_s_calls_reach_the_store_no_more(
    imkit: Imkit, settings: Settings, method: str, path: str, body: Any, calls: int
) -> None:
    """A refused call costs the store nothing, and says when to try again."""
    token = await imkit.sign_in("al")
    headers = (
        {"X-Auth-Token": token, "X-User-Id": "al"}
        if path.startswith("/api")
        else {"IM-CLIENT-KEY": CLIENT_KEY, "IM-Authorization": token}
    )
    answers = []

    async def ask() -> None:
        for _ in range(calls):
            answers.append(await imkit.call(method, path, body, headers))

    before = time.monotonic()
    commands, _ = await counted(imkit, ask)
    elapsed_s = time.monotonic() - before
    done = sum(answer.status_code == 200 for answer in answers)
    refused = [answer for answer in answers if answer.status_code == 429]
    assert done + len(refused) == calls
    assert done <= settings.user_rate_limit * (10 + elapsed_s)
    assert refused, f"all of {calls} were done"
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
    # A handful of scripts for each accepted call, none for the others.
    assert scripts_in(commands) <= 6 * done + SLACK
