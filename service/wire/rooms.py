"""Rooms as one user finds them, the same for every dialect."""

from service.domain.direct import direct_pair
from service.domain.read_state import ReadState
from service.domain.types import Room
from service.errors import RoomUnknown

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
