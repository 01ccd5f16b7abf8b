"""Direct rooms, and the users whom a client may name."""

from typing import Any

import msgspec
import pytest

from readstate.dialects.imkit.operation import Principal
from readstate.dialects.imkit.rooms import SYSTEM_TYPES
from readstate.dialects.imkit.sockets.http_calls import HTTP_CALLS
from readstate.domain.client_rules import Made
from readstate.settings import Settings
from tests.security.rooms.answers import DIRECT_ONLY, OF_TWO, code_of, refused
from tests.support.imkit import Imkit, refusal, result
from tests.support.rocketchat import Rocketchat

TWO = {"_id": "d", "invitee": "ben"}


@pytest.mark.parametrize(
    "fields", [{"roomTags": ["direct", "work"]}, {"roomType": "direct"}, {"t": "d"}, {"roomType": "DIRECT"}]
)
@pytest.mark.parametrize("people", [[], ["ann"], ["ben", "cid"], ["ben", "cid", "ann"]])
async def test_a_client_makes_a_direct_room_with_exactly_one_other(
    world: Imkit, fields: dict[str, Any], people: list[str]
) -> None:
    for name in ("invitee", "members"):
        body = {"_id": "d", name: people, **fields}
        answer = await refused(world, "ann", "POST", "/rooms/createAndJoin", body)
        assert answer.content == refusal(400, "Bad Request", "INVALID_BODY", DIRECT_ONLY)
    result(await world.as_user("ann", "POST", "/rooms/createAndJoin", {**TWO, **fields}))


async def test_only_the_two_are_brought_into_their_conversation(world: Imkit) -> None:
    answer = await refused(world, "ann", "POST", "/rooms/createAndJoin", {"_id": OF_TWO, "invitee": ["ben", "cid"]})
    assert code_of(answer) == (400, "INVALID_BODY")
    result(await world.as_user("ann", "POST", "/rooms/createAndJoin", {"_id": OF_TWO}))
    assert code_of(await refused(world, "ann", "POST", f"/rooms/{OF_TWO}/members", {"invitees": ["eve"]})) == (
        400,
        "INVALID_BODY",
    )
    result(await world.as_user("ann", "POST", f"/rooms/{OF_TWO}/members", {"invitees": ["ben"]}))
    result(await world.as_user("ben", "POST", f"/rooms/{OF_TWO}/delete/members", {"members": ["ben"]}))
    result(await world.as_user("ben", "POST", f"/rooms/{OF_TWO}/join"))
    result(await world.as_user("ann", "POST", "/rooms/createAndJoin", {**TWO, "roomType": "direct"}))
    assert code_of(await refused(world, "ann", "POST", "/rooms/d/members", {"invitees": ["eve"]})) == (
        400,
        "INVALID_BODY",
    )


@pytest.mark.parametrize("fields", [{"roomTags": ["direct"]}, {"roomType": "direct"}, {"t": "d"}])
async def test_a_client_makes_no_group_a_direct_room(world: Imkit, fields: dict[str, Any]) -> None:
    """A direct room is not made a group either, which could then be opened."""
    assert code_of(await refused(world, "ann", "PUT", "/rooms/r", fields)) == (400, "INVALID_BODY")
    result(await world.as_user("ann", "POST", "/rooms/createAndJoin", TWO))
    result(await world.as_user("ann", "PUT", "/rooms/d", fields))
    for undone in ({"roomTags": list[str]()}, {"roomType": "group"}, {"t": "c"}):
        if set(undone) == set(fields):
            assert code_of(await refused(world, "ann", "PUT", "/rooms/d", undone)) == (400, "INVALID_BODY")
    result(await world.as_backend("PUT", "/rooms/r", fields))


async def test_a_direct_room_is_called_after_the_other_not_as_its_maker_wants(
    world: Imkit, rocketchat: Rocketchat
) -> None:
    for room, fields in {"d": {"roomTags": ["direct"]}, OF_TWO: {}}.items():
        body = {"_id": room, "invitee": "ben", "name": "Your Bank", **fields}
        result(await world.as_user("ann", "POST", "/rooms/createAndJoin", body))
        shown = await rocketchat.subscription("ben", room)
        assert (shown["t"], shown["name"], shown["fname"]) == ("d", "ann", "Ann")


