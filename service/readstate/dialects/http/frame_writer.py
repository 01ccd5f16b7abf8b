"""Finished websocket frames. The worker's server takes them; ASGI has no message for them."""

from collections.abc import Callable
from typing import Protocol

FRAMES = "readstate.frames"  # the extension of an ASGI scope that holds a FrameWriter


class FrameWriter(Protocol):
    """What the server offers under FRAMES."""

    on_writable: Callable[[], None]
    on_unwritable: Callable[[], None]

    def is_writable(self) -> bool: ...
    def write_frames(self, frames: bytes) -> None: ...
    def direct_writer(self) -> Callable[[bytes], object] | None: ...
    def start_close(self, code: int, reason: str) -> None: ...
    def abort(self) -> None: ...
