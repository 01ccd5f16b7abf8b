"""Limits that hold in every dialect, and the checks of values that come from outside."""

import re
import secrets
from collections.abc import Callable, Iterable, Sequence
from typing import NewType

from readstate.errors import Invalid

MAX_ID_BYTES = 128  # rooms, users, messages; UTF-8
MAX_WATCHED = 100  # rooms that a socket shows
FOLDED_IDS = frozenset({".", ".."})  # clients take them out of a path before they send it
MAX_TAG_CHARS = 256
MAX_TAGS = 100  # per room and per question
MAX_ROOM_TAGS_BYTES = 4 * 1024  # of all tags of a room together
MAX_MEMBERS_PER_CALL = 1000
MAX_POSTS_PER_BATCH = 500
MAX_READS_PER_CALL = 200
MAX_RECEIPTS_PER_PAGE = 1000
MAX_RECEIPT_MESSAGES = 100  # per question for counts
MAX_BADGES_PER_CALL = 200  # users
MAX_TOKENS_PER_CALL = 20  # of several users on one device
MESSAGES_COUNTED = 10_000  # the newest, by their times
MAX_BODY_BYTES = 64 * 1024  # of one request or frame
MAX_BATCH_BODY_BYTES = 1024 * 1024
MAX_NESTING = 64  # levels of lists and objects in a profile or a message; Python reads some hundreds
MAX_MEMBERS_SHOWN = 1000  # in the view of a room
MAX_PROFILE_FIELDS = 32  # of a room or a user
MAX_PROFILE_FIELD_BYTES = 4 * 1024  # of one field's JSON text
MAX_PROFILE_NAME_BYTES = 64

Charge = Callable[[int], None]  # is told how many rooms a question asks: each costs


def free(_rooms: int) -> None:
    """Charge nothing."""


# Checked values. Operations that may create something take nothing else, so mypy finds a missing
# check.
Id = NewType("Id", str)  # of a room, a user or a message
Members = NewType("Members", list[str])  # distinct ids, not too many for one call
Tags = NewType("Tags", tuple[str, ...])  # sorted and distinct
RoomTags = NewType("RoomTags", Tags)  # not too large for a room

NO_TAGS = RoomTags(Tags(()))

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")  # and halves of characters


def check_id(field: str, value: str) -> Id:
    """Return `value` when it can name a room, user or message, else raise Invalid.

    An id is 1 to 128 bytes of UTF-8 without control characters. It is never read as a number. It is
    not `.` or `..`: a call of /messages/.. would arrive as a call about the room.
    """
    if not value or len(value.encode("utf-8", "surrogatepass")) > MAX_ID_BYTES:
        raise Invalid(field, f"{field} must have 1 to {MAX_ID_BYTES} bytes")
    if value in FOLDED_IDS:
        raise Invalid(field, f"{field} must not be {value}: no path can name it")
    if has_control_characters(value):
        raise Invalid(field, f"{field} must not contain control characters")
    return Id(value)


def has_control_characters(text: str) -> bool:
    """Whether a text has control characters, or halves of characters that UTF-8 cannot express."""
    return not text.isprintable() and _CONTROL.search(text) is not None


def check_members(field: str, members: Sequence[str]) -> Members:
    """Distinct member ids in the given order; at most MAX_MEMBERS_PER_CALL."""
    if len(members) > MAX_MEMBERS_PER_CALL:
        raise Invalid(
            field, f"{field} must name at most {MAX_MEMBERS_PER_CALL} members; send the rest in further calls"
        )
    return Members([check_id(field, member) for member in dict.fromkeys(members)])


def check_tags(field: str, tags: Iterable[str]) -> Tags:
    """At most 100 tags, sorted and distinct.

    Each has 1 to 256 characters, without control characters; it is exact and case-sensitive.
    """
    distinct = sorted(set(tags))
    if len(distinct) > MAX_TAGS:
        raise Invalid(field, f"{field} must hold at most {MAX_TAGS} tags")
    for tag in distinct:
        if not 1 <= len(tag) <= MAX_TAG_CHARS:
            raise Invalid(field, f"a tag must have 1 to {MAX_TAG_CHARS} characters")
        if has_control_characters(tag):
            raise Invalid(field, "a tag must not contain control characters")
    return Tags(tuple(distinct))


def check_room_tags(field: str, tags: Tags) -> RoomTags:
    """At most 4 KiB of UTF-8, since each member's side keeps the tags of a room."""
    if sum(len(tag.encode()) + 1 for tag in tags) > MAX_ROOM_TAGS_BYTES:
        raise Invalid(
            field, f"{field} must have at most {MAX_ROOM_TAGS_BYTES} bytes together; use fewer or shorter tags"
        )
    return RoomTags(tags)


def check_many(field: str, messages: Sequence[str]) -> None:
    """Raises Invalid for more messages than one question or answer takes."""
    if len(messages) > MAX_RECEIPT_MESSAGES:
        raise Invalid(field, f"{field} must name at most {MAX_RECEIPT_MESSAGES} messages")


def new_id() -> Id:
    """A fresh id: 24 lower-case hex."""
    return Id(secrets.token_hex(12))
