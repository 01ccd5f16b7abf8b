"""Long-polling requests, checked before the protocol library sees them."""

import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from litestar.exceptions.http_exceptions import RequestEntityTooLarge

from service.domain.limits import MAX_BODY_BYTES
from service.wire import query_limits
from service.wire.body import ClientGone, read_body
from service.wire.realtime.connection import VIOLATION
from service.wire.realtime.frames import Event, Receive, Send, objection_to_post, packets_in
from service.wire.realtime.protocol import SocketServer
from service.wire.reply import PRIVATE

logger = logging.getLogger(__name__)

MAX_PARAMETERS = 32
MAX_QUERY_BYTES = query_limits.PLAIN
TOO_MANY_PARAMETERS = f"At most {MAX_PARAMETERS} parameters of {MAX_QUERY_BYTES} bytes together"
WEBSOCKET_ONLY = "Long-polling is not offered by a service with several workers: connect with transports: ['websocket']"


def query_of(scope: Event) -> Mapping[str, list[str]]:
    """The parameters of a handshake or of a request; none when there are more than MAX_PARAMETERS."""
    try:
        return parse_qs(scope["query_string"].decode("latin-1"), max_num_fields=MAX_PARAMETERS)
    except ValueError:
        return {}


def has_too_many_parameters(scope: Event) -> bool:
    """Whether the query has more than the protocol library should be given to read."""
    query: bytes = scope["query_string"]
    return len(query) > MAX_QUERY_BYTES or query.count(b"&") >= MAX_PARAMETERS


async def serve(sockets: SocketServer, scope: Event, receive: Receive, send: Send) -> None:
    """Answer one request of a long-polling client. What is wrong with it is answered 400 and ends the session."""
    answer = _Answer(send)
    query = query_of(scope)
    try:
        if "j" in query:
            await answer.refuse("JSONP is not spoken here")
        elif scope["method"] == "POST":
            await _serve_post(sockets, query.get("sid", [""])[0], scope, receive, answer)
        else:
            await sockets.handle_request(scope, receive, answer.send)
    except ClientGone:
        pass
    except Exception:
        logger.exception("a long-polling request failed")
        await answer.refuse("Bad Request")


async def _serve_post(sockets: SocketServer, sid: str, scope: Event, receive: Receive, answer: "_Answer") -> None:
    connection = sockets.connection(sid)
    if connection is None or connection.ended:
        await answer.refuse("no such session")
        return
    try:
        body = await read_body(receive)
        problem = objection_to_post(body)
    except RequestEntityTooLarge:
        problem = f"longer than {MAX_BODY_BYTES} bytes"
    if not problem and not connection.bucket.take(packets_in(body)):
        problem = "too many packets a second"
    if problem:
        connection.end(VIOLATION)
        await answer.refuse(problem)
        return
    headers = [header for header in scope["headers"] if header[0] != b"content-length"]
    whole = {**scope, "headers": [*headers, (b"content-length", b"%d" % len(body))]}
    await sockets.handle_request(whole, _once(body, receive), answer.send)


def _once(body: bytes, receive: Receive) -> Receive:
    first: list[Event] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Any:
        return first.pop() if first else await receive()

    return replay


class _Answer:
    """The answer to one request: whether it has begun, and the one that refuses."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._begun = False

    async def send(self, event: Event) -> None:
        self._begun = True
        if event["type"] == "http.response.start":
            event = {**event, "headers": [*event["headers"], *PRIVATE]}
        await self._send(event)

    async def refuse(self, reason: str) -> None:
        if not self._begun:
            self._begun = True
            await refuse(self._send, reason)


async def refuse(send: Send, reason: str, status: int = 400, *more: tuple[bytes, bytes]) -> None:
    """`status` with the reason as text. Any page may read it: it says nothing about users, and why a connection fails is hard to see."""
    body = reason.encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
        (b"access-control-allow-origin", b"*"),
        *PRIVATE,
        *more,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
