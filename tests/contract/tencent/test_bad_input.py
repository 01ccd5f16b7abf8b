"""Bad bodies in the Tencent dialect get status 200 and a documented code, and change nothing."""

import itertools
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from readstate.dialects.tencent.operation import MAX_BODY_BYTES
from readstate.domain.direct import direct_room
from readstate.settings import Settings
from tests.support.imkit import Imkit
from tests.support.tencent import Tencent, code, said, with_tencent

KEY_OF_A_MESSAGE = "1_11_1700000000"
MESSAGE = {"From_Account": "bo", "To_Account": "al", "MsgKey": KEY_OF_A_MESSAGE}
SEQS = [{"MsgSeq": 1}]
GONE = object()  # a field that is left out

# Bodies that succeed when al and bo talk and are in group g.
GOOD: dict[str, dict[str, Any]] = {
    "openim/admin_set_msg_read": {"Report_Account": "al", "Peer_Account": "bo", "MsgReadTime": 1_700_000_000},
    "openim/get_c2c_unread_msg_num": {"To_Account": "al", "Peer_Account": ["bo"]},
    "openim/c2c_msg_read_receipt": {"Operator_Account": "al", "Peer_Account": "bo", "C2CMsgInfo": [MESSAGE]},
    "group_open_http_svc/set_unread_msg_num": {"GroupId": "g", "Member_Account": "al", "UnreadMsgNum": 1},
    "group_open_http_svc/get_group_msg_receipt": {"GroupId": "g", "MsgSeqList": SEQS},
    "group_open_http_svc/get_group_msg_receipt_detail": {
        "GroupId": "g",
        "MsgSeq": 1,
        "Filter": 0,
        "Cursor": "",
        "Count": 10,
    },
    "group_open_http_svc/group_msg_receipt": {"GroupId": "g", "From_Account": "al", "MsgSeqList": SEQS},
}
SET_READ, UNREAD, RECEIPT, SET_UNREAD, RECEIPTS, DETAIL, SEND_RECEIPT = GOOD
FAMILY = {command: (90001, 20001) if command.startswith("openim") else (10011, 10004) for command in GOOD}

# command, field -> code when it is missing, which null is, too
REQUIRED = [
    (SET_READ, "Report_Account", 90008),
    (SET_READ, "Peer_Account", 90003),
    (UNREAD, "To_Account", 90003),
    (RECEIPT, "Operator_Account", 20003),
    (RECEIPT, "Peer_Account", 20003),
    (RECEIPT, "C2CMsgInfo", 20001),
    (SET_UNREAD, "GroupId", 10004),
    (SET_UNREAD, "Member_Account", 10004),
    (SET_UNREAD, "UnreadMsgNum", 10004),
    (RECEIPTS, "GroupId", 10004),
    (RECEIPTS, "MsgSeqList", 10004),
    (DETAIL, "GroupId", 10004),
    (DETAIL, "MsgSeq", 10004),
    (DETAIL, "Filter", 10004),
    (DETAIL, "Count", 10004),
    (SEND_RECEIPT, "GroupId", 10004),
    (SEND_RECEIPT, "From_Account", 10004),
    (SEND_RECEIPT, "MsgSeqList", 10004),
]
ACCOUNTS = [(command, field, missing) for command, field, missing in REQUIRED if field.endswith("_Account")]
GROUPS = [command for command, field, _ in REQUIRED if field == "GroupId"]


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return with_tencent(settings)


@pytest_asyncio.fixture
async def tencent(imkit: Imkit) -> AsyncIterator[Tencent]:
    """Al has three messages of bo to read, two of them in group g."""
    tencent = Tencent(imkit)
    await tencent.conversation("al", "bo", ("bo", KEY_OF_A_MESSAGE, 1_700_000_000))
    await tencent.group("g", "al", "bo", messages=(("bo", 1), ("bo", 2)))
    yield tencent


def changed(command: str, **fields: Any) -> dict[str, Any]:
    """The good body of a command with other fields."""
    return {name: value for name, value in (GOOD[command] | fields).items() if value is not GONE}


async def refused(tencent: Tencent, command: str, body: Any, expected: int) -> str:
    """Assert the code, and that nothing was written. Returns the text of the answer."""
    before = await tencent.imkit.everything()
    answer = said(await tencent.call(command, body))
    assert answer["ErrorCode"] == expected, (body, answer)
    assert await tencent.imkit.everything() == before
    return str(answer["ErrorInfo"])


