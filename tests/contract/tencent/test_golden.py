"""The Tencent dialect: every documented answer byte for byte, and what each command does."""

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from readstate.domain.direct import direct_room
from readstate.settings import Settings
from tests.support.imkit import Imkit
from tests.support.tencent import APP, Tencent, code, said, with_tencent

OK = b'{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}'
THEN = 1_700_000_000
K1, K2, K3 = "1_11_1700000000", "2_22_1700000001", "3_33_1700000002"
SET_READ = "openim/admin_set_msg_read"
UNREAD = "openim/get_c2c_unread_msg_num"
RECEIPT = "openim/c2c_msg_read_receipt"
SET_UNREAD = "group_open_http_svc/set_unread_msg_num"
RECEIPTS = "group_open_http_svc/get_group_msg_receipt"
DETAIL = "group_open_http_svc/get_group_msg_receipt_detail"
SEND_RECEIPT = "group_open_http_svc/group_msg_receipt"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return with_tencent(settings)


@pytest_asyncio.fixture
async def tencent(imkit: Imkit) -> AsyncIterator[Tencent]:
    """dramon2 has sent dramon1 three messages, a second apart.

    In group g, bob has sent two and ann one. Cid is there too.
    """
    tencent = Tencent(imkit)
    await tencent.conversation(
        "dramon1", "dramon2", ("dramon2", K1, THEN), ("dramon2", K2, THEN + 1), ("dramon2", K3, THEN + 2)
    )
    await tencent.group("g", "ann", "bob", "cid", messages=(("bob", 1), ("bob", 2), ("ann", 3)))
    yield tencent


def marked(read_time: Any = None) -> dict[str, Any]:
    """dramon1 reads what dramon2 has sent."""
    return {"Report_Account": "dramon1", "Peer_Account": "dramon2"} | (
        {} if read_time is None else {"MsgReadTime": read_time}
    )


def receipted(*keys: str, **other: Any) -> dict[str, Any]:
    """dramon1 has read single messages of dramon2."""
    messages = [{"From_Account": "dramon2", "To_Account": "dramon1", "MsgKey": key} for key in keys]
    return {"Operator_Account": "dramon1", "Peer_Account": "dramon2", "C2CMsgInfo": messages} | other


def seqs(*seqs: int) -> list[dict[str, int]]:
    return [{"MsgSeq": seq} for seq in seqs]


# Answers as documented


async def test_admin_set_msg_read(tencent: Tencent) -> None:
    answer = await tencent.call(SET_READ, marked("1700000000"))
    assert answer.content == OK
    assert answer.headers["content-type"] == "application/json; charset=utf-8"


async def test_get_c2c_unread_msg_num(tencent: Tencent) -> None:
    """In total or by peer, never both."""
    answer = await tencent.call(UNREAD, {"To_Account": "dramon1"})
    assert answer.content == b'{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"AllC2CUnreadMsgNum":3}'
    answer = await tencent.call(UNREAD, {"To_Account": "dramon1", "Peer_Account": ["dramon2", "teacher"]})
    assert answer.content == (
        b'{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"C2CUnreadMsgNumList":'
        b'[{"Peer_Account":"dramon2","C2CUnreadMsgNum":3},{"Peer_Account":"teacher","C2CUnreadMsgNum":0}]}'
    )


async def test_peers_that_failed(tencent: Tencent) -> None:
    """Impossible names do not keep the others from being counted."""
    answer = await tencent.call(UNREAD, {"To_Account": "dramon1", "Peer_Account": ["", "dramon2", "x" * 33]})
    assert answer.content == (
        b'{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"C2CUnreadMsgNumList":[{"Peer_Account":"dramon2","C2CUnreadMsgNum":3}],'
        b'"ErrorList":[{"Peer_Account":"","ErrorCode":70107},{"Peer_Account":"' + b"x" * 33 + b'","ErrorCode":70107}]}'
    )


async def test_c2c_msg_read_receipt(tencent: Tencent) -> None:
    assert (await tencent.call(RECEIPT, receipted(K1))).content == OK


