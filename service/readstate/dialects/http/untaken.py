"""What was answered to users over HTTP and has not been taken yet: bounded for all connections of a
user together.

Only connections are looked at that had much left to send behind an answer, which ordinary clients
do not: no call pays for this but those of a user who has such connections.
"""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, Protocol, TypeVar

from readstate.errors import TooManyRequests

LARGE_BYTES = 16 * 1024  # of one connection; less than this is not looked at
MAX_BYTES = 4 * 1024 * 1024  # of one user

_LOOKS = 2  # at other users' connections, when one is noted

Key = TypeVar("Key", bound=Hashable)


class Transport(Protocol):
    """What is asked of a connection."""

    def get_write_buffer_size(self) -> int: ...
    def is_closing(self) -> bool: ...


class Untaken(Generic[Key]):
    """The connections that had more than LARGE_BYTES left, by the user who was answered."""

    def __init__(self) -> None:
        self.transports: OrderedDict[Key, set[Transport]] = OrderedDict()

    def note(self, key: Key, transport: Transport) -> None:
        """`transport` has much left to send to the user."""
        self.transports.setdefault(key, set()).add(transport)
        # Who took everything and never called again is found here, a few at a time.
        for _ in range(_LOOKS):
            oldest = next(iter(self.transports))
            self.transports.move_to_end(oldest)
            self._forget_taken(oldest)
            if not self.transports:
                return

    def check(self, key: Key) -> None:
        """Raises TooManyRequests when more than MAX_BYTES wait for the user."""
        if key in self.transports and self._forget_taken(key) > MAX_BYTES:
            raise TooManyRequests("Answers that were sent have not been taken; read them first", 1)

    def _forget_taken(self, key: Key) -> int:
        """Forget the connections of a user that have taken what they had left; how many bytes wait
        on the others.
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
