"""A Socket.IO connection that hands over `lastRead` notices with their times of arrival.

It speaks only the frames it needs (Engine.IO 4 over a websocket). A full client costs so much more
per notice that the load generator would measure itself.
"""

import json
from collections.abc import Callable
from time import perf_counter

import websocket

CONNECT_S = 10.0
Handler = Callable[[str, str, str, float], None]  # room, member, message, when it came


class ListenerFailed(Exception):
    """The connection could not be made or authenticated; the message says at which step."""


class SocketListener:
    """One authenticated connection.

    `run` blocks until it is closed; `lost`: the other side closed it.
    """

    def __init__(self, url: str, token: str, on_notice: Handler) -> None:
        self.lost = False
        self._on_notice = on_notice
        self._closing = False
        address = url.replace("http", "ws", 1) + "/socket.io/?EIO=4&transport=websocket"
        self._socket = websocket.create_connection(address, timeout=CONNECT_S, enable_multithread=True)
        self._expect("0")
        self._socket.send("40")
        self._expect("40")
        self._socket.send("420" + json.dumps(["auth2", token, {}]))
        answer = json.loads(self._expect("430")[3:])
        if answer[0].get("RC") != 0:
            raise ListenerFailed(f"auth2 was answered with {answer[0]}")
        self._socket.settimeout(None)

    def run(self) -> None:
        """Receive until closed."""
        try:
            while True:
                self._on_frame(str(self._socket.recv()), perf_counter())
        except (websocket.WebSocketException, OSError):
            self.lost = not self._closing

    def close(self) -> None:
        """End `run`, which then does not count as lost."""
        self._closing = True
        self._socket.close(timeout=1)

    def _expect(self, start: str) -> str:
        while True:
            frame = str(self._socket.recv())
            if frame.startswith(start):
                return frame
            if frame == "2":
                self._socket.send("3")
            elif not frame.startswith("42"):
                raise ListenerFailed(f"waited for a frame that begins with {start}, got {frame[:100]!r}")

    def _on_frame(self, frame: str, now: float) -> None:
        if frame == "2":
            self._socket.send("3")
        elif frame == "":
            raise websocket.WebSocketConnectionClosedException("closed")
        elif frame.startswith('42["lastRead"'):
            body = json.loads(frame[2:])[1]
            self._on_notice(body["roomID"], body["memberID"], body["messageID"], now)