async def test_set_unread_msg_num(tencent: Tencent) -> None:
    assert (await tencent.call(SET_UNREAD, {"GroupId": "g", "Member_Account": "cid", "UnreadMsgNum": 2})).content == OK
    assert await tencent.unread("g", "cid") == 2


async def test_get_group_msg_receipt(tencent: Tencent) -> None:
    """Ann's own message moved her past bob's. An unknown message does not disturb the others."""
    answer = await tencent.call(RECEIPTS, {"GroupId": "g", "MsgSeqList": seqs(1, 9, 3)})
    assert answer.content == (
        b'{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"GroupMsgReceiptList":['
        b'{"Code":0,"MsgSeq":1,"ReadNum":1,"UnreadNum":1},'
        b'{"Code":10062,"MsgSeq":9,"ReadNum":0,"UnreadNum":0},'
        b'{"Code":0,"MsgSeq":3,"ReadNum":0,"UnreadNum":2}]}'
    )


async def test_get_group_msg_receipt_detail(tencent: Tencent) -> None:
    """`IsFinish` as in the samples, and `IsFinished` as in the table."""
    answer = await tencent.call(DETAIL, {"GroupId": "g", "MsgSeq": 1, "Filter": 0, "Cursor": "", "Count": 200})
    assert answer.content == (
        b'{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"IsFinish":1,"IsFinished":1,"MsgSeq":1,"Cursor":"0",'
        b'"ReadList":[{"Read_Account":"ann"}]}'
    )
    answer = await tencent.call(DETAIL, {"GroupId": "g", "MsgSeq": 3, "Filter": 1, "Cursor": "", "Count": 1})
    assert answer.content == (
        b'{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"IsFinish":0,"IsFinished":0,"MsgSeq":3,"Cursor":"23228258",'
        b'"UnreadList":[{"Unread_Account":"bob"}]}'
    )


async def test_group_msg_receipt(tencent: Tencent) -> None:
    answer = await tencent.call(SEND_RECEIPT, {"GroupId": "g", "From_Account": "cid", "MsgSeqList": seqs(1)})
    assert answer.content == OK


async def test_a_failure(tencent: Tencent) -> None:
    answer = await tencent.call(SET_READ, b"[]")
    assert (
        answer.content
        == b'{"ActionStatus":"FAIL","ErrorInfo":"Fail to Parse json data of body, Please check it","ErrorCode":90001}'
    )


async def test_every_answer_has_a_request_id_of_its_own(tencent: Tencent) -> None:
    """It is in a header, because clients know all fields of a body."""
    ids = {(await tencent.call(SET_READ, body)).headers["x-request-id"] for body in (marked(), marked(), {}, b"x")}
    assert len(ids) == 4


# Reading a conversation


async def test_reading_up_to_a_second_includes_it(tencent: Tencent) -> None:
    assert code(await tencent.call(SET_READ, marked(THEN + 1))) == 0
    assert await tencent.unread_of("dramon1", "dramon2") == 1


@pytest.mark.parametrize("read_time", [THEN, float(THEN), str(THEN)])
async def test_a_time_may_be_an_integer_a_float_or_a_string(tencent: Tencent, read_time: Any) -> None:
    assert code(await tencent.call(SET_READ, marked(read_time))) == 0
    assert await tencent.unread_of("dramon1", "dramon2") == 2


@pytest.mark.parametrize("read_time", [None, 0, 0.0, "", "0", 10**11])
async def test_without_a_time_or_with_one_to_come_everything_is_read(tencent: Tencent, read_time: Any) -> None:
    await tencent.conversation("dramon1", "dramon2", ("dramon2", "4_44_1700000003", 0))
    assert (
        code(await tencent.call(SET_READ, marked(read_time) | ({"MsgReadTime": None} if read_time is None else {})))
        == 0
    )
    assert await tencent.unread_of("dramon1", "dramon2") == 0


async def test_now_includes_what_was_sent_in_this_very_second(tencent: Tencent) -> None:
    """Messages have finer times than the call can name."""
    await tencent.conversation("dramon1", "dramon2", ("dramon2", "4_44_1700000003", 0))
    assert code(await tencent.call(SET_READ, marked(int(time.time())))) == 0
    assert await tencent.unread_of("dramon1", "dramon2") == 0


