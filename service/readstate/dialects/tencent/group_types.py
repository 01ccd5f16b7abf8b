"""Groups: rooms whose profile names one of Tencent's types (Tencent Cloud Chat, Group System)."""

from collections.abc import Mapping

import msgspec

from readstate.domain.profiles import GROUP_TYPE, text_of

MAX_RECEIPT_MEMBERS = 200  # of a group whose messages have receipts

# A type has had several names, over the years and in client SDKs.
_ALIASES = {"private": "Work", "work": "Work", "chatroom": "Meeting", "meeting": "Meeting"}
_TYPES = {"public": "Public", "avchatroom": "AVChatRoom", "community": "Community", **_ALIASES}


def group_profile(given: str) -> dict[str, bytes]:
    """The profile fields of a group of a type; none for ""."""
    return {GROUP_TYPE: msgspec.json.encode(given)} if given else {}


def given_type(profile: Mapping[str, bytes]) -> str:
    """The type of a group as it was given; "" for other rooms, and for a field without text."""
    return text_of(profile, GROUP_TYPE)


def known_type(given: str) -> str:
    """A type in today's words: Work, Public, Meeting, AVChatRoom or Community; "" when unknown.

    Private is another name for Work, and ChatRoom for Meeting.
    """
    return _TYPES.get(given.lower(), "")


def has_unread(given: str) -> bool:
    """Whether messages in groups of a type can be unread."""
    return known_type(given) not in ("AVChatRoom", "Meeting")


def has_receipts(given: str) -> bool:
    """Whether messages in groups of a type have receipts, up to MAX_RECEIPT_MEMBERS members."""
    return known_type(given) not in ("AVChatRoom", "Community")