@pytest.mark.parametrize("command", GOOD)
async def test_the_good_bodies_are_good(tencent: Tencent, command: str) -> None:
    assert code(await tencent.call(command, GOOD[command])) == 0
    assert code(await tencent.call(command, GOOD[command] | {"Unknown": [None, {"x": 1}], "unreadmsgnum": "x"})) == 0


NOT_OBJECTS: list[Any] = [
    b"",
    b" ",
    b"null",
    b"true",
    b"5",
    b'"x"',
    b"[]",
    b"[{}]",
    b"{",
    b"{'a':1}",
    b"not json",
    b"a=b&c=d",
    b'{"a":NaN}',
    b'{"a":"\\ud800"}',
    b"\xef\xbb\xbf{}",
    b"\x00",
    b'{"a":' + b"[" * 10_000,
    b"[" * 5_000 + b"]" * 5_000,
]


async def test_a_body_is_one_json_object(tencent: Tencent) -> None:
    for body in NOT_OBJECTS:
        for command in GOOD:
            await refused(tencent, command, body, FAMILY[command][0])


async def test_nothing_stands_behind_the_object(tencent: Tencent) -> None:
    for command, body in GOOD.items():
        await refused(tencent, command, msgspec.json.encode(body) + b" {}", FAMILY[command][0])


async def test_the_words_for_it_are_those_of_the_original(tencent: Tencent) -> None:
    for command in GOOD:
        assert (
            await refused(tencent, command, b"[]", FAMILY[command][0])
            == "Fail to Parse json data of body, Please check it"
        )


@pytest.mark.parametrize("command", GOOD)
async def test_a_body_has_at_most_12_kib(tencent: Tencent, command: str) -> None:
    body = msgspec.json.encode(GOOD[command])
    assert code(await tencent.call(command, body + b" " * (MAX_BODY_BYTES - len(body)))) == 0
    for size in (MAX_BODY_BYTES + 1, 10_000_000):
        assert (
            await refused(tencent, command, body + b" " * (size - len(body)), 93000)
            == "The JSON body must have at most 12288 bytes"
        )


@pytest.mark.parametrize(("command", "field", "expected"), REQUIRED)
async def test_required_fields(tencent: Tencent, command: str, field: str, expected: int) -> None:
    """The message names the one that is missing."""
    for missing in (GONE, None):
        assert await refused(tencent, command, changed(command, **{field: missing}), expected) == f"{field} is required"


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("Peer_Acount", "Peer_Acount is no field of this call; did you mean Peer_Account?"),
        ("peer_account", "peer_account is no field of this call; did you mean Peer_Account?"),
        ("PeerAccount", "PeerAccount is no field of this call; did you mean Peer_Account?"),
    ],
)
async def test_a_peer_under_another_name_is_not_answered_with_the_total(
    tencent: Tencent, field: str, expected: str
) -> None:
    info = await refused(tencent, UNREAD, {"To_Account": "al", field: ["bo"]}, FAMILY[UNREAD][1])
    assert info == expected
    # What cannot be read is no field of any name.
    assert code(await tencent.call(UNREAD, b'{"To_Account":"al","\xff":1}')) in (0, FAMILY[UNREAD][0])


@pytest.mark.parametrize(("command", "field", "missing"), ACCOUNTS)
async def test_accounts(tencent: Tencent, command: str, field: str, missing: int) -> None:
    """A field of the wrong type has a code of its own. An impossible one counts as missing."""
    for wrong in (5, 1.5, True, ["al"], [], {}, {"a": 1}):
        if (command, field) == (UNREAD, "Peer_Account") and isinstance(wrong, list):
            continue
        await refused(tencent, command, changed(command, **{field: wrong}), 60015)
    for impossible in ("", "x" * 33, "a\0", "a\n", "\na", "a\x7f", "é", "日本", "\U0001f600", ".", ".."):
        info = await refused(tencent, command, changed(command, **{field: impossible}), missing)
        assert info == f"{field} must have 1 to 32 characters of printable ASCII, and not be . or .."


