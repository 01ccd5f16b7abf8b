"""The sockets of a storm, in a process of their own: reading what they hear takes as long as the
storm, and must not be in the times of others.
"""

import asyncio
import multiprocessing
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection

import uvloop

from loadtest.bench.crowd import Crowd, crowd
from loadtest.bench.machine import BenchError
from loadtest.bench.processes import HttpServer

LONGEST_S = 60.0
_START_S = 120.0

Read = tuple[str, str]  # room, message


class Storm:
    """Members of one room who read at once."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    async def read(self, room: str, message: str) -> float:
        """Let all read `message` at once. Returns the seconds until each had heard of each."""
        self._pipe.send((room, message))
        return await self._answer(2 * LONGEST_S)

    async def _answer(self, within_s: float) -> float:
        if not await asyncio.to_thread(self._pipe.poll, within_s):
            raise BenchError("the sockets of the storm do not answer")
        answer: float | str = self._pipe.recv()
        if isinstance(answer, str):
            raise BenchError(answer)
        return answer


@asynccontextmanager
async def storm(server: HttpServer, tokens: Sequence[str]) -> AsyncIterator[Storm]:
    """A socket for each token, all connected."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, server, list(tokens)), daemon=True)
    process.start()
    theirs.close()
    storming = Storm(ours)
    try:
        await storming._answer(_START_S)
        yield storming
    finally:
        ours.close()
        await asyncio.to_thread(process.join, 10)
        process.kill()


def _serve(pipe: Connection, server: HttpServer, tokens: Sequence[str]) -> None:
    try:
        uvloop.run(_take_reads(pipe, server, tokens))
    except BenchError as error:
        pipe.send(str(error))
    except (EOFError, OSError):
        pass  # the bench has ended


async def _take_reads(pipe: Connection, server: HttpServer, tokens: Sequence[str]) -> None:
    async with crowd(server, tokens) as sockets:
        pipe.send(0.0)
        while True:
            read: Read = await asyncio.to_thread(pipe.recv)
            pipe.send(await _read(sockets, *read))


async def _read(sockets: Crowd, room: str, message: str) -> float:
    before, size = sockets.heard, len(sockets.sockets)
    for socket in sockets.sockets:
        socket.send("lastRead", {"room": room, "message": message})
    took_s = await sockets.until_heard(before + size**2, LONGEST_S)
    heard = await sockets.settled(before + size**2) - before
    if heard != size**2:
        raise BenchError(f"{heard:,} notices were heard instead of {size**2:,}")
    return took_s
