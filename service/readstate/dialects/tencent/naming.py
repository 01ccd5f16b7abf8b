"""Tencent's names and ours (Tencent Cloud Chat, Group System and Message Storage).

An account is a user id. The conversation of two accounts is their one-to-one room. A group is the
room with its id, a topic of a community the room with the topic's id. The id of a message is its
`MsgKey` in a conversation of two, and its `MsgSeq` in a group.
"""

import re

from readstate.domain.direct import peers_of
from readstate.domain.limits import FOLDED_IDS

MAX_ACCOUNT_BYTES = 32
MAX_GROUP_BYTES = 95
MAX_TOPIC_BYTES = 96
MAX_SEQ = 2**53 - 1
_TOPIC_MARK = "@TOPIC#_"

# Also for JSON Schema. Written so that Python allows no line break before the end.
ACCOUNT_PATTERN = rf"^(?!\.\.?$)[ -~]{{1,{MAX_ACCOUNT_BYTES}}}$(?!\n)"
_ACCOUNT = re.compile(ACCOUNT_PATTERN)
_GROUP = re.compile(r"[\x20-\x7e]+")
_MESSAGE_KEY = re.compile(r"(\d{1,10})_(\d{1,10})_(\d{1,12})", re.ASCII)
_U32 = 2**32


def is_account(value: str) -> bool:
    """Whether `value` can be a UserID: 1 to 32 printable ASCII characters, not `.` or `..`."""
    return _ACCOUNT.search(value) is not None


def is_group(value: str) -> bool:
    """Whether `value` can be a GroupId (95 printable ASCII characters at most) or TopicId (96).

    Ids of one-to-one rooms are excluded, so no call about groups reaches one. So are `.` and `..`.
    """
    most = MAX_TOPIC_BYTES if _TOPIC_MARK in value else MAX_GROUP_BYTES
    return (
        len(value) <= most
        and _GROUP.fullmatch(value) is not None
        and peers_of(value) is None
        and value not in FOLDED_IDS
    )


def room_of_group(group: str, topic: str = "") -> str:
    """The room of a group, or of one of its topics, which count their own messages."""
    return topic or group


def message_of_seq(seq: int) -> str:
    """The id of a group's message."""
    return str(seq)


def is_message_key(value: str) -> bool:
    """Whether `value` can be a `MsgKey`: `{MsgSeq}_{MsgRandom}_{MsgTime}`.

    These are two numbers of 32 bits, and seconds.
    """
    found = _MESSAGE_KEY.fullmatch(value)
    return found is not None and int(found[1]) < _U32 and int(found[2]) < _U32


def message_key(seq: int, random: int, time_s: int) -> str:
    """The `MsgKey` of a one-to-one message, from the three numbers that older clients send."""
    return f"{seq}_{random}_{time_s}"


def time_ms(time_s: int) -> int:
    """Unix ms for one of Tencent's times, which are whole seconds: the end of that second.

    A message of that second was sent then, and reading "up to that second" ends then. So it covers
    all messages of the second, also those that other dialects stamp finer; a message of the same
    second that comes later is still unread.
    """
    return time_s * 1000 + 999
