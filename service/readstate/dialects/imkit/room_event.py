"""The `room` event (docs.imkit.io, Socket Events): a changed room, as its members are told about
it.

It goes to all who listen to the room, so its size is bounded. A client asks for anything beyond it.
"""

from collections.abc import Iterable
from typing import Any

from readstate.dialects.http.reply import encode
from readstate.dialects.imkit.views import View, room_view, users_in
from readstate.dialects.people import People
from readstate.domain.rooms import Rooms

MAX_MEMBERS = 100
MAX_BYTES = 32 * 1024

_ALWAYS = ("_id", "id", "appID", "roomType", "status", "createdTime", "createdTimeMS")  # in every event
_OURS = frozenset([*_ALWAYS, "roomTags", "lastMessage", "members", "partial"])  # not fields of a profile


async def room_event(rooms: Rooms, people: People, app: str, room: str) -> bytes:
    """The payload as JSON of at most MAX_BYTES, with at most MAX_MEMBERS members and no per-user
    fields.

    In an event that lacks anything of the room `partial` is true. Raises RoomUnknown.
    """
    present = await rooms.room(app=app, room=room)
    members = await rooms.members(app=app, room=room, limit=MAX_MEMBERS)
    view = room_view(app, present, members, await people.find(app, users_in(present, members)), properties=False)
    if len(members) < present.member_count:
        view["partial"] = True
    payload = encode(view)
    return payload if len(payload) <= MAX_BYTES else encode(_shortened(view))


def left_event(app: str, room: str, badge: int | None, *, deleted: bool) -> bytes:
    """The last `room` event for a user who is no longer in the room, or whose room is deleted;
    ours, as JSON.

    `left` is true, and `deleted` when the room is deleted. `badge` is the user's new total; it is
    left out when it is not known (None). The event says nothing else about the room.
    """
    view: View = {"_id": room, "id": room, "appID": app, "members": [], "partial": True, "left": True}
    view |= {"deleted": True} if deleted else {}
    view |= {"unread": 0} if badge is None else {"unread": 0, "badge": badge}
    return encode(view)


def _shortened(view: View) -> View:
    """As much of `view` as fits into MAX_BYTES: tags, then profile fields up to half of the rest,
    then members.

    Tags are complete or left out, since clients would take a part for all of them. Fields are added
    from the shortest on, so that the largest are left out; members in their order.
    """
    small: View = {"partial": True, "members": [], **{name: view[name] for name in _ALWAYS}}
    left = MAX_BYTES - len(encode(small))
    left -= _add(small, view, ["roomTags"], left)
    fields = sorted((name for name in view.keys() - _OURS), key=lambda name: (len(view[name]), name))
    left -= _add(small, view, fields, left // 2)
    left -= _add(small, view, ["lastMessage"], left // 2)
    for member in view["members"]:
        if (size := len(encode(member)) + 1) <= left:
            small["members"].append(member)
            left -= size
    return small


def _add(small: View, view: View, names: Iterable[str], left: int) -> int:
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
    return len(encode({name: value})) - 1
