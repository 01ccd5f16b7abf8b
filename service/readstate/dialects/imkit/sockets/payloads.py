"""Payloads that need more than a notice: a sender's profile, the present room, a new badge."""

import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from readstate.dialects.imkit import views
from readstate.dialects.imkit.sockets.encoding import encode_json
from readstate.dialects.people import People
from readstate.domain.notices import MessagePosted
from readstate.domain.read_state import ReadState
from readstate.domain.rooms import Rooms
from readstate.errors import Fault


class StorePayloads(Struct, frozen=True):
    """`delivery.Payloads`, fetched from the store."""

    read_state: ReadState
    people: People

    async def message(self, app: str, posted: MessagePosted) -> bytes:
        """A message as HTTP answers it."""

        async def fetch() -> bytes:
            view = await views.message_for_everybody(
                self.people, app, posted.room, posted.message, posted.sender, posted.at_ms, posted.body
            )
            return encode_json(view)

        try:
            return await _with_retry(fetch)
        except Fault:
            # A message without the sender's profile is better than none.
            sender = views.user_ref(posted.sender, None) if posted.sender else None
            return encode_json(views.message_view(app, posted.room, posted.message, sender, posted.at_ms, posted.body))

    async def room(self, app: str, room: str) -> bytes:
        """A room as it is now."""
        return await _with_retry(lambda: room_event(self.read_state.rooms, self.people, app, room))

    async def left(self, app: str, room: str, users: Sequence[str], deleted: bool) -> Mapping[str, bytes]:
        """The last event of a room, for each of `users`, who are no longer in it."""
        badges: Mapping[str, int] = {}
        with contextlib.suppress(Fault):  # the event is useful without the badge too
            badges = await self.read_state.badges.badges_after(app=app, room=room, users=users)
        return {user: left_event(app, room, badges.get(user), deleted=deleted) for user in users}


async def _with_retry(fetch: Callable[[], Awaitable[bytes]]) -> bytes:
    """Fetch once more when the store fails, because an event that is not sent is lost."""
    try:
        return await fetch()
    except Fault:
        return await fetch()


# The `room` event (docs.imkit.io, Socket Events): a changed room, as its members are told about it.
# It goes to all who listen to the room, so its size is bounded. A client asks for the rest.

MAX_MEMBERS = 100
MAX_BYTES = 32 * 1024

ALWAYS = ("_id", "id", "appID", "roomType", "status", "createdTime", "createdTimeMS")  # in every event
_OURS = frozenset([*ALWAYS, "roomTags", "lastMessage", "members", "partial"])  # not fields of a profile


async def room_event(rooms: Rooms, people: People, app: str, room: str) -> bytes:
    """The payload as JSON of at most MAX_BYTES, with at most MAX_MEMBERS members and no per-user
    fields.

    In an event that lacks anything of the room `partial` is true. Raises RoomUnknown.
    """
    present = await rooms.room(app=app, room=room)
    members = await rooms.members(app=app, room=room, limit=MAX_MEMBERS)
    view = views.room_view(
        app, present, members, await people.find(app, views.users_in(present, members)), properties=False
    )
    if len(members) < present.member_count:
        view["partial"] = True
    payload = encode_json(view)
    return payload if len(payload) <= MAX_BYTES else encode_json(_shortened(view))


def left_event(app: str, room: str, badge: int | None, *, deleted: bool) -> bytes:
    """The last `room` event for a user who is no longer in the room, or whose room is deleted;
    ours, as JSON.

    `left` is true, and `deleted` when the room is deleted. `badge` is the user's new total; it is
    left out when it is not known (None). The event says nothing else about the room.
    """
    view: views.View = {"_id": room, "id": room, "appID": app, "members": [], "partial": True, "left": True}
    view |= {"deleted": True} if deleted else {}
    view |= {"unread": 0} if badge is None else {"unread": 0, "badge": badge}
    return encode_json(view)


def _shortened(view: views.View) -> views.View:
    """As much of `view` as fits into MAX_BYTES: tags, then profile fields up to half of the rest,
    then members.

    Tags are complete or left out, since clients would take a part for all of them. Fields are added
    from the shortest on, so that the largest are left out; members in their order.
    """
    small: views.View = {"partial": True, "members": [], **{name: view[name] for name in ALWAYS}}
    left = MAX_BYTES - len(encode_json(small))
    left -= _add(small, view, ["roomTags"], left)
    fields = sorted((name for name in view.keys() - _OURS), key=lambda name: (len(view[name]), name))
    left -= _add(small, view, fields, left // 2)
    left -= _add(small, view, ["lastMessage"], left // 2)
    for member in view["members"]:
        if (size := len(encode_json(member)) + 1) <= left:
            small["members"].append(member)
            left -= size
    return small


def _add(small: views.View, view: views.View, names: Iterable[str], left: int) -> int:
    """Add the fields of `view` to `small` one by one, each that fits into `left` bytes.

    Returns the bytes that they took.
    """
    before = left
    for name in names:
        size = _size(name, view[name]) if name in view else 0
        if size and size <= left:
            small[name] = view[name]
            left -= size
    return before - left


def _size(name: str, value: Any) -> int:
    """Bytes of a field in an object, with its comma."""
    return len(encode_json({name: value})) - 1
