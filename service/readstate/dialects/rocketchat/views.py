"""Rooms and users as objects of this dialect.

Kinds. Rooms have one kind here, so their data says what they are in this dialect: `d` (direct) by
the id, the tag `direct`, or the profile field `roomType` "direct" or `t` "d" (see
domain/direct.py); else `p` (private group) with `t` "p", else `c` (channel). As in the original,
channels.counters serves `c` only, groups.counters `p` only and im.counters `d` only. In every kind,
only members see into a room.
"""

from typing import Literal

from msgspec import UNSET, Struct

from readstate.dialects.access.rooms import is_private
from readstate.dialects.rocketchat.schemas import Person, Subscription
from readstate.domain import direct
from readstate.domain.identity import Session, User
from readstate.domain.profiles import text_of
from readstate.domain.rooms import MemberState, Room, RoomSummary, Status
from readstate.times import iso

Kind = Literal["c", "p", "d"]

FIELDS = ("roomType", "t", "name")  # of the profile: they make the kind and the name


class Name(Struct, frozen=True):
    """What a room is called, shortly and in full."""

    name: str
    full: str


def kind(room: Room | RoomSummary) -> Kind:
    """The room's kind."""
    if direct.is_direct(room.room, room.tags, room.profile):
        return "d"
    return "p" if is_private(room) else "c"


def own_name(room: Room | RoomSummary) -> str:
    """The name that the room itself has."""
    return text_of(room.profile, "name") or room.room


def person(user: str, known: User | None) -> Person:
    """A user: the profile's `username`, else the id; its `name`, else `nickname`, else the
    username.
    """
    profile = known.profile if known else {}
    username = text_of(profile, "username") or user
    return Person(username, text_of(profile, "name") or text_of(profile, "nickname") or username, user)


def subscription_id(room: str, user: str) -> str:
    """The id of a room as one user's subscription."""
    return room + user


def subscription(session: Session, room: RoomSummary, name: Name, owner: Person, changed_ms: int) -> Subscription:
    """A room as its member sees it; `changed_ms` is when its state for the member last changed."""
    me = room.me
    seen_ms = last_seen_ms(me)
    return Subscription(
        id=subscription_id(room.room, session.user),
        room=room.room,
        user=owner,
        t=kind(room),
        name=name.name,
        fname=name.full,
        ts=iso(room.created_ms),
        ls=iso(seen_ms) if seen_ms else UNSET,
        alert=me.unread > 0 or me.marked_ms is not None,
        unread=me.unread,
        archived=True if room.status is Status.FROZEN else UNSET,
        updated_at=iso(changed_ms),
    )


def last_seen_ms(me: MemberState) -> int:
    """Up to when the member has seen the room; 0 before the first read.

    An unread mark replaces it until the next read.
    """
    return me.marked_ms or (me.moved_ms if me.has_read else 0)


def changed_ms(room: RoomSummary) -> int:
    """When the room last changed for the member, as far as the room itself tells."""
    return max(room.created_ms, room.me.moved_ms, room.last_ms)
