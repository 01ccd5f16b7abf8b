"""The work of one call in store and worker, counted."""

from collections.abc import Sequence
from typing import Any

from tests.support.imkit import Imkit, result
from tests.support.rocketchat import Rocketchat

ROOMS = 60


async def calls_of(imkit: Imkit, work: Any) -> dict[str, int]:
    """How often each command ran while `work` was answered, those inside scripts included."""
    await imkit.executor.command("CONFIG", "RESETSTAT", key="")
    await work
    lines = (await imkit.executor.command("INFO", "commandstats", key="")).decode().splitlines()
    return {
        line.partition(":")[0].removeprefix("cmdstat_"): int(line.partition("calls=")[2].partition(",")[0])
        for line in lines
        if ":" in line
    }


async def many_rooms(imkit: Imkit, *members: str) -> Sequence[str]:
    names = [f"r{number:02}" for number in range(ROOMS)]
    for name in names:
        await imkit.room(name, "al", *members, tags=("direct",), note="x" * 4000)
    await imkit.sign_in("al")
    return names


async def test_one_room_of_many_is_listed_without_reading_the_others(imkit: Imkit) -> None:
    """The head of each room. The profile and the members only for the page."""
    await many_rooms(imkit)
    ran = await calls_of(imkit, imkit.as_user("al", "GET", "/rooms?limit=1"))
    # The user's rooms, the profile of one room, and its members, who are put in order.
    assert (ran["hgetall"], ran["zrevrange"]) == (3, 1)
    assert ran["fcall"] <= ROOMS + 5


async def test_subscriptions_take_one_script_a_room_and_read_no_whole_profile(
    imkit: Imkit, rocketchat: Rocketchat
) -> None:
    """A second member of each direct room without a name, for its name."""
    await many_rooms(imkit, "bo")
    headers = {"X-User-Id": "al", "X-Auth-Token": imkit.tokens["al"]}
    await imkit.client.get("/api/v1/me", headers=headers)
    ran = await calls_of(imkit, imkit.client.get("/api/v1/subscriptions.get", headers=headers))
    assert ran["fcall"] <= 2 * ROOMS + 5
    assert ran["hgetall"] <= ROOMS + 2, "profiles were read"


async def test_a_large_room_that_is_deleted_leaves_nothing_with_people_who_never_come_back(imkit: Imkit) -> None:
    """None has it in the list of rooms that a badge asks; those beyond the limit had."""
    members = [f"m{number}" for number in range(300)]
    await imkit.room("large", *members)
    before = await imkit.executor.command("EXISTS", *(f"{{u:default:{member}}}:d" for member in members), key="")
    result(await imkit.as_backend("DELETE", "/rooms/large"))
    after = await imkit.executor.command("EXISTS", *(f"{{u:default:{member}}}:d" for member in members), key="")
    assert (before, after) == (43, 0)
    left = await imkit.executor.command("KEYS", "{r:default:large}*", key="")
    recent = "{r:default:large}:p"  # for those who have just joined
    assert {*left} - {recent.encode()} == {b"{r:default:large}"}, "the head alone, for a day"
    assert await imkit.executor.command("TTL", recent, key="") <= 5