@pytest.mark.parametrize("kind", sorted(SYSTEM_TYPES))
async def test_a_client_sends_nothing_in_the_service_s_own_name(world: Imkit, kind: str) -> None:
    """Neither as a new message nor as an edit, over HTTP and sockets. The backend may."""
    principal = Principal("default", "ann", backend=False, session=None)
    for body in ({"messageType": kind}, {"_id": "m1", "messageType": kind}, {"messageType": kind, "members": ["ben"]}):
        answer = await refused(world, "ann", "POST", "/rooms/r/message", body)
        assert code_of(answer) == (400, "INVALID_BODY")
        said = await HTTP_CALLS["chat message"].answer(world.services, principal, {"room": "r", **body})
        assert said == answer.content
    result(await world.as_backend("POST", "/messages", {"room": "r", "sender": "ann", "messageType": kind}))


@pytest.mark.parametrize("path", ["/rooms/createAndJoin", "/rooms/r/members"])
async def test_a_client_names_only_users_whom_the_backend_has_created(world: Imkit, path: str) -> None:
    field = "invitees" if path.endswith("/members") else "invitee"
    for asked in (False, True):
        body = {field: ["ben", *(f"ghost-{number}" for number in range(7))], "invitationRequired": asked}
        answer = await refused(world, "ann", "POST", path, body)
        named = ", ".join(f"ghost-{number}" for number in range(5))
        text = f"{field} must name users that the backend has created; unknown: {named} and 2 more"
        assert answer.content == refusal(400, "Bad Request", "INVALID_BODY", text)
    result(await world.as_backend("POST", path, {field: ["ghost-0"]}, user="ann"))


async def test_a_user_is_known_from_the_moment_they_are_created(world: Imkit) -> None:
    """At once, not after a cache has expired."""
    body = {"invitees": ["new"]}
    await refused(world, "ann", "POST", "/rooms/r/members", body)
    await world.as_backend("POST", "/admin/clients", {"_id": "new"})
    room = result(await world.as_user("ann", "POST", "/rooms/r/members", body))
    assert "new" in {member["_id"] for member in room["members"]}


class TestLimits:
    """The number of users that one call of a client names."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return msgspec.structs.replace(settings, client_people_limit=2, client_tag_limit=3)

    @pytest.mark.parametrize(
        ("method", "path", "body"),
        [
            ("POST", "/rooms/createAndJoin", {"invitee": ["ben", "cid", "eve"]}),
            (
                "POST",
                "/rooms/createAndJoin",
                {"invitee": ["ben"], "members": ["cid", "eve"], "invitationRequired": True},
            ),
            ("POST", "/rooms/createAndJoin", {"_id": "r", "invitee": ["ben", "cid", "eve"]}),
            ("POST", "/rooms/r/members", {"invitees": ["ben", "cid", "eve"]}),
            ("POST", "/rooms/r/delete/members", {"members": ["ben", "cid", "eve"]}),
            ("POST", "/rooms/createAndJoin", {"roomTags": ["a", "b", "c", "d"]}),
            ("PUT", "/rooms/r", {"roomTags": ["a", "b", "c", "d"], "name": "x"}),
        ],
    )
    async def test_a_client_names_no_more_than_it_may(
        self, world: Imkit, method: str, path: str, body: dict[str, Any]
    ) -> None:
        answer = await refused(world, "ann", method, path, body)
        assert code_of(answer) == (400, "LIMIT_REACHED")
        assert "backend" in answer.json()["error"]["message"]
        result(await world.as_backend(method, path, body, user="ann"))

    async def test_a_client_may_name_as_much_as_the_limits_say(self, world: Imkit) -> None:
        """The caller and repeated names do not count."""
        body = {"invitee": ["ann", "ben", "cid", "ben"], "roomTags": ["a", "b", "c", "a"]}
        result(await world.as_user("ann", "POST", "/rooms/createAndJoin", body))


async def test_what_a_client_makes_is_marked_and_what_the_backend_makes_is_not(world: Imkit) -> None:
    result(await world.as_user("ann", "POST", "/rooms/createAndJoin", {"_id": "mine"}))
    result(await world.as_backend("POST", "/rooms/createAndJoin", {"_id": "bff"}, user="ann"))
    read_state = world.services
    made = {room: (await read_state.rooms.room(app="default", room=room)).made for room in ("mine", "bff", "r")}
    assert made == {"mine": Made.BY_CLIENT, "bff": Made.NOT_BY_CLIENT, "r": Made.NOT_BY_CLIENT}
