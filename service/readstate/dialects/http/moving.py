"""Requests that move to another worker of the service, with the connection on which they came."""

from typing import Any

from readstate.dialects.http.frame_writer import FRAMES


class Movable:
    """What the server has behind a request that can be moved."""

    __slots__ = ()

    def own_worker(self) -> int:
        """The number of this worker among those of the service."""
        return 0

    def can_move_to(self, worker: int) -> bool:
        """Whether there is another worker of this number."""
        return False

    async def move(self, worker: int, body: bytes) -> bool:
        """Let another worker answer this request, and those that come on its connection later.

        `body`: the whole body of the request. Nothing may have been answered yet, and nothing may
        be afterwards. Returns False when the request cannot be moved now; then it is to be answered
        here.
        """
        return False


_FIXED = Movable()


def movable(scope: Any, send: Any) -> Movable:
    """The request that ASGI describes so. One of a server without workers moves nowhere."""
    behind = (
        scope.get("extensions", {}).get(FRAMES) if scope["type"] == "websocket" else getattr(send, "__self__", None)
    )
    return behind if isinstance(behind, Movable) else _FIXED
