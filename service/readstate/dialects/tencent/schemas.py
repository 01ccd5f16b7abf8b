"""The wire types of Tencent's REST API.

Names and meanings are those of its documentation and of the published clients.

Requests ignore unknown fields, as the original does. Where clients differ in a field's type, all
types that are in use are taken.
"""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from readstate.dialects.tencent.naming import ACCOUNT_PATTERN
from readstate.dialects.tencent.reply import Ok

MAX_PEERS = 10
MAX_MESSAGES = 50  # per call
MAX_PAGE = 200

Account = Annotated[str, Meta(pattern=ACCOUNT_PATTERN)]
U32 = Annotated[int, Meta(ge=0, lt=2**32)]
Seq = Annotated[int, Meta(ge=0, lt=2**53)]


# Requests


class SetMsgRead(Struct, frozen=True):
    """openim/admin_set_msg_read"""

    reader: Account = field(name="Report_Account")
    peer: Account = field(name="Peer_Account")
    # Unix seconds; a string in the documentation.
    read_time: float | str | None = field(name="MsgReadTime", default=None)


class GetUnread(Struct, frozen=True):
    """openim/get_c2c_unread_msg_num"""

    account: Account = field(name="To_Account")
    peers: Annotated[list[str], Meta(max_length=MAX_PEERS)] | str | None = field(name="Peer_Account", default=None)


class ReadMessage(Struct, frozen=True):
    """A message that is receipted in openim/c2c_msg_read_receipt: by its key, or by the numbers
    that the key is made of.
    """

    sender: Account = field(name="From_Account")
    receiver: Account = field(name="To_Account")
    key: str | None = field(name="MsgKey", default=None)
    seq: U32 | None = field(name="MsgSeq", default=None)
    random: U32 | None = field(name="MsgRandom", default=None)
    time_s: U32 | None = field(name="MsgTime", default=None)


class ReceiptMessages(Struct, frozen=True):
    """openim/c2c_msg_read_receipt"""

    reader: Account = field(name="Operator_Account")
    peer: Account = field(name="Peer_Account")
    messages: Annotated[list[ReadMessage], Meta(min_length=1, max_length=MAX_MESSAGES)] = field(name="C2CMsgInfo")


class SeqRef(Struct, frozen=True):
    """A message of a group."""

    seq: Seq = field(name="MsgSeq")


Seqs = Annotated[list[SeqRef], Meta(min_length=1, max_length=MAX_MESSAGES)]


class _OfGroup(Struct, frozen=True):
    group: str = field(name="GroupId")


class SetUnread(_OfGroup, frozen=True):
    """group_open_http_svc/set_unread_msg_num"""

    member: Account = field(name="Member_Account")
    count: Seq = field(name="UnreadMsgNum")


class GetReceipts(_OfGroup, frozen=True):
    """group_open_http_svc/get_group_msg_receipt"""

    messages: Seqs = field(name="MsgSeqList")


class GetReceiptDetail(_OfGroup, frozen=True):
    """group_open_http_svc/get_group_msg_receipt_detail"""

    seq: Seq = field(name="MsgSeq")
    unread: Literal[0, 1] = field(name="Filter")  # 0: who has read it, 1: who has not
    count: Annotated[int, Meta(ge=1, le=MAX_PAGE)] = field(name="Count")
    cursor: str | None = field(name="Cursor", default=None)  # as answered with the page before


class SendReceipts(_OfGroup, frozen=True):
    """group_open_http_svc/group_msg_receipt"""

    member: Account = field(name="From_Account")
    messages: Seqs = field(name="MsgSeqList")


# Results


class UnreadTotal(Ok, frozen=True, kw_only=True):
    """Unread messages over all one-to-one conversations."""

    AllC2CUnreadMsgNum: int


class PeerUnread(Struct, frozen=True):
    """Unread messages of one conversation."""

    Peer_Account: str
    C2CUnreadMsgNum: int


class PeerFailure(Struct, frozen=True):
    """A conversation that was not counted."""

    Peer_Account: str
    ErrorCode: int


class UnreadOfPeers(Ok, frozen=True, kw_only=True):
    """Unread messages of the conversations asked for, in their order."""

    C2CUnreadMsgNumList: list[PeerUnread]
    ErrorList: list[PeerFailure] | UnsetType = UNSET  # only with failures


class ReceiptCounts(Struct, frozen=True):
    """How many have read a message; Code 10062: it has no receipts, and the numbers are 0."""

    Code: int
    MsgSeq: int
    ReadNum: int
    UnreadNum: int


class GroupReceiptCounts(Ok, frozen=True, kw_only=True):
    """The counts of each message asked for, in their order."""

    GroupMsgReceiptList: list[ReceiptCounts]


class Reader(Struct, frozen=True):
    """A member who has read the message."""

    Read_Account: str


class NonReader(Struct, frozen=True):
    """A member who has not."""

    Unread_Account: str


class ReceiptPage(Ok, frozen=True, kw_only=True):
    """A page of a message's receipts.

    The documentation has `IsFinish` and `IsFinished`, and clients read one or the other.
    """

    IsFinish: Literal[0, 1]
    IsFinished: Literal[0, 1]
    MsgSeq: int
    Cursor: str  # of the next page; "0" on the last


class ReadPage(ReceiptPage, frozen=True, kw_only=True):
    """Filter 0."""

    ReadList: list[Reader]


class UnreadPage(ReceiptPage, frozen=True, kw_only=True):
    """Filter 1."""

    UnreadList: list[NonReader]
