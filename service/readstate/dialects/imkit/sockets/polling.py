"""The long-polling transport: a GET waits for packets, a POST brings some.

See engine.io-protocol, "HTTP long-polling".

A bad request is answered with status 400 and the reason as text. When it breaks the protocol, the
connection is closed too.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, ClassVar

from litestar.exceptions.http_exceptions import RequestEntityTooLarge

from readstate.dialects.http.body import ClientGone, read_body
from readstate.dialects.http.reply import TEXT, Headers, Reply
from readstate.dialects.imkit.sockets import packets
from readstate.dialects.imkit.sockets.connection import CloseReason, Connection
from readstate.dialects.imkit.sockets.connections import Connections
from readstate.domain.limits import MAX_BODY_BYTES

logger = logging.getLogger(__name__)

Message = MutableMapping[str, Any]  # of ASGI
Receive = Callable[[], Awaitable[Message]]

_NOOP = packets.Packet(packets.NOOP)
_GET_WAITS = "a request for packets waits already"
_POST_RUNS = "another request with packets is being dealt with"


class PollingTransport:
    """`connection.Transport` over long-polling: writable while a GET waits.

    `on_closed` is called when it is closed.
    """

    has_close_packet: ClassVar[bool] = True

    def __init__(self) -> None:
        self.on_closed: Callable[[], None] = lambda: None
        self._waiting: asyncio.Future[Sequence[packets.Packet]] | None = None
        self.is_posting = False  # a POST is being processed
        self.is_upgrading = False  # a websocket is open that the connection may move to
        self.is_probed = False  # ... and the client has probed it

    def wait(self) -> "asyncio.Future[Sequence[packets.Packet]]":
        """A GET has come. The result is what to answer."""
        self._waiting = asyncio.get_running_loop().create_future()
        return self._waiting

    def is_writable(self) -> bool:
        return self._waiting is not None and not self._waiting.done()

    def send(self, packets: Sequence[packets.Packet]) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(packets)

    def direct_writer(self) -> None:
        """There is none: what a turn brings is one response."""

    def release(self) -> None:
        """Answer a waiting GET with no packets."""
        self.send([_NOOP])

    def close(self, code: int, reason: str) -> None:
        self.abort()

    def abort(self) -> None:
        self.release()
        self.on_closed()


class Response:
    """The response to one request, with `headers` for the page that sent it."""

    def __init__(self, scope: Any, receive: Any, send: Any, headers: Headers) -> None:
        self._request = (scope, receive, send)
        self._headers = headers

    async def send(self, body: bytes, status: int = 200, more: Headers = ()) -> None:
        """Send it, with the headers `more` as well."""
        await Reply(body, status, more_headers=(*self._headers, *more), media_type=TEXT)(*self._request)

    async def refuse(self, reason: str, status: int = 400, more: Headers = ()) -> None:
        """Send an error with the reason as text."""
        await self.send(reason.encode(), status, more)


def is_poll(connection: Connection, scope: Message) -> bool:
    """Whether a request is an ordinary one of a long-polling connection.

    All other requests with a session id are rare.
    """
    transport = connection.transport
    return (
        scope.get("method") in ("GET", "POST") and isinstance(transport, PollingTransport) and not transport.is_probed
    )


async def serve(
    connections: Connections, connection: Connection, method: str, receive: Receive, response: Response
) -> None:
    """Answer one request of a connection. `method` is GET or POST."""
    transport = connection.transport
    try:
        if not isinstance(transport, PollingTransport):
            await response.refuse("the session has moved to a websocket")
        elif method == "POST":
            await _post(connections, connection, transport, receive, response)
        else:
            await _poll(connections, connection, transport, receive, response)
    except ClientGone:
        pass
    except Exception:
        logger.exception("a long-polling request failed")
        connection.transport.abort()
        await response.refuse("Something went wrong on our side", 500)


async def _poll(
    connections: Connections, connection: Connection, transport: PollingTransport, receive: Receive, response: Response
) -> None:
    if transport.is_writable():
        connections.close_now(connection, CloseReason(packets.POLICY_VIOLATION, _GET_WAITS))
        await response.refuse(_GET_WAITS)
        return
    batch = transport.wait()
    connection.flush()
    if transport.is_probed:
        transport.release()  # the client waits for the end of this request before it upgrades
    if not batch.done() and not await _wait_for(batch, receive):
        connections.remove(connection)  # the packets that come next would be lost with the response
        return
    await response.send(packets.SEPARATOR.encode().join([packet.text for packet in batch.result()]))


async def _wait_for(batch: "asyncio.Future[Sequence[packets.Packet]]", receive: Receive) -> bool:
    """Wait for the packets that answer a GET. Returns False when the client disconnects first."""
    disconnect: asyncio.Future[Any] = asyncio.ensure_future(_until_disconnect(receive))
    try:
        await asyncio.wait([batch, disconnect], return_when=asyncio.FIRST_COMPLETED)
    finally:
        disconnect.cancel()
    return batch.done()


async def _until_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _post(
    connections: Connections, connection: Connection, transport: PollingTransport, receive: Receive, response: Response
) -> None:
    if connection.is_closing:
        await response.refuse("the session has ended")  # its queued packets may still be fetched
        return
    try:
        if transport.is_posting:
            raise packets.ProtocolError(_POST_RUNS)
        transport.is_posting = True
        try:
            stays_open = await _receive_all(connections, connection, receive)
        finally:
            transport.is_posting = False
    except packets.ProtocolError as error:
        connections.close_now(connection, CloseReason(packets.POLICY_VIOLATION, str(error)))
        await response.refuse(str(error))
        return
    if not stays_open:
        transport.abort()
    await response.send(b"ok")


async def _receive_all(connections: Connections, connection: Connection, receive: Receive) -> bool:
    """Process the packets of a POST.

    Returns False when the client closes the connection by one of them.
    """
    try:
        body = await read_body(receive)
    except RequestEntityTooLarge:
        raise packets.ProtocolError(f"longer than {MAX_BODY_BYTES} bytes") from None
    for text in packets.split_packets(body):
        if not await connections.receive(connection, text):
            return False
    return True
