"""An invitation lets a user in, and does no more."""

import msgspec
import pytest

from readstate.settings import Settings
from tests.security.rooms.answers import NO_ROOM, OF_TWO, STRANGER, code_of, members_of, refused
from tests.support.imkit import Imkit, result


async def test_nobody_is_a_member_by_an_invitation_alone(world: Imkit) -> None:
    """An invited user may join a closed room, once. Others may not."""
    result(await world.as_user("ann", "POST", "/rooms/r/members", {"invitees": ["eve"], "invitationRequired": True}))
    await world.post("r", "ann", "m2")
    assert await world.badge("eve") == 0
    assert (await world.as_user("eve", "GET", "/rooms/r")).content == STRANGER
    await world.sign_in("fay")
    assert (await refused(world, "fay", "POST", "/rooms/r/join")).content == NO_ROOM
    assert result(await world.as_user("eve", "POST", "/rooms/r/join"))["unread"] == 0
    result(await world.as_user("eve", "POST", "/rooms/r/delete/members", {"members": ["eve"]}))
    assert (await refused(world, "eve", "POST", "/rooms/r/join")).content == NO_ROOM


async def test_an_invitation_that_was_taken_back_lets_nobody_in(world: Imkit) -> None:
    result(await world.as_user("ann", "POST", "/rooms/r/members", {"invitees": ["eve"], "invitationRequired": True}))
    result(await world.as_user("ann", "POST", "/rooms/r/delete/members", {"members": ["eve"]}))
    assert (await refused(world, "eve", "POST", "/rooms/r/join")).content == NO_ROOM


async def test_who_is_invited_to_a_new_room_joins_it(world: Imkit) -> None:
    body = {"_id": "new", "invitee": ["eve", "ben"], "invitationRequired": True}
    result(await world.as_user("ann", "POST", "/rooms/createAndJoin", body))
    assert await members_of(world, "new") == {"ann"}
    result(await world.as_user("eve", "POST", "/rooms/createAndJoin", {"_id": "new"}))
    assert await members_of(world, "new") == {"ann", "eve"}


async def test_a_room_keeps_no_more_than_a_thousand_invitations(world: Imkit) -> None:
    for start in range(0, 1000, 500):
        names = [f"u{number}" for number in range(start, start + 500)]
        result(await world.as_backend("POST", "/rooms/r/members", {"invitees": names, "invitationRequired": True}))
    body = {"invitees": ["eve"], "invitationRequired": True}
    assert code_of(await world.as_user("ann", "POST", "/rooms/r/members", body)) == (400, "LIMIT_REACHED")
    assert (await world.as_user("eve", "POST", "/rooms/r/join")).content == NO_ROOM


class TestInvitedMustAccept:
    """READSTATE_INVITED_MUST_ACCEPT: clients only invite."""

    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return msgspec.structs.replace(settings, invited_must_accept=True)

    async def test_clients_make_nobody_a_member(self, world: Imkit) -> None:
        result(await world.as_user("ann", "POST", "/rooms/r/members", {"invitees": ["eve"]}))
        result(
            await world.as_user(
                "ann", "POST", "/rooms/createAndJoin", {"_id": "new", "members": ["eve"], "invitationRequired": False}
            )
        )
        assert "eve" not in await members_of(world) | await members_of(world, "new")
        for room in ("r", "new"):
            result(await world.as_user("eve", "POST", f"/rooms/{room}/join"))

    async def test_the_backend_brings_people_in(self, world: Imkit) -> None:
        result(await world.as_backend("POST", "/rooms/r/members", {"invitees": ["eve"]}))
        result(await world.as_backend("POST", "/rooms/createAndJoin", {"_id": "new", "invitee": "eve"}, user="ann"))
        assert "eve" in await members_of(world) & await members_of(world, "new")

    async def test_a_direct_room_has_its_two_members_at_once(self, world: Imkit) -> None:
        """The original ignores invitations there."""
        result(await world.as_user("ann", "POST", "/rooms/createAndJoin", {"_id": OF_TWO, "invitee": "ben"}))
        assert await members_of(world, OF_TWO) == {"ann", "ben"}
