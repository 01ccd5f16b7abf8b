"""Rooms as one user finds them, the same for every dialect."""

from collections.abc import Sequence

from service.domain.direct import direct_pair
from service.domain.read_state import ReadState
from service.domain.types import MemberState, Room
from service.errors import RoomUnknown
from service.together import together

KEPT = "tencent·"  # begins the ids of rooms in which a dialect keeps something; no id of Tencent's holds a letter beyond ASCII


def may_come_in(room: str, user: str) -> bool:
    """Whether a user may make or join the room of this id by themselves: not a conversation of two others, nor what a dialect keeps.

    Anybody can work out such ids, and who came in first would be there when the two, or the dialect, come.
    """
    pair = direct_pair(room)
    return not room.startswith(KEPT) and (pair is None or user in pair)


async def find_room(read_state: ReadState, *, app: str, room: str, user: str) -> Room | None:
    """The room, with the state of `user` if they are in it; None when there is no such room."""
    try:
        return await read_state.room(app=app, room=room, user=user)
    except RoomUnknown:
        return None


async def find_rooms(read_state: ReadState, *, app: str, rooms: Sequence[str], user: str) -> list[Room]:
    """Those of `rooms` that `user` is in, in the same order."""
    found = await together(lambda room: find_room(read_state, app=app, room=room, user=user), rooms)
    return [room for room in found if room is not None and room.me is not None]


async def find_members(read_state: ReadState, *, app: str, room: str, limit: int) -> Sequence[MemberState]:
    """Up to `limit` members; none when there is no such room."""
    try:
        return await read_state.members(app=app, room=room, limit=limit)
    except RoomUnknown:
        return ()
