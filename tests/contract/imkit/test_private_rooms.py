"""Rooms with ids that can be guessed: direct rooms, and rooms that a dialect keeps for itself."""

import pytest

from readstate.settings import Settings
from tests.contract.imkit.test_access import NO_ROOM
from tests.support import tencent_callbacks as told
from tests.support.imkit import Imkit, result
from tests.support.tencent_callbacks import Tencent, with_callbacks

OF_TWO = "direct:2:al:bo"
COMMUNITY = "@TGS#_community"
GROUP = "group-of-al"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return with_callbacks(settings)


@pytest.mark.parametrize("exists", [True, False])
async def test_only_the_two_enter_a_conversation(imkit: Imkit, exists: bool) -> None:
    """An outsider cannot create it first, to be in it when the two come."""
    if exists:
        await imkit.room(OF_TWO, "al", "bo", tags=("direct",))
    await imkit.sign_in("eve")
    before = await imkit.everything()
    for body in ({"_id": OF_TWO}, {"_id": OF_TWO, "invitee": ["al", "bo"]}):
        assert (await imkit.as_user("eve", "POST", "/rooms/createAndJoin", body)).content == NO_ROOM
    assert (await imkit.as_user("eve", "POST", f"/rooms/{OF_TWO}/join")).content == NO_ROOM
    assert await imkit.everything() == before


async def test_the_two_come_back_and_the_backend_brings_whom_it_wants(imkit: Imkit) -> None:
    for user in ("al", "bo"):
        await imkit.sign_in(user)
    assert (
        result(await imkit.as_user("al", "POST", "/rooms/createAndJoin", {"_id": OF_TWO, "invitee": "bo"}))["id"]
        == OF_TWO
    )
    result(await imkit.as_user("al", "POST", f"/rooms/{OF_TWO}/delete/members", {"members": ["al"]}))
    result(await imkit.as_user("al", "POST", f"/rooms/{OF_TWO}/join"))
    there = result(await imkit.as_backend("POST", f"/rooms/{OF_TWO}/join", user="agent"))
    assert {member["id"] for member in there["members"]} == {"al", "bo", "agent"}


async def test_no_user_enters_a_group_unless_it_is_open(imkit: Imkit) -> None:
    """Tencent decides who is in its groups. Their ids are no secret."""
    await imkit.sign_in("eve")
    await Tencent(imkit).tell(told.group_created(GROUP, "al", kind="Private"))
    assert (await imkit.as_user("eve", "POST", f"/rooms/{GROUP}/join")).content == NO_ROOM
    result(await imkit.as_backend("PUT", f"/rooms/{GROUP}", {"opening": 1}))
    result(await imkit.as_user("eve", "POST", f"/rooms/{GROUP}/join"))


async def test_no_user_sets_the_topics_of_a_community(imkit: Imkit) -> None:
    """Otherwise any room could be taken for a topic, and joined and deleted with a community."""
    await imkit.room("garden", "al")
    await imkit.sign_in("eve")
    index = {"_id": f"tencent\u00b7topics:{COMMUNITY}", "garden": True}
    assert (await imkit.as_user("eve", "POST", "/rooms/createAndJoin", index)).content == NO_ROOM
    tencent = Tencent(imkit)
    await tencent.tell(
        told.group_created(COMMUNITY, "al", kind="Community"), told.joined(COMMUNITY, "eve", kind="Community")
    )
    await tencent.tell(told.destroyed(COMMUNITY, "al", kind="Community"))
    assert await tencent.read_state.rooms.rooms_of(app="default", user="al") == ["garden"]
    assert await tencent.read_state.rooms.rooms_of(app="default", user="eve") == []
