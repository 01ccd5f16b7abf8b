"""The bodies of callbacks (Tencent Cloud Chat, Webhook Command List).

Numbers may come as text. Other fields are ignored.
"""

from time import time_ns
from typing import Annotated, Any

from msgspec import Meta, Struct, field

from readstate.dialects.tencent import naming
from readstate.dialects.tencent.group_types import group_profile
from readstate.domain.direct import direct_room

MAX_ITEMS = 10_000  # members, messages or groups in one callback
MAX_TYPE_CHARS = 64

AHEAD_MS = 60_000  # how far the sender's clock may be ahead of ours

Milliseconds = Annotated[int, Meta(ge=0, lt=10**14)]
Seconds = Annotated[int, Meta(ge=0, lt=10**11)]  # a larger number is in milliseconds by mistake
Seq = Annotated[int, Meta(ge=1, le=naming.MAX_SEQ)]
Flag = int | None
Account = Annotated[str, Meta(pattern=naming.ACCOUNT_PATTERN)]
AccountOrNone = Annotated[str, Meta(pattern=rf"\A\Z|{naming.ACCOUNT_PATTERN}")]


def tencents_name(name: str) -> str:
    """Our name of a field as Tencent writes it: from_account as From_Account, msg_key as MsgKey."""
    words = "".join(word.title() for word in name.removesuffix("_account").split("_"))
    return f"{words}_Account" if name.endswith("_account") else words


class Body(Struct, frozen=True, kw_only=True, rename=tencents_name):
    """Part of a callback."""


class Callback(Body, frozen=True, kw_only=True):
    """One callback. `event_time` is missing in older editions."""

    event_time: Milliseconds | None = None

    @property
    def at_ms(self) -> int:
        """When it happened (Unix ms); now when that is not said, or cannot be true."""
        return believable(self.event_time)


class Member(Body, frozen=True):
    member_account: Account


Members = Annotated[list[Member], Meta(max_length=MAX_ITEMS)]


class Message(Body, frozen=True):
    msg_seq: Seq

    @property
    def id(self) -> str:
        return naming.message_of_seq(self.msg_seq)


# One-to-one


class _Direct(Callback, frozen=True, kw_only=True):
    from_account: Account
    to_account: Account
    msg_key: str

    def __post_init__(self) -> None:
        _check_message_key(self.msg_key)

    @property
    def room(self) -> str:
        return direct_room(self.from_account, self.to_account)


class DirectSent(_Direct, frozen=True, kw_only=True):
    """C2C.CallbackAfterSendMsg. It comes for messages that were not delivered, too."""

    msg_time: Seconds = 0
    online_only_flag: Flag = 0
    send_msg_result: Flag = 0
    unread_msg_num: Flag = 0
    msg_body: Any = None

    @property
    def counts(self) -> bool:
        """Whether the message was delivered and can be unread."""
        return not self.send_msg_result and self.unread_msg_num != -1 and self.online_only_flag != 1


class DirectRecalled(_Direct, frozen=True, kw_only=True):
    """C2C.CallbackAfterMsgWithDraw."""


class DirectRead(Callback, frozen=True, kw_only=True):
    """C2C.CallbackAfterMsgReport: everything up to `last_read_time` is read."""

    report_account: Account
    peer_account: Account
    last_read_time: Seconds = 0


class DirectAcknowledged(Body, frozen=True):
    msg_key: str

    def __post_init__(self) -> None:
        _check_message_key(self.msg_key)


class DirectReceipts(Callback, frozen=True, kw_only=True):
    """C2C.CallbackAfterMsgReadReceipt: single messages are read."""

    operator_account: Account
    peer_account: Account
    c2c_msg_info: Annotated[list[DirectAcknowledged], Meta(max_length=MAX_ITEMS)] = []


class GroupReadTo(Body, frozen=True):
    group_id: str
    msg_seq: Seq

    def __post_init__(self) -> None:
        _check_group(self.group_id)


