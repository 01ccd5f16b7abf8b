"""A proxy in front of a server that cuts the stream where a test says."""

import asyncio
import contextlib
from pathlib import Path


class CuttingProxy:
    """Listens on a unix socket and passes bytes on, until it is told to cut."""

    def __init__(self, server: Path, listen: Path) -> None:
        self._server = server
        self.path = listen
        self.cuts = 0
        self._listener: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._clients: set[asyncio.StreamWriter] = set()  # of the open ones
        self._requests_left: int | None = None
        self._replies_left: int | None = None

    async def start(self) -> None:
        self._listener = await asyncio.start_unix_server(self._serve, str(self.path))

    async def stop(self) -> None:
        assert self._listener is not None
        self._listener.close()
        self.cut_now()

    def cut_requests_after(self, count: int) -> None:
        """Let `count` more bytes through towards the server, then cut; once."""
        self._requests_left = count

    def cut_replies_after(self, count: int) -> None:
        """Let `count` more bytes through towards the client, then cut; once."""
        self._replies_left = count

    def never_cut(self) -> None:
        """Cancel a cut that has not happened."""
        self._requests_left = self._replies_left = None

    def cut_now(self) -> None:
        """Cut every open connection."""
        for writer in self._open:
            writer.transport.abort()

    def slip_in(self, data: bytes) -> None:
        """Send every client bytes that the server has not sent."""
        for writer in self._clients & self._open:
            writer.write(data)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError):
            server_reader, server_writer = await asyncio.open_unix_connection(str(self._server))
            ends = {writer, server_writer}
            self._open |= ends
            self._clients.add(writer)
            passing = {
                asyncio.create_task(self._pass(reader, server_writer, "_requests_left")),
                asyncio.create_task(self._pass(server_reader, writer, "_replies_left")),
            }
            await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)
            # Bytes that were let through are delivered before the connection ends.
            for end in ends:
                end.close()
            self._open -= ends
            await asyncio.gather(*passing, return_exceptions=True)

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, left: str) -> None:
        while data := await source.read(65536):
            allowed = getattr(self, left)
            if allowed is not None and len(data) >= allowed:
                setattr(self, left, None)
                target.write(data[:allowed])
                self.cuts += 1
                return
            if allowed is not None:
                setattr(self, left, allowed - len(data))
            target.write(data)
            await target.drain()
