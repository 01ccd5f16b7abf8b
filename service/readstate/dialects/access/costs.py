"""What each kind of call costs: the one place where it can be compared.

A unit is about a quarter of a millisecond of a worker and the store together: what a badge costs.
Handlers name their cost beside their route. What is known only later (how many rooms were listed,
how many members a room has) is charged after the call.
"""

from collections.abc import Sequence
from typing import Final

from readstate.domain.limits import MAX_MEMBERS_SHOWN, MESSAGES_COUNTED
from readstate.domain.rooms import Room

READ: Final = 1  # a badge, one room, a cursor moved
POST: Final = 2  # a message sent, changed, recalled
PROFILE: Final = 2  # a user made, a token issued or revoked
TAGS: Final = 5  # unread per tag, of all rooms
CHANGE: Final = 10  # a room made, changed, deleted; a member removed
RECEIPTS: Final = 10  # a page of readers, counts of a hundred messages
LIST: Final = 20  # all rooms of a user
JOIN: Final = 20  # people come into a room
DEAR: Final = 20  # from here on only a few calls of one user run at once

# Without credentials, of an address.
UNKNOWN: Final = 1  # an unknown path, refused credentials, a preflight
HANDSHAKE: Final = 2  # of a socket, or of a long-polling session
DOCUMENT: Final = 10  # /metrics, /schema
STRANGERS: Final = {"": UNKNOWN, "metrics": DOCUMENT, "schema": DOCUMENT}  # by the first word of the path

_ROOMS_PER_UNIT: Final = 4  # in a list
_READS_PER_UNIT: Final = 2  # of many in one call
_DERIVED_PER_UNIT: Final = 16  # rooms above the fan-out limit, each of which a badge asks
_COUNTED_PER_UNIT: Final = 200  # messages
_MEMBERS_PER_UNIT: Final = 32  # in the view of a room
_TOLD: Final = 256  # members
_COUNTERS_PER_UNIT: Final = 64  # each member has two, and one for each tag


def of_list(rooms: int) -> int:
    """What the rooms of a list cost beside LIST, or of a search beside READ."""
    return rooms // _ROOMS_PER_UNIT


def of_reads(reads: int) -> int:
    """What the reads of one call cost beside READ."""
    return reads // _READS_PER_UNIT


def of_badges(users: int) -> int:
    """What the badges of several users cost beside READ."""
    return users // _READS_PER_UNIT


def of_derived(rooms: int) -> int:
    """What the rooms above the fan-out limit that a badge asks cost beside READ or TAGS."""
    return rooms // _DERIVED_PER_UNIT


def of_count(messages: int) -> int:
    """What it costs beside READ to count messages by their times, of which so many are looked at;
    or beside CHANGE to delete them.
    """
    return min(messages, MESSAGES_COUNTED) // _COUNTED_PER_UNIT


def of_members(members: int, at_most: int = MAX_MEMBERS_SHOWN) -> int:
    """What it costs to show the members of a room, of whom `at_most` are shown."""
    return min(members, at_most) // _MEMBERS_PER_UNIT


def of_counters(moved: int) -> int:
    """What the members' counters that a message moved cost beside POST."""
    return moved // _COUNTERS_PER_UNIT


def of_fan_out(members: int, tags: int) -> int:
    """What it costs to tell the members of a room of a change; those above the fan-out limit are
    not told one by one.
    """
    return of_counters(min(members, _TOLD) * (2 + tags))


def of_change(room: Room, tags: Sequence[str]) -> int:
    """What it costs to change the tags or the state of a room, which every member's counters
    follow.
    """
    return 4 * of_fan_out(room.member_count, max(len(room.tags), len(tags)))