async def test_an_older_time_changes_nothing(tencent: Tencent) -> None:
    await tencent.call(SET_READ, marked(THEN + 1))
    assert code(await tencent.call(SET_READ, marked(THEN))) == 0
    assert code(await tencent.call(SET_READ, marked(THEN - 1000))) == 0
    assert await tencent.unread_of("dramon1", "dramon2") == 1


@pytest.mark.parametrize(("sent", "unread"), [(THEN, 1), (THEN + 1, 2), (THEN + 2, 2)])
async def test_a_message_that_comes_late(tencent: Tencent, sent: int, unread: int) -> None:
    """From before the named second: read.

    From that very second: unread, because hiding it would be worse.
    """
    await tencent.call(SET_READ, marked(THEN + 1))
    await tencent.conversation("dramon1", "dramon2", ("dramon2", f"5_55_{sent}", sent))
    assert await tencent.unread_of("dramon1", "dramon2") == unread


async def test_it_is_the_reader_who_reads(tencent: Tencent) -> None:
    await tencent.conversation(
        "dramon1", "dramon2", ("dramon1", "6_66_1700000003", THEN + 3), ("dramon2", "7_77_1700000004", THEN + 4)
    )
    await tencent.call(SET_READ, {"Report_Account": "dramon2", "Peer_Account": "dramon1"})
    assert await tencent.unread_of("dramon1", "dramon2") == 1
    assert await tencent.unread_of("dramon2", "dramon1") == 0


@pytest.mark.parametrize(
    "body",
    [
        {"Report_Account": "dramon1", "Peer_Account": "nobody"},
        {"Report_Account": "nobody", "Peer_Account": "nobody else", "MsgReadTime": "1700000000"},
        {"Report_Account": "dramon1", "Peer_Account": "dramon1"},
        {"Report_Account": " ", "Peer_Account": "~" * 32},
    ],
)
async def test_what_nobody_has_begun_is_empty(tencent: Tencent, body: dict[str, Any]) -> None:
    """The service does not know accounts.

    Neither they nor their conversations must exist, and none is made.
    """
    before = await tencent.imkit.everything()
    assert code(await tencent.call(SET_READ, body)) == 0
    assert await tencent.imkit.everything() == before


# Unread conversations


async def test_the_total_is_over_conversations_of_two_only(tencent: Tencent) -> None:
    await tencent.conversation("teacher", "dramon1", ("teacher", "8_88_1700000000", THEN))
    await tencent.group("g2", "dramon1", "bob", messages=(("bob", 1),))
    assert said(await tencent.call(UNREAD, {"To_Account": "dramon1"}))["AllC2CUnreadMsgNum"] == 4
    assert said(await tencent.call(UNREAD, {"To_Account": "nobody"}))["AllC2CUnreadMsgNum"] == 0


@pytest.mark.parametrize("peers", [[], None])
async def test_no_peers_is_all_peers(tencent: Tencent, peers: Any) -> None:
    assert said(await tencent.call(UNREAD, {"To_Account": "dramon1", "Peer_Account": peers}))["AllC2CUnreadMsgNum"] == 3


@pytest.mark.parametrize("peers", ["dramon2", ["dramon2", "dramon2"]])
async def test_a_peer_is_counted_once(tencent: Tencent, peers: Any) -> None:
    answer = said(await tencent.call(UNREAD, {"To_Account": "dramon1", "Peer_Account": peers}))
    assert answer["C2CUnreadMsgNumList"] == [{"Peer_Account": "dramon2", "C2CUnreadMsgNum": 3}]


async def test_peers_are_answered_in_the_order_asked(tencent: Tencent) -> None:
    peers = [f"p{number}" for number in range(9, 0, -1)] + ["dramon2"]
    answer = said(await tencent.call(UNREAD, {"To_Account": "dramon1", "Peer_Account": peers}))
    assert [one["Peer_Account"] for one in answer["C2CUnreadMsgNumList"]] == peers


