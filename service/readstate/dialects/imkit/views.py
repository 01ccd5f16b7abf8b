"""Rooms, users and messages as IMKit objects (docs.imkit.io, Room, Message and User objects).

HTTP answers and socket events share them. Each view is a dict for msgspec; profile fields remain
the JSON text that was given. Objects have their id twice, as `_id` and `id`, because clients read
either.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from readstate.dialects.http.body import raw_fields
from readstate.dialects.imkit.schemas.rooms import MemberProperty, MessageTime, RoomUnread
from readstate.dialects.people import People
from readstate.domain.identity import User
from readstate.domain.messages import MessageRef
from readstate.domain.rooms import MemberState, Room, RoomSummary
from readstate.times import iso

View = dict[str, Any]

_USER_DEFAULTS: Mapping[str, Any] = {"nickname": "", "avatarUrl": "", "description": "", "isRobot": False}


def user_ref(user: str, known: User | None) -> View:
    """A user inside a room or message: the ids, and the fields that clients show."""
    profile = known.profile if known else {}
    shown = {
        name: msgspec.Raw(profile[name]) if name in profile else default for name, default in _USER_DEFAULTS.items()
    }
    return {"_id": user, "id": user, **shown}


def user_view(app: str, user: User) -> View:
    """A user with the whole profile."""
    given = {name: msgspec.Raw(value) for name, value in user.profile.items()}
    ids = {"_id": user.user, "id": user.user, "appID": app}
    return {**_USER_DEFAULTS, **given, **ids, "mute": [], "updatedAt": iso(user.updated_ms)}


def with_me(room: Room, members: Sequence[MemberState]) -> Sequence[MemberState]:
    """`members`, and in any case the member for whom the room was read."""
    if room.me is None or any(state.member == room.me.member for state in members):
        return members
    return [*members, room.me]


def users_in(room: Room, members: Iterable[MemberState]) -> set[str]:
    """All users whose profile the view of a room shows."""
    return {state.member for state in members} | ({room.last.sender} if room.last and room.last.sender else set())


def room_view(
    app: str, room: Room, members: Sequence[MemberState], people: Mapping[str, User | None], *, properties: bool = True
) -> View:
    """A room without per-user fields.

    `properties`: with the read state of each of `members`.
    """
    view: View = {
        "roomType": "group",
        **{name: msgspec.Raw(value) for name, value in room.profile.items()},
        "_id": room.room,
        "id": room.room,
        "appID": app,
        "roomTags": room.tags,
        "status": room.status.value,
        "createdTime": iso(room.created_ms),
        "createdTimeMS": room.created_ms,
        "members": [user_ref(state.member, people.get(state.member)) for state in members],
    }
    if properties:
        view["memberProperties"] = [MemberProperty(state.member, state.unread, state.last_read) for state in members]
    if room.last:
        view["lastMessage"] = last_message(app, room.room, room.last, people)
    return view


def personal(view: View, room: Room, user: str) -> View:
    """`view` with the fields for `user`: their unread messages, and whether they may change the
    room.
    """
    return {**view, "unread": room.me.unread if room.me else 0, "isSuperuser": is_superuser(room, user)}


def last_message(app: str, room: str, last: MessageRef, people: Mapping[str, User | None]) -> View:
    """The newest message: its sender and time. Its content was pushed when it was posted, and is
    not kept.
    """
    sender = user_ref(last.sender, people.get(last.sender)) if last.sender else None
    return stored_message(app, room, last.message, sender, last.at_ms)


def message_view(app: str, room: str, message: str, sender: View | str | None, at_ms: int, body: str | bytes) -> View:
    """A message with the `body` (a JSON object) with which it was posted."""
    stored = stored_message(app, room, message, sender, at_ms)
    return {"messageType": "text", **raw_fields(body), **stored, "updatedAtMS": at_ms}


def stored_message(app: str, room: str, message: str, sender: View | str | None, at_ms: int) -> View:
    """What is kept of a message."""
    times = {"messageTime": iso(at_ms), "messageTimeMS": at_ms, "createdAtMS": at_ms}
    return {"_id": message, "id": message, "appID": app, "room": room, "sender": sender, **times}


def is_superuser(room: Room, user: str) -> bool:
    """Whether `user`, for whom the room was read, is a member who owns or manages it."""
    return room.me is not None and (_stored(room, "owner") == user or user in _managers(room))


def _managers(room: Room) -> Sequence[Any]:
    managers = _stored(room, "managers")
    return managers if isinstance(managers, list) else ()


def _stored(room: Room, name: str) -> Any:
    text = room.profile.get(name)
    return msgspec.json.decode(text) if text is not None else None


async def message_for_everybody(
    people: People, app: str, room: str, message: str, sender: str | None, at_ms: int, body: str
) -> View:
    """A message as a `chat message` event has it: the sender is an object, without which clients
    drop the message.
    """
    known = await people.find(app, [sender]) if sender else {}
    return message_view(app, room, message, user_ref(sender, known.get(sender)) if sender else None, at_ms, body)


def unread_view(room: RoomSummary) -> RoomUnread:
    """A room as a list of badges needs it."""
    me, last = room.me, room.last
    return RoomUnread(
        room.room,
        me.unread,
        room.tags,
        me.last_read,
        None if me.has_read else me.moved_ms,
        MessageTime(last.message, last.at_ms) if last else None,
    )
