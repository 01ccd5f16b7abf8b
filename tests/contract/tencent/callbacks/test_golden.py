"""Messages of two accounts, and rules for all callbacks: what each does to badges in IMKit."""

from typing import Any

import msgspec
import pytest

from readstate.dialects.tencent.callbacks.messages import pushed
from readstate.domain.direct import direct_room
from readstate.domain.limits import check_members
from tests.support import tencent_callbacks as told
from tests.support.imkit import result
from tests.support.tencent_callbacks import OK, Tencent

AL_BO = direct_room("al", "bo")


async def test_a_message_of_two_is_unread_for_who_got_it(tencent: Tencent) -> None:
    """Its room is made with it, and has the tag of such rooms. Its sender has read it."""
    await tencent.tell(told.direct_sent("bo", "al", 1), told.direct_sent("bo", "al", 2))
    assert await tencent.badges("al", "bo") == {"al": 2, "bo": 0}
    assert await tencent.imkit.badge("al", "direct") == 2


async def test_the_conversation_is_the_same_from_both_sides(tencent: Tencent) -> None:
    await tencent.tell(told.direct_sent("bo", "al", 1), told.direct_sent("al", "bo", 2))
    assert await tencent.badges("al", "bo") == {"al": 0, "bo": 1}


async def test_a_repeated_message_counts_once(tencent: Tencent) -> None:
    await tencent.tell(*[told.direct_sent("bo", "al", 1)] * 3)
    assert await tencent.badges("al") == {"al": 1}


@pytest.mark.parametrize(
    "field", [{"SendMsgResult": 120001}, {"UnreadMsgNum": -1}, {"OnlineOnlyFlag": 1}, {"OnlineOnlyFlag": "1"}]
)
async def test_what_was_not_delivered_or_not_kept_is_not_unread(tencent: Tencent, field: dict[str, int]) -> None:
    await tencent.tell(told.direct_sent("bo", "al", 1, **field))
    assert await tencent.badges("al") == {"al": 0}
    assert await tencent.read_state.rooms.rooms_of(app="default", user="al") == []


async def test_a_read_on_our_side_is_a_read(tencent: Tencent) -> None:
    """The message's id is its MsgKey."""
    await tencent.tell(told.direct_sent("bo", "al", 1), told.direct_sent("bo", "al", 2))
    result(await tencent.imkit.as_user("al", "PUT", f"/rooms/{AL_BO}/lastRead", {"message": told.key(1)}))
    assert await tencent.badges("al") == {"al": 1}


async def test_a_message_to_oneself_is_unread_for_nobody(tencent: Tencent) -> None:
    await tencent.tell(told.direct_sent("al", "al", 1))
    assert await tencent.badges("al") == {"al": 0}


async def test_a_recalled_message_is_not_unread(tencent: Tencent) -> None:
    """Tencent's own count in the callback means nothing."""
    await tencent.tell(told.direct_sent("bo", "al", 1), told.direct_sent("bo", "al", 2))
    await tencent.tell(*[told.direct_recalled("bo", "al", 1)] * 2)
    assert await tencent.badges("al", "bo") == {"al": 1, "bo": 0}


async def test_a_recall_may_come_before_its_message(tencent: Tencent) -> None:
    await tencent.tell(
        told.direct_recalled("bo", "al", 1), told.direct_sent("bo", "al", 1), told.direct_sent("bo", "al", 2)
    )
    assert await tencent.badges("al", "bo") == {"al": 1, "bo": 0}


async def test_a_message_that_was_recalled_before_it_came_has_no_receipts(tencent: Tencent) -> None:
    await tencent.tell(told.group_recalled("g", 1), told.group_sent("g", "bo", 1), told.group_sent("g", "bo", 2))
    recalled, other = await tencent.read_state.receipts.receipt_counts(app="default", room="g", messages=["1", "2"])
    assert (recalled, other is None) == (None, False)


async def test_a_recall_of_the_unknown_reads_nothing(tencent: Tencent) -> None:
    """Not even for its sender, who has not read the other's message."""
    await tencent.tell(told.direct_sent("bo", "al", 1), told.direct_recalled("al", "bo", 5))
    assert await tencent.badges("al", "bo") == {"al": 1, "bo": 0}


async def test_who_was_taken_out_of_a_conversation_is_in_it_again_with_their_next_message(tencent: Tencent) -> None:
    await tencent.tell(told.direct_sent("bo", "al", 1))
    await tencent.read_state.rooms.remove_members(
        app="default", room=AL_BO, members=check_members("members", ["bo", "al"])
    )
    await tencent.tell(told.direct_sent("bo", "al", 2))
    assert await tencent.badges("al", "bo") == {"al": 1, "bo": 0}


# Other callbacks


@pytest.mark.parametrize(
    ("msg_body", "message"),
    [
        ([{"MsgType": "TIMTextElem", "MsgContent": {"Text": "red packet"}}], "red packet"),
        ([{"MsgType": "TIMTextElem", "MsgContent": {"Text": text}} for text in ("one ", "two")], "one two"),
        (
            [
                {"MsgType": "TIMCustomElem", "MsgContent": {"Data": "x"}},
                {"MsgType": "TIMTextElem", "MsgContent": {"Text": "\u4f60"}},
            ],
            "\u4f60",
        ),
        ([{"MsgType": "TIMFaceElem", "MsgContent": {"Index": 1}}], ""),
        ([{"MsgType": "TIMTextElem", "MsgContent": {"Text": 7}}], ""),
        ("text", ""),
        (None, ""),
    ],
)
def test_what_is_pushed_of_a_message_is_its_text(msg_body: object, message: str) -> None:
    """Sockets get an IMKit message. Nothing of its text is kept."""
    assert msgspec.json.decode(pushed(msg_body)) == {"messageType": "text", "message": message}


@pytest.mark.parametrize(
    "command",
    [
        "Group.CallbackAfterChangeGroupOwner",
        "Group.CallbackAfterMemberFieldChanged",
        "Group.CallbackAfterGroupAttrChanged",
        "Group.CallbackAfterGroupInfoChanged",
        "Group.CallbackAfterGroupFull",
        "State.StateChange",
        "C2C.CallbackBeforeSendMsg",
        "Some.Day",
    ],
)
async def test_what_means_nothing_here_is_acknowledged(tencent: Tencent, command: str) -> None:
    before = await tencent.imkit.everything()
    answer = await tencent.send(command, {"GroupId": 7})
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (
        200,
        OK,
        "application/json; charset=utf-8",
    )
    assert await tencent.imkit.everything() == before


async def test_times_may_come_as_text(tencent: Tencent) -> None:
    await tencent.tell(
        told.direct_sent("bo", "al", 1, EventTime="1700000000000", MsgTime="1700000000", SendMsgResult="0")
    )
    assert await tencent.badges("al") == {"al": 1}


async def test_fields_that_are_null_are_as_good_as_missing(tencent: Tencent) -> None:
    nulls: dict[str, Any] = dict.fromkeys(("EventTime", "OnlineOnlyFlag", "TopicId", "MsgBody"))
    await tencent.tell(told.group_created("g", "al"), told.group_sent("g", "bo", 1, **nulls))
    assert await tencent.badges("al") == {"al": 1}
