"""A client that follows the read state by docs/sync.md, over a line that drops, doubles, reorders
and cuts.
"""

import asyncio
import contextlib
import json
import random
from typing import Any

import websockets
from websockets.asyncio.client import ClientConnection

ANSWER_WITHIN_S = 0.3


class Line:
    """What the service sends, on its way to a client. `trouble`: how likely each mishap is.

    Who `heals` it lets all through that is held.
    """

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.trouble = 0.2
        self.mishaps = 0
        self._held: list[str] = []
        self.has_lost = False

    def passes(self, packet: str) -> list[str]:
        """What the client gets now."""
        if self.rng.random() >= 3 * self.trouble:
            arrived, self._held = [packet, *self._held], []
            return arrived
        self.mishaps += 1
        kind = self.rng.randrange(3)
        if kind == 0:
            self.has_lost = True
            return []
        self._held.append(packet)  # comes behind a later one
        return [packet] if kind == 1 else []

    def heal(self) -> list[str]:
        self.trouble = 0.0
        held, self._held = self._held, []
        return held

    def begin(self) -> None:
        """A new connection: what is held of the one before does not come any more."""
        self._held, self.has_lost = [], False


class Follower:
    """One client. It comes back by itself whenever its connection ends, until it is stopped."""

    def __init__(self, url: str, token: str, rng: random.Random) -> None:
        self._url = url.replace("http", "ws", 1) + "/socket.io/?EIO=4&transport=websocket"
        self._auth = json.dumps({"token": token, "badge": True})
        self._rng = rng
        self.line = Line(rng)
        self.version, self.badge = "", 0
        self.rooms: dict[str, tuple[int, list[str]]] = {}
        self.asked = self.connected = self.gaps = self.told_to_ask = 0
        self._asking: asyncio.Task[None] | None = None
        self._kept: list[dict[str, Any]] = []
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._next = 0
        self._socket: ClientConnection | None = None
        self._running = asyncio.create_task(self._run())

    async def stop(self) -> None:
        for task in (self._running, self._asking):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    def cut(self) -> None:
        if self._socket is not None:
            self._socket.transport.abort()

    def heal(self, *, cut: bool) -> None:
        """Without `cut` something more is sent, which shows what was lost."""
        for packet in self.line.heal():
            self._take(packet)
        if cut and self.line.has_lost:
            self.cut()

    # The connection

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(OSError, websockets.WebSocketException):
                async with websockets.connect(self._url, compression=None, ping_interval=None) as self._socket:
                    await self._socket.send(f"40{self._auth}")
                    async for packet in self._socket:
                        await self._receive(str(packet))
            await asyncio.sleep(self._rng.uniform(0, 0.02))

    async def _receive(self, packet: str) -> None:
        assert self._socket is not None
        if packet == "2":
            await self._socket.send("3")
        elif packet.startswith("40"):
            self.connected += 1
            self.line.begin()
            self._ask()
        elif packet.startswith(("42", "43")):
            for arrived in self.line.passes(packet):
                self._take(arrived)

    def _take(self, packet: str) -> None:
        content = packet.lstrip("0123456789")
        if packet.startswith("43"):
            answer = self._answers.get(int(packet[2 : len(packet) - len(content)]))
            if answer is not None and not answer.done():
                answer.set_result(json.loads(content)[0])
            return
        name, payload = json.loads(content)
        if name == "sync":
            self.told_to_ask += 1
            self._ask()
        elif name == "badge":
            self._kept.append(payload) if self._is_asking() else self._follow(payload)

    # The state machine

    def _is_asking(self) -> bool:
        return self._asking is not None and not self._asking.done()

    def _ask(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
        self.asked += 1
        self._kept = []
        self._asking = asyncio.create_task(self._ask_all())

    async def _ask_all(self) -> None:
        more = True
        while more:
            answer = await self._once({"since": self.version, "limit": self._rng.choice((1, 2, 200))})
            if answer is not None:
                self._put_in(answer)
                more = answer["more"]
        kept, self._kept, self._asking = self._kept, [], None
        for event in kept:
            self._kept.append(event) if self._is_asking() else self._follow(event)

    async def _once(self, question: dict[str, Any]) -> dict[str, Any] | None:
        self._next += 1
        number, answer = self._next, asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        try:
            try:
                assert self._socket is not None
                await self._socket.send(f'42{number}["sync",{json.dumps(question)}]')
            except websockets.WebSocketException:
                await asyncio.Event().wait()  # it asks again when it is back
            said = await asyncio.wait_for(answer, ANSWER_WITHIN_S)
            assert said["RC"] == 0, said
            return dict(said["result"])
        except TimeoutError:
            return None
        finally:
            del self._answers[number]

    def _put_in(self, answer: dict[str, Any]) -> None:
        if answer["snapshot"]:
            self.rooms.clear()
        for room in answer["removed"]:
            self.rooms.pop(room, None)
        self.rooms.update((room["_id"], (room["unread"], room["roomTags"])) for room in answer["rooms"])
        self.version, self.badge = answer["version"], answer["badge"]

    def _follow(self, event: dict[str, Any]) -> None:
        if int(event["version"]) <= int(self.version):
            return
        if int(event["since"]) > int(self.version):
            self.gaps += 1
            self._ask()
            return
        if event.get("removed"):
            self.rooms.pop(event["room"], None)
        else:
            self.rooms[event["room"]] = (event["unread"], event["tags"])
        self.version, self.badge = event["version"], event["badge"]