# Receipts of single messages


async def test_a_receipt_leaves_unread_as_it_is(tencent: Tencent) -> None:
    """A receipt is about one message and moves no cursor."""
    room = direct_room("dramon1", "dramon2")
    assert code(await tencent.call(RECEIPT, receipted(K2, "9_99_1700000000"))) == 0
    assert await tencent.unread_of("dramon1", "dramon2") == 3
    counts = await tencent.read_state.receipts.receipt_counts(app=APP, room=room, messages=[K1, K2, K3])
    assert [(one.read, one.unread) for one in counts] == [(0, 1), (1, 0), (0, 1)]


async def test_older_clients_name_a_message_by_three_numbers(tencent: Tencent) -> None:
    message = {
        "From_Account": "dramon2",
        "To_Account": "dramon1",
        "MsgSeq": 2,
        "MsgRandom": 22,
        "MsgTime": 1700000001,
        "MsgClientTime": 5,
    }
    assert code(await tencent.call(RECEIPT, receipted(C2CMsgInfo=[message]))) == 0
    counts = await tencent.read_state.receipts.receipt_counts(
        app=APP, room=direct_room("dramon1", "dramon2"), messages=[K2]
    )
    assert counts[0].read == 1


async def test_a_receipt_for_a_conversation_that_nobody_has_begun(tencent: Tencent) -> None:
    before = await tencent.imkit.everything()
    message = {"From_Account": "x", "To_Account": "y", "MsgKey": K1}
    assert (
        code(await tencent.call(RECEIPT, {"Operator_Account": "y", "Peer_Account": "x", "C2CMsgInfo": [message]})) == 0
    )
    assert await tencent.imkit.everything() == before


# A member's unread messages of a group


async def test_unread_is_set_back_and_forth_within_what_there_is(tencent: Tencent) -> None:
    """Read messages stay read."""
    for wanted, unread in ((0, 0), (2, 2), (1, 1), (2**53 - 1, 3)):
        assert (
            code(await tencent.call(SET_UNREAD, {"GroupId": "g", "Member_Account": "ann", "UnreadMsgNum": wanted})) == 0
        )
        assert await tencent.unread("g", "ann") == unread
    answer = said(await tencent.call(RECEIPTS, {"GroupId": "g", "MsgSeqList": seqs(1)}))
    assert answer["GroupMsgReceiptList"][0]["ReadNum"] == 1


@pytest.mark.parametrize("kind", ["Meeting", "ChatRoom", "AVChatRoom"])
async def test_groups_that_keep_no_count_take_none(tencent: Tencent, kind: str) -> None:
    await tencent.group("meeting", "ann", "bob", kind=kind, messages=(("bob", 1),))
    assert code(await tencent.call(SET_UNREAD, {"GroupId": "meeting", "Member_Account": "ann", "UnreadMsgNum": 0})) == 0
    assert await tencent.unread("meeting", "ann") == 1


@pytest.mark.parametrize("kind", ["Private", "Work", "Public", "Community", ""])
async def test_groups_that_keep_a_count_take_one(tencent: Tencent, kind: str) -> None:
    await tencent.group("@TGS#_@TGS#c", "ann", "bob", kind=kind, messages=(("bob", 1),))
    assert (
        code(await tencent.call(SET_UNREAD, {"GroupId": "@TGS#_@TGS#c", "Member_Account": "ann", "UnreadMsgNum": 0}))
        == 0
    )
    assert await tencent.unread("@TGS#_@TGS#c", "ann") == 0


# Receipts of groups


