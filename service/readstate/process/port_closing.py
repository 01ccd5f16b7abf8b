"""Closes a listening port so that no client that has connected is cut off.

The system completes handshakes by itself, and keeps the new connections in a queue until a worker
accepts them. When the port closes, it resets those that are left in the queue. Their clients have
perhaps sent a request, and cannot know that it was not read: a proxy does not repeat a POST
then. So the port takes no new handshakes first. The workers go on until the queue is empty. Then it
is closed, and a client that tries again is refused: a proxy then asks the next service, whatever
the call.
"""

import ctypes
import select
import socket
import struct
import sys
from collections.abc import Sequence
from contextlib import suppress
from time import monotonic, sleep

HANDSHAKE_S = 0.1  # in which handshakes that have begun are completed
EMPTY_WITHIN_S = 2.0  # after it, workers that do not accept are not waited for

_SO_ATTACH_FILTER = 26
# A program for the system's packet filter, which sees each packet from its TCP header on: drop the
# one that begins a handshake (SYN without ACK), and pass all others.
_NO_HANDSHAKES = (
    (0x30, 0, 0, 13),  # load the byte with the flags
    (0x54, 0, 0, 0x12),  # of these, SYN and ACK
    (0x15, 0, 1, 0x02),  # only SYN?
    (0x06, 0, 0, 0),  # drop
    (0x06, 0, 0, 0xFFFF),  # pass
)


def close_when_empty(listeners: Sequence[socket.socket], *, are_served: bool) -> None:
    """Close the listeners, when workers have accepted what waits in their queues.

    `are_served`: there are workers that accept. It takes HANDSHAKE_S, and EMPTY_WITHIN_S at most.
    """
    if are_served:
        began_s = monotonic()
        for listener in listeners:
            _ignore_handshakes(listener)
        sleep(HANDSHAKE_S)
        while select.select(listeners, (), (), 0)[0] and monotonic() < began_s + EMPTY_WITHIN_S:
            sleep(HANDSHAKE_S / 10)
    for listener in listeners:
        listener.close()


def _ignore_handshakes(listener: socket.socket) -> None:
    """Clients that connect from now on get no answer, and try again after a second.

    Systems other than Linux have no such filter: what comes in the last moment is cut off there.
    """
    if sys.platform != "linux":
        return
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in _NO_HANDSHAKES))
    program = struct.pack("HP", len(_NO_HANDSHAKES), ctypes.addressof(code))
    with suppress(OSError):  # a sandbox may refuse it
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
