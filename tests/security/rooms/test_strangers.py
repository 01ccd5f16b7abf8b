"""A stranger learns nothing about a room."""

from typing import Any

import msgspec
import pytest

from readstate.dialects.imkit.operation import Principal
from readstate.dialects.imkit.sockets.http_calls import HTTP_CALLS
from readstate.domain.direct import direct_room
from tests.security.rooms.answers import NO_ROOM, NOT_FOUND, OF_TWO, STRANGER, refused
from tests.support.imkit import Imkit, result
from tests.support.rocketchat import Rocketchat

PROBES: list[tuple[str, str, Any]] = [
    ("PUT", "/rooms/{}/lastRead", {"message": "m1"}),
    ("PUT", "/rooms/{}", {"name": "x"}),
    ("PUT", "/rooms/{}", {"roomTags": ["a"], "status": 0}),
    ("DELETE", "/rooms/{}", None),
    ("POST", "/rooms/{}/join", None),
    ("POST", "/rooms/{}/members", {"invitees": ["eve"]}),
    ("POST", "/rooms/{}/members", {"invitees": ["nobody"]}),
    ("POST", "/rooms/{}/members", {"invitees": ["cid"], "invitationRequired": True}),
    ("POST", "/rooms/{}/delete/members", {"members": ["eve"]}),
    ("POST", "/rooms/{}/delete/members", {"members": ["ann"]}),
    ("GET", "/rooms/{}/messages/m1/receipts", None),
    ("GET", "/rooms/{}/receipts?messages=m1", None),
    ("POST", "/rooms/{}/message", {"message": "x"}),
    ("POST", "/rooms/{}/message", {"_id": "m1", "message": "x"}),
    ("DELETE", "/rooms/{}/messages/m1", None),
    ("DELETE", "/rooms/{}/messages/_all", None),
]


@pytest.mark.parametrize(("theirs", "none"), [("r", "none"), (OF_TWO, direct_room("ann", "cid"))])
@pytest.mark.parametrize(("method", "path", "body"), PROBES)
async def test_a_stranger_cannot_tell_a_room_from_none(
    probed: Imkit, method: str, path: str, body: Any, theirs: str, none: str
) -> None:
    """The same answer, byte for byte, after as many questions to the store."""
    answers, spent = [], []
    for room in (theirs, none, theirs, none):
        before = probed.round_trips
        answers.append(await refused(probed, "eve", method, path.format(room), body))
        spent.append(probed.round_trips - before)
    assert answers[0].status_code == (403 if path.endswith("/message") else 404)
    assert len({(answer.status_code, answer.content) for answer in answers}) == 1
    assert spent[2] == spent[3]


async def test_a_stranger_is_told_that_they_are_none_only_of_the_room_s_own_view(probed: Imkit) -> None:
    """The original documents it there."""
    assert (await refused(probed, "eve", "GET", "/rooms/r")).content == STRANGER
    assert (await refused(probed, "eve", "GET", "/rooms/none")).content == NO_ROOM


async def test_a_stranger_s_reads_are_answered_alike_in_a_list_and_over_a_socket(probed: Imkit) -> None:
    items = [{"room": room, "message": "m1"} for room in ("r", "none")]
    theirs, none = result(await probed.as_user("eve", "PUT", "/me/lastReads", {"items": items}))["results"]
    assert theirs == none == msgspec.json.decode(NOT_FOUND)
    principal = Principal("default", "eve", backend=False, session=None)
    for item in items:
        assert await HTTP_CALLS["lastRead"].answer(probed.services, principal, item) == NOT_FOUND


ROCKETCHAT: list[tuple[str, str, Any, Any]] = [
    ("GET", "channels.counters", {"roomId": "r"}, {"roomId": "none"}),
    ("GET", "channels.counters", {"roomId": OF_TWO}, {"roomId": "none"}),
    ("GET", "channels.counters", {"roomName": "Room"}, {"roomName": "None"}),
    ("GET", "groups.counters", {"roomId": "p"}, {"roomId": "none"}),
    ("GET", "groups.counters", {"roomId": "r"}, {"roomId": "none"}),
    ("GET", "im.counters", {"roomId": OF_TWO}, {"roomId": "none"}),
    ("GET", "dm.counters", {"roomId": "r"}, {"roomId": "none"}),
    ("GET", "subscriptions.getOne", {"roomId": "r"}, {"roomId": "none"}),
    ("POST", "subscriptions.read", {"rid": "r"}, {"rid": "none"}),
    ("POST", "subscriptions.unread", {"roomId": "r"}, {"roomId": "none"}),
    ("POST", "subscriptions.unread", {"firstUnreadMessage": {"_id": "m1"}}, {"firstUnreadMessage": {"_id": "none"}}),
    ("GET", "chat.getMessageReadReceipts", {"messageId": "m1"}, {"messageId": "none"}),
    ("GET", "chat.getMessageReadReceipts", {"messageId": "d1"}, {"messageId": "none"}),
    ("POST", "chat.readThread", {"tmid": "m1"}, {"tmid": "none"}),
]


@pytest.mark.parametrize(("method", "call", "theirs", "none"), ROCKETCHAT)
async def test_a_stranger_cannot_tell_a_room_or_message_from_none_in_the_words_of_rocketchat(
    probed: Imkit, rocketchat: Rocketchat, method: str, call: str, theirs: Any, none: Any
) -> None:
    await probed.room("p", "ann", t="p")
    await probed.room("eves", "eve")
    await rocketchat.headers("eve")
    answers, spent = [], []
    for given in (theirs, none, theirs, none):
        before = probed.round_trips
        answer = await (
            rocketchat.post("eve", call, given) if method == "POST" else rocketchat.get("eve", call, **given)
        )
        answers.append((answer.status_code, answer.content))
        spent.append(probed.round_trips - before)
    assert len(set(answers)) == 1
    assert spent[2] == spent[3]
