"""Raw connections over which bytes are sent as they were made, and the answers that come back."""

import asyncio
import contextlib
import re
from typing import NamedTuple, Self
from urllib.parse import urlsplit

ANSWER_WITHIN_S = 20.0
PATIENCE_S = 0.15  # with what need not be answered


class Answer(NamedTuple):
    """One response. Status 0: none came."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes

    @property
    def closes(self) -> bool:
        return self.headers.get(b"connection", b"").lower() == b"close"


NOTHING = Answer(0, {}, b"")


class Garbled(Exception):
    """The bytes are no response."""


class Line:
    """One connection at a time to a service; a new one when the one before was closed."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._place = (address.hostname, address.port)
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The connection, made if there is none."""
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection(*self._place, limit=2**22)
        return self._reader, self._writer

    async def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            with contextlib.suppress(OSError):
                await self._writer.wait_closed()
        self._reader = self._writer = None

    async def ask(self, request: bytes, *, head: bool = False, within_s: float = ANSWER_WITHIN_S) -> Answer:
        """The answer to a request that HTTP says must be answered.

        One retry: an idle connection may have been closed meanwhile.
        """
        for _ in range(2):
            fresh = self._reader is None
            answer = NOTHING
            try:
                async with asyncio.timeout(within_s):
                    reader, writer = await self.open()
                    writer.write(request)
                    answer = await read_answer(reader, head=head)
            except Garbled as error:
                await self.close()
                return Answer(0, {}, str(error).encode())
            except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
                answer = Answer(0, {}, f"{error!r} on a {'fresh' if fresh else 'used'} connection".encode())
            if not answer.status or answer.closes:
                await self.close()
            if answer.status or fresh:
                return answer
        return answer

    async def throw(self, data: bytes) -> list[Answer]:
        """The answer to bytes that are no proper request. The connection is given up after it."""
        await self.close()
        answers = []
        try:
            reader, writer = await self.open()
            writer.write(data)
            while True:
                async with asyncio.timeout(PATIENCE_S):
                    answers.append(await read_answer(reader))
        except (OSError, TimeoutError, Garbled, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        await self.close()
        return answers


async def read_answer(reader: asyncio.StreamReader, *, head: bool = False) -> Answer:
    """The next response; informational ones are passed over."""
    while True:
        first, *lines = (await reader.readuntil(b"\r\n\r\n"))[:-4].split(b"\r\n")
        if not re.fullmatch(rb"HTTP/1\.1 \d{3} .*", first, re.DOTALL):
            raise Garbled(repr(first[:200]))
        status = int(first[9:12])
        if status >= 200 or status == 101:
            break
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
    if head or status in (101, 204, 304):
        return Answer(status, headers, b"")
    if headers.get(b"transfer-encoding") == b"chunked":
        return Answer(status, headers, await _chunks(reader))
    if b"content-length" in headers:
        return Answer(status, headers, await reader.readexactly(int(headers[b"content-length"])))
    return Answer(status, {**headers, b"connection": b"close"}, await reader.read())


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    pieces = []
    while size := int((await reader.readline()).split(b";")[0], 16):
        pieces.append(await reader.readexactly(size))
        await reader.readline()
    await reader.readline()
    return b"".join(pieces)
