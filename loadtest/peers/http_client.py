"""A client that costs its core little: kept-alive connections with one call at a time each."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from loadtest.bench.machine import BenchError

_LENGTH = b"content-length:"
_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class HttpClient:
    """Up to `size` connections to one server, opened when they are needed."""

    def __init__(self, host: str, port: int, size: int) -> None:
        self._address = host, port
        self._turns = asyncio.Semaphore(size)
        self._free: list[_Streams] = []
        self.bytes = 0  # of all requests and answers

    async def call(self, method: str, path: str, headers: Mapping[str, str], body: object = None) -> Any:
        """The result of one call. Raises BenchError unless it is answered with 200."""
        content = b"" if body is None else json.dumps(body).encode()
        lines = [f"{method} {path} HTTP/1.1", "Host: bench", *(f"{name}: {value}" for name, value in headers.items())]
        if content:
            lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
        async with self._turns:
            streams = await self._connection()
            request = "\r\n".join(lines).encode() + b"\r\n\r\n" + content
            head, answer = await _exchange(streams, request)
            self._free.append(streams)
        self.bytes += len(request) + len(head) + len(answer)
        status = int(head[9:12])
        if status != 200:
            raise BenchError(f"{method} {path} was answered with {status}: {answer[:200].decode(errors='replace')}")
        return json.loads(answer)["result"]

    async def _connection(self) -> _Streams:
        while self._free:
            reader, writer = self._free.pop()
            if not reader.at_eof():
                return reader, writer
            writer.close()  # the server has closed it, since nothing was asked for a while
        return await asyncio.open_connection(*self._address)

    async def close(self) -> None:
        for _, writer in self._free:
            writer.close()
            await writer.wait_closed()
        self._free.clear()


async def _exchange(streams: _Streams, request: bytes) -> tuple[bytes, bytes]:
    reader, writer = streams
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    _, _, rest = head.partition(_LENGTH)
    length = int(rest.partition(b"\r\n")[0])
    return head, await reader.readexactly(length)
