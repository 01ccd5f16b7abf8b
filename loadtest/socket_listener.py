"""A Socket.IO connection that hands over `lastRead` notices with their times of arrival.

It speaks only the frames it needs (Engine.IO 4 over a websocket), so that a process keeps thousands
of connections. A full client costs so much more per notice that the load generator would measure
itself.
"""

import contextlib
import json
import re
import socket
import ssl
from collections.abc import Callable
from time import perf_counter
from urllib.parse import urlsplit

import msgspec

from loadtest.frames import TEXT, FrameReader, close_frame, text_frame, upgrade_request

CONNECT_S = 30.0
READ_BYTES = 65_536
LAST_READ = b'42["lastRead"'
Handler = Callable[[str, str, str, float], None]  # room, member, message, when it came

_PONG = text_frame("3")
_RETRY_AFTER = re.compile(rb"retry-after: *(\d+)", re.IGNORECASE)
_decode = msgspec.json.Decoder(tuple[str, dict[str, str]]).decode


class ListenerFailed(Exception):
    """The connection could not be made or authenticated; the message says at which step.

    `retry_after_s`: when the service asks to come again; 0: it did not.
    """

    def __init__(self, message: str, retry_after_s: int = 0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class SocketListener:
    """One authenticated connection.

    `run` blocks until it is closed; `lost`: the other side closed it. Making it raises
    ListenerFailed or OSError.
    """

    def __init__(self, url: str, token: str, on_notice: Handler) -> None:
        self.lost = False
        self._on_notice = on_notice
        self._closing = False
        self._frames = FrameReader()
        self._waiting: list[str] = []  # packets that came together with an expected one
        self._socket = _connect(url)
        try:
            self._waiting = self._packets(self._upgraded())
            self._expect("0")
            self._send("40")
            self._expect("40")
            self._send("420" + json.dumps(["auth2", token, {}]))
            answer = json.loads(self._expect("430")[3:])
            if answer[0].get("RC") != 0:
                raise ListenerFailed(f"auth2 was answered with {answer[0]}")
            self._socket.settimeout(None)
        except BaseException:
            self._socket.close()
            raise

    def run(self) -> None:
        """Receive until closed."""
        try:
            while data := self._socket.recv(READ_BYTES):
                now = perf_counter()
                for kind, content in self._frames.feed(data):
                    if kind != TEXT:
                        break
                    self._on_packet(content, now)
        except OSError:
            pass
        self.lost = not self._closing

    def close(self) -> None:
        """End `run`, which then does not count as lost."""
        self._closing = True
        with contextlib.suppress(OSError):  # it was closed already
            self._socket.sendall(close_frame())
            self._socket.shutdown(socket.SHUT_RDWR)

    def cut(self) -> None:
        """End `run` without a word to the service, as when a proxy fails."""
        self._closing = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def _upgraded(self) -> bytes:
        """What follows the answer to the handshake."""
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._received()
        head, _, rest = answer.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101"):
            asked = _RETRY_AFTER.search(head)
            raise ListenerFailed(f"the handshake was answered with {head[:60]!r}", int(asked[1]) if asked else 0)
        return rest

    def _expect(self, start: str) -> str:
        while True:
            while not self._waiting:
                self._waiting = self._packets(self._received())
            packet = self._waiting.pop(0)
            if packet.startswith(start):
                return packet
            if packet == "2":
                self._socket.sendall(_PONG)
            elif not packet.startswith("42"):
                raise ListenerFailed(f"waited for a packet that begins with {start}, got {packet[:100]!r}")

    def _packets(self, data: bytes) -> list[str]:
        return [content.decode() for kind, content in self._frames.feed(data) if kind == TEXT]

    def _received(self) -> bytes:
        data = self._socket.recv(READ_BYTES)
        if not data:
            raise ListenerFailed("the connection was closed before it was authenticated")
        return data

    def _send(self, packet: str) -> None:
        self._socket.sendall(text_frame(packet))

    def _on_packet(self, packet: bytes, now: float) -> None:
        if packet.startswith(LAST_READ):
            body = _decode(packet[2:])[1]
            self._on_notice(body["roomID"], body["memberID"], body["messageID"], now)
        elif packet == b"2":
            self._socket.sendall(_PONG)


def _connect(url: str) -> socket.socket:
    parts = urlsplit(url)
    host, is_secure = parts.hostname or "", parts.scheme == "https"
    made = socket.create_connection((host, parts.port or (443 if is_secure else 80)), timeout=CONNECT_S)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if is_secure:
        made = ssl.create_default_context().wrap_socket(made, server_hostname=host)
    made.sendall(upgrade_request(parts.netloc))
    return made
