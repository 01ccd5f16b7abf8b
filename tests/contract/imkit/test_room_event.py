"""The payload of the `room` event: its fields, and the ones that a large one lacks."""

from typing import Any

import msgspec
import pytest

from readstate.dialects.imkit.sockets.payloads import MAX_BYTES, MAX_MEMBERS, room_event
from readstate.store.redis_store import redis_store
from tests.support.imkit import Imkit, result

ALWAYS = {"_id", "id", "appID", "roomType", "status", "createdTime", "createdTimeMS", "members"}


async def payload_of(imkit: Imkit, room: str = "r") -> dict[str, Any]:
    services = imkit.services
    payload = await room_event(services.rooms, services.people, "default", room)
    assert len(payload) <= MAX_BYTES
    decoded: dict[str, Any] = msgspec.json.decode(payload)
    assert decoded.keys() >= ALWAYS
    return decoded


async def test_a_small_room_is_sent_whole(imkit: Imkit) -> None:
    """As HTTP answers it, but without personal fields and the read states of members."""
    await imkit.room("r", "al", "bo", tags=("work",), name="né", cover="c.png")
    await imkit.post("r", "al", "m1")
    whole = result(await imkit.as_backend("GET", "/rooms/r"))
    for personal in ("memberProperties", "unread", "isSuperuser"):
        whole.pop(personal, None)
    event = await payload_of(imkit)
    assert sorted(event.pop("members"), key=str) == sorted(whole.pop("members"), key=str)
    assert event == whole


async def test_of_many_members_a_hundred_are_sent(imkit: Imkit) -> None:
    members = [f"member-{number}" for number in range(MAX_MEMBERS + 1)]
    await imkit.room("r", *members[:-1])
    event = await payload_of(imkit)
    assert (len(event["members"]), "partial" in event) == (MAX_MEMBERS, False)
    result(await imkit.as_backend("POST", "/rooms/r/members", {"invitees": members[-1:]}))
    event = await payload_of(imkit)
    assert (len(event["members"]), event["partial"]) == (MAX_MEMBERS, True)


async def test_the_largest_fields_of_a_profile_are_left_out_first(imkit: Imkit) -> None:
    """Profile fields have half of the size, members the rest."""
    await imkit.room("r", *(f"{number:03d}".ljust(128, '"') for number in range(100)))
    for number in range(30):
        field = {f"f{number:02d}": "x" * (100 * (number + 1))}
        result(await imkit.as_backend("PUT", "/rooms/r", field))
    event = await payload_of(imkit)
    fields = [name for name in event if name.startswith("f")]
    assert sorted(fields) == [f"f{number:02d}" for number in range(len(fields))]
    assert 10 < len(fields) < 20
    assert 20 < len(event["members"]) < 60
    assert event["partial"] is True


async def test_members_with_too_large_profiles_are_left_out_for_others(imkit: Imkit) -> None:
    for user in ("al", "bo", "cy", "di"):
        large = dict.fromkeys(("nickname", "avatarUrl", "description"), user[0] * 4000) if user < "cz" else {}
        result(await imkit.as_backend("POST", "/admin/clients", {"_id": user, **large}))
    await imkit.room("r", "al", "bo", "cy", "di")
    event = await payload_of(imkit)
    assert {"di"} < {member["_id"] for member in event["members"]} < {"al", "bo", "cy", "di"}


@pytest.mark.parametrize(("count", "letter", "are_sent"), [(100, "x", True), (40, "\U0001f600", False)])
async def test_tags_are_sent_all_or_none(imkit: Imkit, count: int, letter: str, are_sent: bool) -> None:
    """Clients would take a part for the whole. An older version allowed that many tags."""
    tags = [f"{number:03d}".ljust(250, letter) for number in range(count)]
    await imkit.room("r", "al")
    await redis_store(imkit.executor).rooms.set_tags(app="default", room="r", tags=tags)
    event = await payload_of(imkit)
    assert [member["_id"] for member in event["members"]] == ["al"]
    assert (event.get("roomTags"), event.get("partial")) == ((tags, None) if are_sent else (None, True))


async def test_a_profile_field_cannot_replace_one_of_ours(imkit: Imkit) -> None:
    await imkit.room("r", "al", partial=True, memberProperties=[{"client": "al", "lastRead": "zzz"}], unread=7)
    event = await payload_of(imkit)
    assert not {"partial", "memberProperties", "unread"} & event.keys()