@pytest.mark.parametrize("command", GROUPS)
async def test_groups(tencent: Tencent, command: str) -> None:
    for wrong in (5, True, ["g"], dict[str, str]()):
        await refused(tencent, command, changed(command, GroupId=wrong), 10004)
    for impossible in ("", "x" * 96, "@TGS#_g@TOPIC#_" + "x" * 82, "g\0", "g\n", "é", ".", ".."):
        await refused(tencent, command, changed(command, GroupId=impossible), 10015)
    for unknown in ("x" * 95, "@TGS#_g@TOPIC#_" + "x" * 81, "G", "g ", " ", "*", "direct:", "direct:9:a:b"):
        await refused(tencent, command, changed(command, GroupId=unknown), 10010)


@pytest.mark.parametrize("command", GROUPS)
async def test_a_conversation_of_two_is_no_group(tencent: Tencent, command: str) -> None:
    await refused(tencent, command, changed(command, GroupId=direct_room("al", "bo")), 10015)


TIMES: list[Any] = [
    (-1, "whole seconds"),
    (-0.5, "whole seconds"),
    (1.5, "whole seconds"),
    (1e-300, "whole seconds"),
    ("-1", "whole seconds"),
    ("1.0", "whole seconds"),
    ("1e9", "whole seconds"),
    (" 1700000000", "whole seconds"),
    ("1700000000\n", "whole seconds"),
    ("\u0661", "whole seconds"),
    ("now", "whole seconds"),
    ("9" * 21, "whole seconds"),
    (1_700_000_000_000, "not in milliseconds"),
    ("1700000000000", "not in milliseconds"),
    (100_000_000_001, "not in milliseconds"),
    (1e300, "not in milliseconds"),
    (10**30, "not in milliseconds"),
    (True, "got `bool`"),
    ([], "got `array`"),
    ({}, "got `object`"),
]


async def test_times(tencent: Tencent) -> None:
    for read_time, info in TIMES:
        assert info in await refused(tencent, SET_READ, changed(SET_READ, MsgReadTime=read_time), 20001)


@pytest.mark.parametrize("text", [b"1e400", b"-1e400", b"9" * 5000])
async def test_times_beyond_all_numbers(tencent: Tencent, text: bytes) -> None:
    body = b'{"Report_Account":"al","Peer_Account":"bo","MsgReadTime":' + text + b"}"
    await refused(tencent, SET_READ, body, 20001)


PEERS: list[Any] = [
    ([f"p{number}" for number in range(11)], 90018),
    (["bo"] * 11, 90018),
    ([5], 60015),
    ([None], 60015),
    (["bo", ["bo"]], 60015),
    (5, 60015),
    (True, 60015),
    ({}, 60015),
]


async def test_peers(tencent: Tencent) -> None:
    for peers, expected in PEERS:
        await refused(tencent, UNREAD, changed(UNREAD, Peer_Account=peers), expected)


MESSAGES: list[Any] = [
    ([], 20001),
    ({}, 20001),
    ("x", 20001),
    ([5], 20001),
    ([None], 20001),
    ([{}], 20001),
    ([MESSAGE] * 51, 20001),
    ([MESSAGE | {"From_Account": "al"}], 20001),
    ([MESSAGE | {"To_Account": "bo"}], 20001),
    ([MESSAGE, MESSAGE | {"From_Account": "al", "To_Account": "bo"}], 20001),
    ([MESSAGE | {"From_Account": ""}], 20001),
    ([MESSAGE | {"To_Account": None}], 20001),
    ([MESSAGE | {"From_Account": 5}], 60015),
    ([MESSAGE | {"MsgKey": None}], 90054),
    ([MESSAGE | {"MsgKey": 5}], 90054),
    ([MESSAGE | {"MsgKey": ""}], 90054),
    ([MESSAGE | {"MsgKey": "1_2"}], 90054),
    ([MESSAGE | {"MsgKey": "1_2_3_4"}], 90054),
    ([MESSAGE | {"MsgKey": "4294967296_2_3"}], 90054),
    ([MESSAGE | {"MsgKey": "1_4294967296_3"}], 90054),
    ([MESSAGE | {"MsgKey": "-1_2_3"}], 90054),
    ([MESSAGE | {"MsgKey": "1_2_\u0663"}], 90054),
    ([MESSAGE | {"MsgKey": "1_2_3\n"}], 90054),
    ([MESSAGE | {"MsgKey": "x" * 10_000}], 90054),
    ([MESSAGE, {"From_Account": "bo", "To_Account": "al"}], 90054),
    ([{"From_Account": "bo", "To_Account": "al", "MsgSeq": 1, "MsgRandom": 11}], 90054),
    ([{"From_Account": "bo", "To_Account": "al", "MsgSeq": "1", "MsgRandom": 11, "MsgTime": 5}], 90054),
    ([{"From_Account": "bo", "To_Account": "al", "MsgSeq": 1, "MsgRandom": 2**32, "MsgTime": 5}], 90054),
    ([{"From_Account": "bo", "To_Account": "al", "MsgSeq": -1, "MsgRandom": 1, "MsgTime": 5}], 90054),
]


