"""Long-polling: a GET waits for packets, a POST brings some. See engine.io-protocol, "HTTP long-polling".

Whatever is wrong with a request is answered 400 with the reason as text. When it is about the session, that has ended.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, ClassVar

from litestar.exceptions.http_exceptions import RequestEntityTooLarge

from readstate.dialects.http.body import ClientGone, read_body
from readstate.dialects.http.reply import Headers, Reply
from readstate.dialects.imkit.sockets.connection import Connection, Farewell
from readstate.dialects.imkit.sockets.connections import Connections
from readstate.dialects.imkit.sockets.packets import NOOP, POLICY_VIOLATION, SEPARATOR, Packet, Violation, packets_of
from readstate.domain.limits import MAX_BODY_BYTES

logger = logging.getLogger(__name__)

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]

_TEXT = b"text/plain; charset=utf-8"
_NOOP = Packet(NOOP)
_WAITS = "a request for packets waits already"
_POSTS = "another request with packets is being dealt with"


class PollingLine:
    """See `connection.Line`: ready while a GET waits. `on_gone` is called when the session is no more."""

    says_close: ClassVar[bool] = True

    def __init__(self) -> None:
        self.on_gone: Callable[[], None] = lambda: None
        self._waiting: asyncio.Future[Sequence[Packet]] | None = None
        self.is_posting = False  # a POST is being dealt with
        self.is_moving = False  # there is a websocket that the session may move to
        self.is_probed = False  # ... and the client has tried it

    def wait(self) -> "asyncio.Future[Sequence[Packet]]":
        """A GET has come: what it is to be answered."""
        self._waiting = asyncio.get_running_loop().create_future()
        return self._waiting

    def is_ready(self) -> bool:
        return self._waiting is not None and not self._waiting.done()

    def send(self, packets: Sequence[Packet]) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(packets)

    def release(self) -> None:
        """Let a GET that waits go with nothing."""
        self.send([_NOOP])

    def close(self, code: int, reason: str) -> None:
        self.cut()

    def cut(self) -> None:
        self.release()
        self.on_gone()


class Answer:
    """The answer to one request, with `headers` for the page that sent it."""

    def __init__(self, scope: Any, receive: Any, send: Any, headers: Headers) -> None:
        self._request = (scope, receive, send)
        self._headers = headers

    async def give(self, body: bytes, status: int = 200, more: Headers = ()) -> None:
        await Reply(body, status, more_headers=(*self._headers, *more), media_type=_TEXT)(*self._request)

    async def refuse(self, reason: str, status: int = 400, more: Headers = ()) -> None:
        await self.give(reason.encode(), status, more)


def goes_on(connection: Connection, scope: Event) -> bool:
    """Whether a request is one of many that belong to long-polling; what else there is of a session is rare."""
    line = connection.line
    return scope.get("method") in ("GET", "POST") and isinstance(line, PollingLine) and not line.is_probed


async def serve(
    connections: Connections,
    connection: Connection,
    method: str,
    receive: Receive,
    answer: Answer,
) -> None:
    """One request of a session. `method` is GET or POST."""
    line = connection.line
    try:
        if not isinstance(line, PollingLine):
            await answer.refuse("the session has moved to a websocket")
        elif method == "POST":
            await _post(connections, connection, line, receive, answer)
        else:
            await _poll(connections, connection, line, receive, answer)
    except ClientGone:
        pass
    except Exception:
        logger.exception("a long-polling request failed")
        connection.line.cut()
        await answer.refuse("Something went wrong on our side", 500)


async def _poll(
    connections: Connections,
    connection: Connection,
    line: PollingLine,
    receive: Receive,
    answer: Answer,
) -> None:
    if line.is_ready():
        connections.end_now(connection, Farewell(POLICY_VIOLATION, _WAITS))
        await answer.refuse(_WAITS)
        return
    packets = line.wait()
    connection.flush()
    if line.is_probed:
        line.release()  # the client waits for the end of this request before it moves
    if not packets.done() and not await _comes(packets, receive):
        connections.gone(connection)  # no client is there to take what was to come
        return
    await answer.give(SEPARATOR.encode().join([packet.text for packet in packets.result()]))


async def _comes(packets: "asyncio.Future[Sequence[Packet]]", receive: Receive) -> bool:
    """Wait for what a GET is answered; False when the client went away first."""
    leaving: asyncio.Future[Any] = asyncio.ensure_future(_until_left(receive))
    try:
        await asyncio.wait([packets, leaving], return_when=asyncio.FIRST_COMPLETED)
    finally:
        leaving.cancel()
    return packets.done()


async def _until_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _post(
    connections: Connections,
    connection: Connection,
    line: PollingLine,
    receive: Receive,
    answer: Answer,
) -> None:
    if connection.ended:
        await answer.refuse("the session has ended")  # what waits for it may still be fetched
        return
    try:
        if line.is_posting:
            raise Violation(_POSTS)
        line.is_posting = True
        try:
            stays = await _take(connections, connection, receive)
        finally:
            line.is_posting = False
    except Violation as violation:
        connections.end_now(connection, Farewell(POLICY_VIOLATION, str(violation)))
        await answer.refuse(str(violation))
        return
    if not stays:
        line.cut()
    await answer.give(b"ok")


async def _take(connections: Connections, connection: Connection, receive: Receive) -> bool:
    """Deal with the packets of a POST; False when the client takes its leave."""
    try:
        body = await read_body(receive)
    except RequestEntityTooLarge:
        raise Violation(f"longer than {MAX_BODY_BYTES} bytes") from None
    for text in packets_of(body):
        if not await connections.hear(connection, text):
            return False
    return True
