"""What the service must answer, counted from the events alone.

It shares no code with the service or with the feeding side. It knows only lists of events and
positions, and it counts messages one by one. Positions are 1, 2, 3 ... in the order of posts in the
room.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from readstate.replay.traffic import TrafficEvent


@dataclass
class Member:
    """Where one member stands, in positions.

    Messages up to `since` are not unread. `read` is the last read message; None: none.
    """

    since: int
    read: int | None = None


@dataclass
class CountedRoom:
    """A room after the last event."""

    tags: tuple[str, ...]
    posts: int = 0
    members: dict[str, Member] = field(default_factory=dict)

    def unread(self, user: str) -> int:
        """Messages that came after everything the member has read."""
        member = self.members[user]
        cursor = max(member.since, member.read or 0)
        return sum(1 for position in range(1, self.posts + 1) if position > cursor)


@dataclass
class Counted:
    """All rooms, all users that were ever named, and for each the (tags, unread) of their rooms."""

    rooms: dict[str, CountedRoom]
    users: dict[str, list[tuple[tuple[str, ...], int]]]


def count(events: Iterable[TrafficEvent]) -> Counted:
    """Count everything from `events`, by the rule for reads in `cli/replay.py`."""
    rooms: dict[str, CountedRoom] = {}
    users: dict[str, list[tuple[tuple[str, ...], int]]] = {}
    for event in events:
        room = rooms.setdefault(event.room, CountedRoom(room_tags(event)))
        users.setdefault(event.user, [])
        _apply(room, event)
        if event.kind == "rename":
            users.setdefault(event.to, [])
    for room in rooms.values():
        for user in room.members:
            users[user].append((room.tags, room.unread(user)))
    return Counted(rooms, users)


def room_tags(first: TrafficEvent) -> tuple[str, ...]:
    """The tags of a room: year and month of its first event, and the last word of its name."""
    year, month = first.at[:4], first.at[5:7]
    word = re.split(r"[^\w]", first.room)[-1] or "unnamed"
    return tuple(sorted({f"year:{year}", f"month:{month}", f"series:{word}"}))


def badge(states: Iterable[tuple[tuple[str, ...], int]], *wanted: str) -> int:
    """Unread over the rooms that carry every one of the `wanted` tags."""
    return sum(unread for tags, unread in states if all(tag in tags for tag in wanted))


def _apply(room: CountedRoom, event: TrafficEvent) -> None:
    if event.kind == "rename":
        room.members.pop(event.user, None)
        room.members.setdefault(event.to, Member(room.posts))
    elif event.kind == "leave":
        room.members.pop(event.user, None)
    else:
        # A user who posts without having joined joins just before.
        member = room.members.setdefault(event.user, Member(room.posts))
        if event.kind == "post":
            room.posts += 1
            member.read = room.posts
