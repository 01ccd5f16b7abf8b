"""A room as a subscription: what one of its members sees of it."""

from msgspec import UNSET

from readstate.dialects.rocketchat.rooms import Name, kind
from readstate.dialects.rocketchat.schemas import Person, Subscription
from readstate.domain.identity import Session
from readstate.domain.types import MemberState, RoomSummary, Status
from readstate.times import iso


def subscription_id(room: str, user: str) -> str:
    """One room of one user, the same every time."""
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
        alert=me.unread > 0 or me.marked_ms > 0,
        unread=me.unread,
        archived=True if room.status is Status.FROZEN else UNSET,
        updated_at=iso(changed_ms),
    )


def last_seen_ms(me: MemberState) -> int:
    """Up to when the member has seen the room; 0 before a first read. A mark by hand stands in for it until they read on."""
    return me.marked_ms or (me.moved_ms if me.has_read else 0)


def changed_ms(room: RoomSummary) -> int:
    """When the room last changed for the member, as far as the room itself tells."""
    return max(room.created_ms, room.me.moved_ms, room.last_ms)
