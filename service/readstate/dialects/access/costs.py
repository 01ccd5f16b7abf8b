"""The cost of each kind of call, in one place, so that costs can be compared.

A unit is the cost of a badge: about a quarter of a millisecond of a worker and the store together.
Handlers declare their cost beside their route. Some of it is known only later, such as the
number of rooms in a list, and is charged after the call.
"""

from collections.abc import Sequence
from typing import Final

from readstate.domain.limits import MAX_MEMBERS_SHOWN, MESSAGES_COUNTED
from readstate.domain.rooms import Room

READ: Final = 1  # a badge, one room, a cursor moved
POST: Final = 2  # a message sent, changed, recalled
PROFILE: Final = 2  # a user created, a token issued or revoked
TAGS: Final = 5  # unread per tag, of all rooms
CHANGE: Final = 10  # a room created, changed, deleted; a member removed
RECEIPTS: Final = 10  # a page of readers, counts of a hundred messages
LIST: Final = 20  # all rooms of a user
JOIN: Final = 20  # users enter a room
SCAN: Final = 20  # a page of all that is stored
EXPENSIVE: Final = 20  # of these and more expensive calls only a few of one user run at once

# Calls without credentials are charged to the address.
UNKNOWN: Final = 1  # an unknown path, refused credentials, a preflight
HANDSHAKE: Final = 2  # of a socket, or of a long-polling session
DOCUMENT: Final = 10  # /metrics, /schema, /docs
# By the first word of the path.
STRANGERS: Final = {"": UNKNOWN, "metrics": DOCUMENT, "schema": DOCUMENT, "docs": DOCUMENT}

_ROOMS_PER_UNIT: Final = 4  # in a list
_READS_PER_UNIT: Final = 2  # of many in one call
_DERIVED_PER_UNIT: Final = 16  # rooms above the fan-out limit; a badge asks each of them
_COUNTED_PER_UNIT: Final = 200  # messages
_LOOKED_AT_PER_UNIT: Final = 20  # keys, rooms and messages, about
_MEMBERS_PER_UNIT: Final = 32  # in the view of a room
_TOLD: Final = 256  # members
_COUNTERS_PER_UNIT: Final = 64  # each member has two, and one for each tag


def of_list(rooms: int) -> int:
    """The cost of the rooms in a list beside LIST, or in a search beside READ."""
    return rooms // _ROOMS_PER_UNIT


def of_reads(reads: int) -> int:
    """The cost of the reads in one call, or of the badges of several users, beside READ."""
    return reads // _READS_PER_UNIT


def of_derived(rooms: int) -> int:
    """The cost beside READ or TAGS of the rooms above the fan-out limit that a badge has to ask."""
    return rooms // _DERIVED_PER_UNIT


def of_count(messages: int) -> int:
    """The cost of looking at `messages` to count them by their times.

    It comes on top of READ, or of CHANGE when they are deleted.
    """
    return min(messages, MESSAGES_COUNTED) // _COUNTED_PER_UNIT


def of_scan(looked_at: int) -> int:
    """The cost beside SCAN of what a page has looked at."""
    return looked_at // _LOOKED_AT_PER_UNIT


def of_members(members: int, at_most: int = MAX_MEMBERS_SHOWN) -> int:
    """The cost of showing the members of a room, at most `at_most` of them."""
    return min(members, at_most) // _MEMBERS_PER_UNIT


def of_counters(moved: int) -> int:
    """The cost beside POST of the members' counters that a message moved."""
    return moved // _COUNTERS_PER_UNIT


def of_fan_out(members: int, tags: int) -> int:
    """The cost of updating the members of a room after a change.

    Members above the fan-out limit are not updated one by one and cost nothing.
    """
    return of_counters(min(members, _TOLD) * (2 + tags))


def of_change(room: Room, tags: Sequence[str]) -> int:
    """The cost of changing the tags or the state of a room: each member's counters are updated."""
    return 4 * of_fan_out(room.member_count, max(len(room.tags), len(tags)))
