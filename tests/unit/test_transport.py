"""The transport under connections: what it collects, and what passes it by."""

import asyncio
import socket

from readstate.process.transport import GatheringTransport


async def test_nothing_passes_what_waits_for_the_end_of_the_turn() -> None:
    ours, client = socket.socketpair()
    with client:
        loop = asyncio.get_running_loop()
        inner, _ = await loop.create_connection(asyncio.Protocol, sock=ours)
        transport = GatheringTransport(inner, loop)
        transport.write(b"the handshake")
        assert transport.direct_writer() is None
        await asyncio.sleep(0)
        assert transport.direct_writer() is not None
        transport.close()
