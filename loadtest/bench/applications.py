"""Applications to compare the service with: `python -m loadtest.bench.applications NAME`.

noop    reads the request and answers 200 with as many bytes as PUT lastRead does
pooled  the service itself on redis-py's connection pool instead of PipelinedConnection
emitter python-socketio's server: clients join rooms, and one says what is to be emitted into which
"""

import os
import sys
from typing import Any

from litestar.types import ASGIApp, Receive, Scope, Send

from loadtest.bench import pool_executor
from readstate.app import Service
from readstate.parts import open_parts
from readstate.process.listener import listen
from readstate.process.workers import Workers
from readstate.settings import Settings
from readstate.worker_app import tune_garbage_collector

ANSWER = b'{"RC":0,"RM":"OK","result":{"client":"%s","lastRead":"%s","badge":50,"unread":1}}' % (b"0" * 24, b"0" * 24)
_START: Any = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(ANSWER)).encode())],
}
_BODY: Any = {"type": "http.response.body", "body": ANSWER}


async def no_operation(scope: Scope, receive: Receive, send: Send) -> None:
    """The least that an ASGI application can do."""
    kind: Any = scope["type"]
    if kind == "lifespan":
        await _live(receive, send)
        return
    while True:
        event: Any = await receive()
        if not event.get("more_body"):
            break
    await send(_START)
    await send(_BODY)


async def _live(receive: Receive, send: Send) -> None:
    while True:
        event: Any = await receive()
        kind = event["type"]
        answer: Any = {"type": f"{kind}.complete"}
        await send(answer)
        if kind == "lifespan.shutdown":
            return


def noop() -> Any:
    """The application of a worker."""
    tune_garbage_collector()
    return no_operation


def pooled() -> ASGIApp:
    """The application of a worker."""
    settings = Settings.from_environ(os.environ)
    service = Service(lambda: open_parts(settings, connect=pool_executor.connect), settings)
    tune_garbage_collector()
    return service


def emitter() -> Any:
    """The application of a worker."""
    import socketio  # only here: the others need none

    server = socketio.AsyncServer(async_mode="asgi", cors_allowed_origins=[])

    async def join(sid: str, rooms: list[str]) -> None:
        for room in rooms:
            await server.enter_room(sid, room)

    async def notices(_: str, reads: list[tuple[str, str, str]]) -> None:
        for room, member, message in reads:
            await server.emit("lastRead", {"roomID": room, "memberID": member, "messageID": message}, room=room)

    server.on("join", join)
    server.on("notices", notices)
    tune_garbage_collector()
    return socketio.ASGIApp(server, no_operation)


def main(name: str) -> int:
    """Serve on READSTATE_PORT until a signal, with the service's own settings of the server."""
    settings = Settings.from_environ(os.environ)
    with listen(settings.host, settings.port) as listener:
        workers = Workers(settings, [listener])
        workers.config.app = f"loadtest.bench.applications:{name}"
        if name != "pooled":
            # The ceiling is uvicorn as it comes, without what we have added to it.
            workers.config.http = "httptools"
            workers.config.ws = "websockets-sansio"
        workers.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
