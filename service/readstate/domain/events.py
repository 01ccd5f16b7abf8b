"""What the backend is told of by webhook. Written by the script that made the change, into the same slot or server."""

import hashlib

from msgspec import Struct


class ReadEvent(Struct, frozen=True, array_like=True):
    """A member has read `room` up to `message`. Absolute values: a newer event of the same member and room stands for an older one."""

    app: str
    room: str
    member: str
    message: str
    seq: int  # of `message`
    before: int  # seq of the cursor before: the event covers messages before + 1 to seq
    at_ms: int  # Unix ms, server's clock
    unread: int  # of the room after this
    revision: int  # of the room: tells two events of a room apart and orders them

    @property
    def id(self) -> str:
        """The same however often the event is delivered, and no other event's."""
        room = hashlib.sha256(f"{self.app}:{self.room}".encode()).hexdigest()[:16]
        return f"read_{room}_{self.revision}"
