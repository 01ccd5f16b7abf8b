"""What a client may put on the wire, checked before the protocol library sees it.

python-engineio takes binary frames, any number of attachments, JSON of any depth and frames that are no packets; it queues or fails
on them. Only what an Engine.IO 4 client really sends gets through. Everything else ends the connection.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from service.domain.limits import MAX_BODY_BYTES

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]

EVENTS_PER_S = 50
EVENTS_AT_ONCE = 100
MAX_PACKETS_PER_POST = 16

POLICY_VIOLATION = 1008
TOO_BIG = 1009

# Engine.IO packets that a client sends besides messages: close, the two halves of an upgrade, pong.
_CONTROL = frozenset({"1", "2probe", "3", "5"})
# Socket.IO packets that a client sends: connect, disconnect, event, ack. Binary ones (5, 6) are not spoken here.
_MESSAGES = frozenset({"40", "41", "42", "43"})
_SEPARATOR = "\x1e"


class Bucket:
    """A token bucket: EVENTS_PER_S on average, EVENTS_AT_ONCE in a burst."""

    __slots__ = ("_at_s", "_left", "_now")

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._at_s = now()
        self._left = float(EVENTS_AT_ONCE)

    def take(self, count: int = 1) -> bool:
        """Whether `count` more are allowed now."""
        now = self._now()
        self._left = min(EVENTS_AT_ONCE, self._left + (now - self._at_s) * EVENTS_PER_S)
        self._at_s = now
        if self._left < count:
            return False
        self._left -= count
        return True


def objection(packet: str) -> str:
    """What is wrong with one Engine.IO packet, "" when it may pass."""
    if packet[:2] in _MESSAGES or packet in _CONTROL:
        return ""
    return "not a packet that a client sends"


def objection_to_post(body: bytes) -> str:
    """The same for the body of a long-polling POST."""
    try:
        packets = body.decode().split(_SEPARATOR)
    except UnicodeDecodeError:
        return "not UTF-8"
    if len(packets) > MAX_PACKETS_PER_POST:
        return f"more than {MAX_PACKETS_PER_POST} packets at once"
    return next(filter(None, map(objection, packets)), "")


def packets_in(body: bytes) -> int:
    """How many packets the body of a long-polling POST holds."""
    return body.count(_SEPARATOR.encode()) + 1


class Wire:
    """The `receive` and `send` of one websocket as python-engineio is given them, and the way to close it from our side."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._bucket = Bucket(asyncio.get_running_loop().time)
        self._closed = False
        self._farewell = (1000, "")
        self.sid = ""  # of the Engine.IO session that it carries

    async def receive(self) -> Event:
        event = await self._receive()
        if event["type"] == "websocket.receive" and (problem := self._objection(event)):
            self.part(*problem)
            await self.send({"type": "websocket.close"})
            return {"type": "websocket.disconnect", "code": problem[0]}
        return event

    async def send(self, event: Event) -> None:
        if self._closed:
            raise ConnectionError("closed")
        if event["type"] == "websocket.close":
            self._closed = True
            event = {**event, "code": self._farewell[0], "reason": self._farewell[1]}
        await self._send(event)

    def part(self, code: int, reason: str) -> None:
        """Whenever this is closed from now on, say why."""
        self._farewell = (code, reason)

    def abort(self) -> None:
        """Cut the connection, whatever still waits to be sent. For clients that do not read: they would never take a farewell."""
        self._closed = True
        # ASGI has no word for this; uvicorn's `send` belongs to the object that holds the transport.
        transport = getattr(getattr(self._send, "__self__", None), "transport", None)
        if transport is not None:
            transport.abort()

    def _objection(self, event: Event) -> tuple[int, str] | None:
        """Code and reason to close with."""
        text = event.get("text")
        if text is None:
            return POLICY_VIOLATION, "binary frames are not spoken here"
        if len(text) > MAX_BODY_BYTES:
            return TOO_BIG, f"longer than {MAX_BODY_BYTES} bytes"
        if not self._bucket.take():
            return POLICY_VIOLATION, f"more than {EVENTS_PER_S} packets a second"
        problem = objection(text)
        return (POLICY_VIOLATION, problem) if problem else None