async def test_both_numbers_are_of_who_was_there_and_still_is(tencent: Tencent) -> None:
    """The sender, later members and former members do not count."""
    await tencent.group("g3", "ann", "bob", "cid", "dan", "eve", messages=(("ann", 1),))
    for reader in ("bob", "dan"):
        await tencent.read_state.reading.mark_read(app=APP, room="g3", user=reader, message="1")
    await tencent.read_state.rooms.add_members(app=APP, room="g3", members=["fay"])
    await tencent.read_state.rooms.remove_members(app=APP, room="g3", members=["dan", "eve"])
    counts = said(await tencent.call(RECEIPTS, {"GroupId": "g3", "MsgSeqList": seqs(1)}))["GroupMsgReceiptList"]
    assert counts == [{"Code": 0, "MsgSeq": 1, "ReadNum": 1, "UnreadNum": 1}]
    read = said(await tencent.call(DETAIL, {"GroupId": "g3", "MsgSeq": 1, "Filter": 0, "Cursor": "", "Count": 200}))
    unread = said(await tencent.call(DETAIL, {"GroupId": "g3", "MsgSeq": 1, "Filter": 1, "Cursor": "", "Count": 200}))
    assert (read["ReadList"], unread["UnreadList"]) == ([{"Read_Account": "bob"}], [{"Unread_Account": "cid"}])
    assert "UnreadList" not in read
    assert "ReadList" not in unread


async def test_a_message_named_twice_is_answered_twice(tencent: Tencent) -> None:
    counts = said(await tencent.call(RECEIPTS, {"GroupId": "g", "MsgSeqList": seqs(2, 1, 2, 0)}))["GroupMsgReceiptList"]
    assert [(one["MsgSeq"], one["Code"]) for one in counts] == [(2, 0), (1, 0), (2, 0), (0, 10062)]


async def test_a_recalled_message_has_no_receipts(tencent: Tencent) -> None:
    await tencent.read_state.messages.recall_message(app=APP, room="g", message="1", body="{}")
    counts = said(await tencent.call(RECEIPTS, {"GroupId": "g", "MsgSeqList": seqs(1)}))["GroupMsgReceiptList"]
    assert counts == [{"Code": 10062, "MsgSeq": 1, "ReadNum": 0, "UnreadNum": 0}]
    assert code(await tencent.call(DETAIL, {"GroupId": "g", "MsgSeq": 1, "Filter": 0, "Count": 1})) == 10062


@pytest.mark.parametrize("listed", [0, 1])
async def test_pages_are_in_order_and_name_everybody_once(tencent: Tencent, listed: int) -> None:
    """By name, byte by byte, to the last page, which says so."""
    people = [f"p{number:02}" for number in range(25)] + ["Zoe", "日本", "p"]
    await tencent.group("many", "bob", *people, messages=(("bob", 1),))
    if listed == 0:
        for reader in people:
            await tencent.read_state.reading.mark_read(app=APP, room="many", user=reader, message="1")
    found, cursor, last = [], "", 0
    while not last:
        body = {"GroupId": "many", "MsgSeq": 1, "Filter": listed, "Cursor": cursor, "Count": 9}
        answer = said(await tencent.call(DETAIL, body))
        page = answer["UnreadList" if listed else "ReadList"]
        assert 1 <= len(page) <= 9
        assert cursor != answer["Cursor"]
        assert answer["Cursor"].isdecimal()
        found += [one["Unread_Account" if listed else "Read_Account"] for one in page]
        cursor, last = answer["Cursor"], answer["IsFinish"]
        assert (cursor == "0", answer["IsFinished"]) == (last == 1, last)
    assert found == sorted(people)


async def test_paging_goes_on_where_it_was_while_people_read(tencent: Tencent) -> None:
    """A member who does not read it meanwhile is on one page, and no member is on two."""
    people = [f"p{number:02}" for number in range(20)]
    await tencent.group("many", "bob", *people, messages=(("bob", 1),))
    first = said(await tencent.call(DETAIL, {"GroupId": "many", "MsgSeq": 1, "Filter": 1, "Cursor": "0", "Count": 10}))
    for reader in ("p00", "p09", "p10", "p15"):
        await tencent.read_state.reading.mark_read(app=APP, room="many", user=reader, message="1")
    body = {"GroupId": "many", "MsgSeq": 1, "Filter": 1, "Cursor": first["Cursor"], "Count": 10}
    second = said(await tencent.call(DETAIL, body))
    assert [one["Unread_Account"] for one in first["UnreadList"]] == people[:10]
    assert [one["Unread_Account"] for one in second["UnreadList"]] == [one for one in people[11:] if one != "p15"]


