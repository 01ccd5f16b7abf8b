"""The `room` event (docs.imkit.io, Socket Events): a room as its members are told of it when it has
changed.

It goes to everybody who hears the room, so it is small, whatever the room is like: what a client
wants beyond it, it asks for.
"""

from collections.abc import Iterable
from typing import Any

from readstate.dialects.http.reply import encode
from readstate.dialects.imkit.views import View, people_in, room_view
from readstate.dialects.people import People
from readstate.domain.rooms import Rooms

MAX_MEMBERS = 100
MAX_BYTES = 32 * 1024

_ALWAYS = ("_id", "id", "appID", "roomType", "status", "createdTime", "createdTimeMS")  # what no event lacks
_OURS = frozenset([*_ALWAYS, "roomTags", "lastMessage", "members", "partial"])  # what is no field of a profile


async def room_event(rooms: Rooms, people: People, app: str, room: str) -> bytes:
    """The payload as JSON of at most MAX_BYTES: members as objects, at most MAX_MEMBERS; no
    per-user fields. Raises RoomUnknown.

    An event that lacks some of the members, or anything else that the room has, says so: `partial`
    is true.
    """
    present = await rooms.room(app=app, room=room)
    members = await rooms.members(app=app, room=room, limit=MAX_MEMBERS)
    view = room_view(app, present, members, await people.find(app, people_in(present, members)), properties=False)
    if len(members) < present.member_count:
        view["partial"] = True
    payload = encode(view)
    return payload if len(payload) <= MAX_BYTES else encode(_shortened(view))


def left_event(app: str, room: str, badge: int | None, *, deleted: bool) -> bytes:
    """The last `room` event that a user hears of a room that they are no longer in, or that is no
    more; ours, as JSON.

    `left` is true, and `deleted` when the room is gone. `badge` is the user's new total, left out
    when it is not known (None). Nothing else is told to who is out.
    """
    view: View = {"_id": room, "id": room, "appID": app, "members": [], "partial": True, "left": True}
    view |= {"deleted": True} if deleted else {}
    view |= {"unread": 0} if badge is None else {"unread": 0, "badge": badge}
    return encode(view)


def _shortened(view: View) -> View:
    """As much of `view` as MAX_BYTES hold: tags, then fields of the profile up to half of what is
    left, then members.

    Tags are there all or none, since clients take a part for the whole. Of the fields, and of the
    members, each that still fits is there: fields the shortest first, so that the largest are left
    out, members in their order.
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
    """Give `small` those fields of `view` that fit into `left` bytes, one after the other; how many
    bytes that took.
    """
    before = left
    for name in names:
        size = _size(name, view[name]) if name in view else 0
        if size and size <= left:
            small[name] = view[name]
            left -= size
    return before - left


def _size(name: str, value: Any) -> int:
    """Bytes of a field in an object, comma included."""
    return len(encode({name: value})) - 1
