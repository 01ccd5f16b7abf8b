"""Answers that were sent over HTTP and that the client has not read yet: bounded for all
connections of a user together.

Only connections with much unsent data after an answer are looked at; ordinary clients have none. So
only the calls of a user with such connections pay for this.
"""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, Protocol, TypeVar

from readstate.errors import TooManyRequests

LARGE_BYTES = 16 * 1024  # of one connection; smaller amounts are ignored
MAX_BYTES = 4 * 1024 * 1024  # of one user

_LOOKS = 2  # at other users' connections, when one is noted

Key = TypeVar("Key", bound=Hashable)


class Transport(Protocol):
    """What is used of a connection."""

    def get_write_buffer_size(self) -> int: ...
    def is_closing(self) -> bool: ...


class OutputBuffers(Generic[Key]):
    """Connections with more than LARGE_BYTES unsent, by the user who was answered."""

    def __init__(self) -> None:
        self.transports: OrderedDict[Key, set[Transport]] = OrderedDict()

    def note(self, key: Key, transport: Transport) -> None:
        """Remember that `transport` has much left to send to the user."""
        self.transports.setdefault(key, set()).add(transport)
        # Users who read everything and never called again are forgotten here, a few at a time.
        for _ in range(_LOOKS):
            oldest = next(iter(self.transports))
            self.transports.move_to_end(oldest)
            self._forget_empty(oldest)
            if not self.transports:
                return

    def check(self, key: Key) -> None:
        """Raises TooManyRequests when more than MAX_BYTES wait for the user."""
        if key in self.transports and self._forget_empty(key) > MAX_BYTES:
            raise TooManyRequests("Answers that were sent have not been taken; read them first", 1)

    def _forget_empty(self, key: Key) -> int:
        """Forget a user's connections that have sent what they had left. Returns the bytes that
        wait on the others.
        """
        left = 0
        transports = self.transports[key]
        for transport in list(transports):
            size = 0 if transport.is_closing() else transport.get_write_buffer_size()
            if size <= LARGE_BYTES:
                transports.discard(transport)
            left += size
        if not transports:
            del self.transports[key]
        return left
