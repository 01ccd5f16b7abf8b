"""The room of two users, for calls that name a receiver instead of a room."""

import hashlib

from readstate.dialects.access.rooms import find_room
from readstate.dialects.services import Services
from readstate.domain.direct import TAG, direct_room
from readstate.domain.limits import check_id, check_members, check_room_tags
from readstate.errors import Invalid, UserUnknown


async def room_of_two(services: Services, app: str, sender: str, receiver: str, *, needed: bool = True) -> str:
    """The room of two users: the one of IMKit's clients if it exists, else the one of all dialects.

    If neither exists, the latter is created when it is `needed`. Raises Invalid, UserUnknown (the
    backend has not created the receiver), LimitReached.
    """
    check_id("sender", sender)
    if check_id("receiver", receiver) == sender:
        raise Invalid("receiver", "receiver must be another user than the sender")
    if receiver not in await services.directory.known(app=app, users=[receiver]):
        raise UserUnknown(receiver)
    two = check_members("members", [sender, receiver])
    there = None
    for room in (clients_room(sender, receiver), direct_room(sender, receiver)):
        there = await find_room(services.rooms, app=app, room=room, user=receiver)
        if there is not None and there.member_count == 2:
            # Anyone can compute the clients' id, so it proves nothing: look at the members.
            states = await services.rooms.members(app=app, room=room, limit=2)
            if {state.member for state in states} == set(two):
                return room
    if needed and there is None:
        await services.rooms.create_room(
            app=app,
            room=check_id("room", room),
            tags=check_room_tags("roomTags", [TAG]),
            profile={"roomType": b'"direct"'},
            members=two,
        )
    elif needed:
        # Not created anew: that would take the room over from the client that made it.
        await services.rooms.add_members(app=app, room=room, members=two)
    return room


def clients_room(one: str, other: str) -> str:
    """The id that IMKit's clients derive from two users (imkit-flutter-sdk).

    It is the MD5 of the lower-cased ids, sorted and joined by `_`.
    """
    pair = "_".join(sorted((one.lower(), other.lower())))
    return hashlib.md5(pair.encode(), usedforsecurity=False).hexdigest()