class AllRead(Callback, frozen=True, kw_only=True):
    """C2C.CallbackAfterMsgReadAll: every conversation of two, and the groups named."""

    report_account: Account
    group_read_info: Annotated[list[GroupReadTo], Meta(max_length=MAX_ITEMS)] = []


# Groups


class InGroup(Callback, frozen=True, kw_only=True):
    """A callback about a group; with `topic_id`, about one of its topics."""

    group_id: str = ""
    other_group_id: str = field(default="", name="groupID")  # as one table of the documentation has it
    topic_id: str | None = None
    kind: Annotated[str, Meta(max_length=MAX_TYPE_CHARS)] | None = field(default=None, name="Type")

    def __post_init__(self) -> None:
        _check_group(self.group)
        if self.topic_id:
            _check_group(self.topic_id)

    @property
    def group(self) -> str:
        return self.group_id or self.other_group_id

    @property
    def room(self) -> str:
        return naming.room_of_group(self.group, self.topic_id or "")

    @property
    def profile(self) -> dict[str, bytes]:
        return group_profile(self.kind or "")


class GroupSent(InGroup, frozen=True, kw_only=True):
    """Group.CallbackAfterSendMsg."""

    msg_seq: Seq
    from_account: AccountOrNone = ""
    msg_time: Seconds = 0
    online_only_flag: Flag = 0
    msg_body: Any = None

    @property
    def at_ms(self) -> int:
        """When the sender was a member: the beginning of the second, since they may have left in
        it.
        """
        return believable(self.msg_time * 1000 or self.event_time)


class GroupRecalled(InGroup, frozen=True, kw_only=True):
    """Group.CallbackAfterRecallMsg."""

    msg_seq_list: Annotated[list[Message], Meta(max_length=MAX_ITEMS)]


class GroupReceipt(Message, frozen=True):
    read_receipt_members: Members = []


class GroupReceipts(InGroup, frozen=True, kw_only=True):
    """Group.CallbackAfterReadReceipt: single messages are read."""

    group_msg_receipt_list: Annotated[list[GroupReceipt], Meta(max_length=MAX_ITEMS)]


class GroupCreated(InGroup, frozen=True, kw_only=True):
    """Group.CallbackAfterCreateGroup. The owner need not be in the list."""

    owner_account: AccountOrNone | None = None
    member_list: Members = []

    @property
    def members(self) -> list[str]:
        owner = [self.owner_account] if self.owner_account else []
        return [*owner, *(member.member_account for member in self.member_list)]


class Joined(InGroup, frozen=True, kw_only=True):
    """Group.CallbackAfterNewMemberJoin."""

    new_member_list: Members

    @property
    def members(self) -> list[str]:
        return [member.member_account for member in self.new_member_list]


class Left(InGroup, frozen=True, kw_only=True):
    """Group.CallbackAfterMemberExit."""

    exit_member_list: Members

    @property
    def members(self) -> list[str]:
        return [member.member_account for member in self.exit_member_list]


class OfTopic(InGroup, frozen=True, kw_only=True):
    """Group.CallbackAfterCreateTopic and Group.CallbackAfterTopicDestroyed."""

    topic_id: Annotated[str, Meta(min_length=1)]


def believable(at_ms: int | None) -> int:
    """A time (Unix ms), not far in the future; now when none is given."""
    now_ms = time_ns() // 1_000_000
    return min(at_ms or now_ms, now_ms + AHEAD_MS)


def _check_group(group: str) -> None:
    if not naming.is_group(group):
        raise ValueError(
            "GroupId must have 1 to 95 printable ASCII characters, TopicId up to 96; they must not be . or .."
        )


def _check_message_key(key: str) -> None:
    if not naming.is_message_key(key):
        raise ValueError("MsgKey must be MsgSeq_MsgRandom_MsgTime")