async def test_messages_of_conversations(tencent: Tencent) -> None:
    for messages, expected in MESSAGES:
        await refused(tencent, RECEIPT, changed(RECEIPT, C2CMsgInfo=messages), expected)


SEQ_LISTS: list[Any] = [
    [],
    {},
    "1",
    5,
    [1],
    ["1"],
    [None],
    [[]],
    [{}],
    [{"MsgSeq": None}],
    [{"MsgSeq": "1"}],
    [{"MsgSeq": 1.5}],
    [{"MsgSeq": True}],
    [{"MsgSeq": -1}],
    [{"MsgSeq": 2**53}],
    [{"MsgSeq": 10**30}],
    [{"MsgSeq": 1}, {"msgseq": 1}],
    SEQS * 51,
]


async def test_messages_of_groups(tencent: Tencent) -> None:
    for command, seqs in itertools.product((RECEIPTS, SEND_RECEIPT), SEQ_LISTS):
        await refused(tencent, command, changed(command, MsgSeqList=seqs), 10004)


@pytest.mark.parametrize("command", [RECEIPTS, SEND_RECEIPT])
async def test_fifty_messages_are_not_too_many(tencent: Tencent, command: str) -> None:
    assert code(await tencent.call(command, changed(command, MsgSeqList=[{"MsgSeq": seq} for seq in range(50)]))) == 0


COUNTS: list[Any] = ["1", 1.5, 1.0, -1, True, [], {}, 2**53, 10**30]


async def test_numbers_of_unread_messages(tencent: Tencent) -> None:
    for count in COUNTS:
        await refused(tencent, SET_UNREAD, changed(SET_UNREAD, UnreadMsgNum=count), 10004)


DETAILS: list[Any] = [
    {"MsgSeq": "1"},
    {"MsgSeq": -1},
    {"MsgSeq": 1.0},
    {"MsgSeq": 2**53},
    {"Filter": 2},
    {"Filter": -1},
    {"Filter": "0"},
    {"Filter": False},
    {"Count": 0},
    {"Count": 201},
    {"Count": -1},
    {"Count": "10"},
    {"Count": 2**70},
    {"Cursor": 0},
    {"Cursor": []},
    {"Cursor": "1"},
    {"Cursor": "00"},
    {"Cursor": "-1"},
    {"Cursor": "next"},
    {"Cursor": "511"},  # no UTF-8
    {"Cursor": "\u0661"},
    {"Cursor": "9" * 319},
    {"Cursor": "9" * 321},
    {"Cursor": "9" * 6000},
]


async def test_details(tencent: Tencent) -> None:
    for fields in DETAILS:
        await refused(tencent, DETAIL, changed(DETAIL, **fields), 10004)


NO_MESSAGES: list[Any] = [0, 3, 2**53 - 1]


async def test_messages_that_nobody_has_sent(tencent: Tencent) -> None:
    for seq in NO_MESSAGES:
        await refused(tencent, DETAIL, changed(DETAIL, MsgSeq=seq), 10062)


async def test_strangers(tencent: Tencent) -> None:
    """Each command has its own code for a user outside the group."""
    await refused(tencent, SET_UNREAD, changed(SET_UNREAD, Member_Account="cy"), 10004)
    await refused(tencent, SEND_RECEIPT, changed(SEND_RECEIPT, From_Account="cy"), 10007)


async def test_a_profile_that_another_dialect_gave_harms_nothing(tencent: Tencent) -> None:
    """`groupType` may hold anything there."""
    for group_type in (5, None, ["AVChatRoom"], {"a": 1}, "unheard of"):
        await tencent.imkit.as_backend("PUT", "/rooms/g", {"groupType": group_type})
        assert code(await tencent.call(DETAIL, GOOD[DETAIL])) == 0
