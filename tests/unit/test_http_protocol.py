"""What is written in one turn of the event loop leaves in one write, in order, and before the end."""

import asyncio

from service.http_protocol import GatheringTransport


class Recording(asyncio.Transport):
    """Remembers what was done to it."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1)})
        self.done: list[bytes | str] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.done.append(bytes(data))

    def close(self) -> None:
        self.done.append("closed")


async def test_head_and_body_are_one_write_and_later_answers_another() -> None:
    """Nothing waits for longer than the turn."""
    inner = Recording()
    transport = GatheringTransport(inner, asyncio.get_running_loop())
    transport.write(b"head ")
    transport.write(b"body")
    assert inner.done == []
    await asyncio.sleep(0)
    assert inner.done == [b"head body"]
    transport.write(b"next")
    await asyncio.sleep(0)
    assert inner.done == [b"head body", b"next"]


async def test_closing_sends_what_was_written_first() -> None:
    """And nothing is sent after it."""
    inner = Recording()
    transport = GatheringTransport(inner, asyncio.get_running_loop())
    transport.write(b"bye")
    transport.close()
    await asyncio.sleep(0)
    assert inner.done == [b"bye", "closed"]


async def test_everything_else_is_the_real_transport() -> None:
    """Addresses, flow control, changing to another protocol."""
    assert GatheringTransport(Recording(), asyncio.get_running_loop()).get_extra_info("peername") == ("127.0.0.1", 1)
