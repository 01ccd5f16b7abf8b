"""A websocket as the worker's server offers it: finished frames out, messages in.

ASGI has no message for finished frames, and keeps a task for each connection.
"""

from collections.abc import Callable
from typing import Protocol

FRAMES = "readstate.frames"  # the extension of an ASGI scope that holds a FrameWriter


class MessageHandler(Protocol):
    """What the server tells of a connection. No method waits or raises."""

    def on_message(self, text: str | None) -> bool:
        """A message; None: a binary one. Returns whether it takes time: the next message comes
        after `FrameWriter.go_on` only.
        """

    def on_writable(self) -> None:
        """The client takes frames again."""

    def on_unwritable(self) -> None:
        """It takes none for now, or the connection is being closed."""

    def on_closed(self) -> None:
        """The connection is closed, by either side. Comes last. If the client has closed it, the
        messages before that were handled.
        """


class FrameWriter(Protocol):
    """What the server offers under FRAMES."""

    def attach(self, handler: MessageHandler) -> None:
        """Take the accepted connection over: the call of the application may return."""

    def go_on(self) -> None:
        """The last message is processed."""

    def is_writable(self) -> bool:
        """Whether the client takes frames."""

    def write_frames(self, frames: bytes) -> None:
        """Write finished frames; only while it is writable."""

    def direct_writer(self) -> Callable[[bytes], object] | None:
        """What writes finished frames in the shortest way, until `on_unwritable` is called; None
        when there is no such way now. It raises RuntimeError for a client that went away.
        """

    def start_close(self, code: int, reason: str) -> None:
        """Send a close frame, and close when the client has answered it, or after a moment."""

    def abort(self) -> None:
        """Cut the connection, whatever was not sent yet."""