async def test_a_page_that_ends_with_the_list_is_the_last(tencent: Tencent) -> None:
    answer = said(await tencent.call(DETAIL, {"GroupId": "g", "MsgSeq": 3, "Filter": 1, "Count": 2}))
    assert (len(answer["UnreadList"]), answer["IsFinish"], answer["Cursor"]) == (2, 1, "0")
    empty = said(await tencent.call(DETAIL, {"GroupId": "g", "MsgSeq": 3, "Filter": 0, "Count": 2}))
    assert (empty["ReadList"], empty["IsFinish"], empty["Cursor"]) == ([], 1, "0")


async def test_a_sent_receipt_is_in_the_lists_and_leaves_unread_as_it_is(tencent: Tencent) -> None:
    """Own messages, unknown ones and repeats are ignored."""
    await tencent.group("g4", "ann", "bob", messages=(("ann", 1), ("bob", 2), ("ann", 3)))
    before = await tencent.unread("g4", "bob")
    body = {"GroupId": "g4", "From_Account": "bob", "MsgSeqList": seqs(3, 2, 1, 9, 3)}
    for _ in range(2):
        assert code(await tencent.call(SEND_RECEIPT, body)) == 0
    assert await tencent.unread("g4", "bob") == before == 1
    counts = said(await tencent.call(RECEIPTS, {"GroupId": "g4", "MsgSeqList": seqs(1, 2, 3)}))["GroupMsgReceiptList"]
    assert [(one["ReadNum"], one["UnreadNum"]) for one in counts] == [(1, 0), (1, 0), (1, 0)]
    read = said(await tencent.call(DETAIL, {"GroupId": "g4", "MsgSeq": 3, "Filter": 0, "Count": 200}))
    assert read["ReadList"] == [{"Read_Account": "bob"}]


@pytest.mark.parametrize("kind", ["AVChatRoom", "Community"])
async def test_groups_without_receipts(tencent: Tencent, kind: str) -> None:
    """A query finds no receipt, and a sent one is ignored."""
    await tencent.group("wide", "ann", "bob", kind=kind, messages=(("bob", 1),))
    counts = said(await tencent.call(RECEIPTS, {"GroupId": "wide", "MsgSeqList": seqs(1)}))["GroupMsgReceiptList"]
    assert counts == [{"Code": 10062, "MsgSeq": 1, "ReadNum": 0, "UnreadNum": 0}]
    assert code(await tencent.call(DETAIL, {"GroupId": "wide", "MsgSeq": 1, "Filter": 1, "Count": 1})) == 10062
    before = await tencent.imkit.everything()
    assert (
        code(await tencent.call(SEND_RECEIPT, {"GroupId": "wide", "From_Account": "ann", "MsgSeqList": seqs(1)})) == 0
    )
    assert await tencent.imkit.everything() == before


@pytest.mark.parametrize(("members", "expected"), [(200, 0), (201, 10060)])
async def test_groups_with_too_many_members(tencent: Tencent, members: int, expected: int) -> None:
    people = [f"p{number}" for number in range(members)]
    await tencent.group("large", *people, messages=(("p0", 1),))
    assert code(await tencent.call(RECEIPTS, {"GroupId": "large", "MsgSeqList": seqs(1)})) == expected
    assert code(await tencent.call(DETAIL, {"GroupId": "large", "MsgSeq": 1, "Filter": 1, "Count": 200})) == expected
    assert (
        code(await tencent.call(SEND_RECEIPT, {"GroupId": "large", "From_Account": "p1", "MsgSeqList": seqs(1)}))
        == expected
    )


# One core


async def test_a_read_by_another_dialect_is_a_read_here(tencent: Tencent) -> None:
    room = direct_room("dramon1", "dramon2")
    await tencent.imkit.as_user("dramon1", "PUT", f"/rooms/{room}/lastRead", {"message": K2})
    assert said(await tencent.call(UNREAD, {"To_Account": "dramon1"}))["AllC2CUnreadMsgNum"] == 1
    await tencent.call(SET_READ, marked())
    assert await tencent.imkit.badge("dramon1") == 0
