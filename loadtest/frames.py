"""The few frames of a websocket that a load generator needs: it must cost less than what it loads.

Text goes out under a mask of zeros, which changes nothing. What comes in is a server's: not masked,
not in parts.
"""

TEXT, CLOSE = 1, 8
_FINAL, _MASKED = 0x80, 0x80
_MASK = bytes(4)  # of zeros
_SHORT, _MEDIUM, _LONG = 125, 126, 127


def upgrade_request(host: str) -> bytes:
    """The request for a websocket of Engine.IO 4."""
    return (
        f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


def text_frame(text: str) -> bytes:
    """A text as a client sends it."""
    return _frame(TEXT, text.encode())


def close_frame(code: int = 1000) -> bytes:
    """The end, as a client sends it."""
    return _frame(CLOSE, code.to_bytes(2, "big"))


def _frame(kind: int, content: bytes) -> bytes:
    size = len(content)
    if size <= _SHORT:
        return bytes((_FINAL | kind, _MASKED | size)) + _MASK + content
    if size < 65_536:
        return bytes((_FINAL | kind, _MASKED | _MEDIUM)) + size.to_bytes(2, "big") + _MASK + content
    return bytes((_FINAL | kind, _MASKED | _LONG)) + size.to_bytes(8, "big") + _MASK + content


class FrameReader:
    """Cuts what a server sends into frames."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """The frames that are complete with `data`: the opcode and content of each."""
        data = self._rest + data if self._rest else data
        frames, start, end = [], 0, len(data)
        while end - start >= 2:
            size, head = data[start + 1], 2
            if size >= _MEDIUM:
                head = 4 if size == _MEDIUM else 10
                if end - start < head:
                    break
                size = int.from_bytes(data[start + 2 : start + head], "big")
            if end - start < head + size:
                break
            frames.append((data[start] & 0x0F, data[start + head : start + head + size]))
            start += head + size
        self._rest = data[start:]
        return frames
