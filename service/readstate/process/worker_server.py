"""The server that runs in a worker's process: uvicorn's, with heartbeats."""

import asyncio
import socket
from collections.abc import Callable

from uvicorn import Server

from readstate.process.connection_limits import ServerConfig
from readstate.process.http_protocol import HttpProtocol

HEARTBEAT_EVERY_S = 0.2


class WorkerServer(Server):
    """uvicorn's, with heartbeats, and with connections that come from other workers."""

    config: ServerConfig

    def __init__(self, config: ServerConfig, send_heartbeat: Callable[[bool], None]) -> None:
        """`send_heartbeat`: tells the supervisor whether this has begun to serve."""
        super().__init__(config)
        self._send_heartbeat = send_heartbeat

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.config.neighbours.receive(self._adopt)

    async def _adopt(self, connection: socket.socket, request: bytes) -> None:
        """Serve a connection of which another worker has read this request."""
        protocol = HttpProtocol(self.config, self.server_state, self.lifespan.state)
        protocol.beginning = request
        await asyncio.get_running_loop().connect_accepted_socket(lambda: protocol, connection)
        if self.should_exit:
            protocol.shutdown()

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        heartbeats = asyncio.create_task(self._send_heartbeats())
        try:
            await super().serve(sockets)
        finally:
            heartbeats.cancel()

    async def _send_heartbeats(self) -> None:
        while True:
            self._send_heartbeat(self.started)
            await asyncio.sleep(HEARTBEAT_EVERY_S)
