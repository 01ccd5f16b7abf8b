"""Many cases over several connections, and the mistakes in the answers."""

import asyncio
import contextlib
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import httpx

from readstate.app import create_app
from readstate.settings import Settings
from tests.security.fuzz import frames
from tests.security.fuzz.calls import Calls, Route, Sent
from tests.security.fuzz.client import NOTHING, PATIENCE_S, Answer, Garbled, Line, read_answer
from tests.security.fuzz.world import API_KEY, CLIENT_KEY, World
from tests.support.devices import faults
from tests.support.processes import ServiceProcess, workers_of
from tests.support.receiver import Receiver, Reply
from tests.support.servers import short_directory
from tests.support.tencent import KEY, SDKAPPID
from tests.support.tencent_callbacks import TOKEN
from tests.support.waiting import wait_until_now

CONNECTIONS = 16
CASES_PER_WORLD = 10_000  # then other users and rooms, so that none of them grows without end
DESCRIPTORS_WITHIN_S = 60.0
UNTOUCHED = 999_999  # the world in which no case before has changed anything
TRIES = 300  # to do an operation that no case has done

NO_LIMITS = {"user_rate_limit": 0, "app_rate_limit": 0, "address_rate_limit": 0, "address_socket_limit": 0}
TENCENT = {"tencent_sdkappid": SDKAPPID, "tencent_key": KEY, "tencent_token": TOKEN, "tencent_rate_limit": 0}

Case = Callable[[World, Random], Awaitable[None]]


class Fuzz:
    """A run.

    `wrong` says of each case that went wrong what was sent and answered; `reached` counts successes
    by operation.
    """

    def __init__(self, service: ServiceProcess, http: httpx.AsyncClient, seed: str) -> None:
        self._service = service
        self._http = http
        self._seed = seed
        self._worlds: dict[int, asyncio.Task[World]] = {}
        self.calls = Calls(
            create_app(
                Settings(redis_url="unix:///nowhere", api_key=API_KEY, client_key=CLIENT_KEY, token_secret="t" * 32)
            )
        )
        self.wrong: list[str] = []
        self.statuses: Counter[int] = Counter()
        self.reached: Counter[str] = Counter()
        self.sent = 0

    async def requests(self, count: int, only: int | None = None) -> None:
        """`count` requests, or the one of this number alone."""
        await self._run(count, only, self._request)

    async def unreached(self) -> list[str]:
        """Operations without a success, after some hundred right requests if need be."""
        world = await self._world(UNTOUCHED)
        async with Line(self._service.url) as line:
            for operation in self._operations() - self.reached.keys():
                for number in range(TRIES):
                    await self._request(line, number, world, Random(f"{self._seed}:{operation}:{number}"), operation)
                    if operation in self.reached:
                        break
        return sorted(self._operations() - self.reached.keys())

    def _operations(self) -> set[str]:
        return {route.operation for route in self.calls.routes if not route.operation.startswith(("GET ", "OPTIONS "))}

    async def websockets(self, count: int, only: int | None = None) -> None:
        """Websockets over which about `count` frames are sent."""
        await self._run(count // 16, only, self._websocket)

    async def polling(self, count: int, only: int | None = None) -> None:
        """Long-polling sessions of about `count` requests."""
        await self._run(count // 16, only, self._polling)

    async def _run(
        self, count: int, only: int | None, case: Callable[[Line, int, World, Random], Awaitable[None]]
    ) -> None:
        numbers = iter(range(count) if only is None else [only])

        async def work() -> None:
            async with Line(self._service.url) as line:
                for number in numbers:
                    world = await self._world(number // CASES_PER_WORLD)
                    await case(line, number, world, Random(f"{self._seed}:{number}"))

        async with asyncio.TaskGroup() as group:
            for _ in range(CONNECTIONS):
                group.create_task(work())

    async def _world(self, part: int) -> World:
        if part not in self._worlds:

            async def make() -> World:
                world = World(part)
                await world.fill(self._http)
                return world

            self._worlds[part] = asyncio.create_task(make())
        return await self._worlds[part]

    # One case

    async def _request(self, line: Line, number: int, world: World, rng: Random, operation: str = "") -> None:
        route, sent = self.calls.make(world, rng, operation)
        data = sent.encoded()
        self.sent += 1
        if not sent.whole:
            answers = await line.throw(data)
        else:
            answer = await line.ask(data, head=sent.method == b"HEAD")
            # A client that sends too much may see a reset instead of the answer.
            answers = [answer] if answer.status or len(data) > 64_000 else []
            if not answers:
                self._note(number, f"no answer, or none that is one: {answer.body!r}", data)
        for answer in answers:
            self._judge(number, route, sent, data, answer)
        if sent.user and any(answer.status == 401 for answer in answers) and "headers" not in sent.mutations:
            await world.renew(self._http, sent.user)

    def _judge(self, number: int, route: Route, sent: Sent, data: bytes, answer: Answer) -> None:
        self.statuses[answer.status] += 1
        # A callback too many is to be sent again, and Tencent sends again what is answered 503.
        is_asked_again = route.dialect == "tencent" and b"asks too much at once" in answer.body
        if answer.status >= 500 and not is_asked_again:
            self._note(number, f"{answer.status} {answer.body[:300]!r}", data)
        if answer.status == 200 and (route.dialect not in ("v4", "tencent") or b'"ErrorCode":0' in answer.body):
            self.reached[route.operation] += 1

    async def _websocket(self, line: Line, number: int, world: World, rng: Random) -> None:
        said = [frames.frames(packet, rng) for packet in frames.packets(world, rng)]
        opening = frames.handshake(rng)
        heard, status = await _converse(line, opening, said)
        self.sent += 1 + len(said)
        self.statuses[status] += 1
        for opcode, payload in frames.heard(heard):
            if opcode == frames.CLOSE and payload[:2] == b"\x03\xf3":
                self._note(number, f"closed with 1011 {payload[2:]!r}", opening + b"".join(said))
            if opcode == frames.TEXT and b'"RC":0' in payload:
                self.reached["socket"] += 1
            if opcode == frames.TEXT and (b'"RC":500' in payload or b'"RC":503' in payload):
                self._note(number, f"answered {payload!r}", opening + b"".join(said))
        if status >= 500:
            self._note(number, str(status), opening)

    async def _polling(self, line: Line, number: int, world: World, rng: Random) -> None:
        answer = await self._poll(line, number, b"GET", frames.ENGINE + b"polling", b"")
        if answer.status != 200:
            return
        sid = answer.body.partition(b'"sid":"')[2].partition(b'"')[0]
        place = frames.ENGINE + b"polling&sid=" + sid
        for packet in frames.packets(world, rng):
            odd = rng.random()
            path = (
                place
                if odd < 0.95
                else rng.choice(
                    (place + b"x", place[:-3], place + b"&j=1", place + b"&EIO=3", place + b"&%41=%42" * 3_000)
                )
            )
            body = packet if odd > 0.1 else b"\x1e".join([packet] * rng.choice((2, 16, 17)))
            answer = await self._poll(line, number, b"POST", path, body)
            if rng.random() < 0.2:
                answer = await self._poll(line, number, b"GET", place, b"", within_s=PATIENCE_S)
            if answer.status == 400 and rng.random() < 0.8:
                return

    async def _poll(
        self, line: Line, number: int, method: bytes, path: bytes, body: bytes, within_s: float = 20.0
    ) -> Answer:
        data = b"%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (method, path, len(body), body)
        answer = await line.ask(data, within_s=within_s)
        self.sent += 1
        self.statuses[answer.status] += 1
        self.reached["polling"] += b'"RC":0' in answer.body
        if answer.status >= 500 or b'"RC":500' in answer.body:
            self._note(number, f"{answer.status} {answer.body[:300]!r}", data)
        return answer

    def _note(self, number: int, what: str, data: bytes) -> None:
        shown = data if len(data) < 3_000 else data[:1_500] + b" ... " + data[-1_500:]
        self.wrong.append(f"case {self._seed}:{number}: {what}\n    {shown!r}")


async def _converse(line: Line, opening: bytes, said: list[bytes]) -> tuple[bytes, int]:
    """What a server says to a client that opens a websocket, and the status of its first answer."""
    heard, answer = b"", NOTHING
    await line.close()
    with contextlib.suppress(OSError, TimeoutError, Garbled, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        reader, writer = await line.open()
        writer.write(opening)
        async with asyncio.timeout(20):
            answer = await read_answer(reader)
        if answer.status == 101:
            writer.write(b"".join(said))
            while True:
                async with asyncio.timeout(PATIENCE_S):
                    piece = await reader.read(65_536)
                if not piece:
                    break
                heard += piece
    await line.close()
    return heard, answer.status


@asynccontextmanager
async def fuzzing(seed: str, **settings: Any) -> AsyncIterator[Fuzz]:
    """A service that is fuzzed inside the block.

    After it nothing was wrong, no worker was replaced, nothing stayed open and nothing was logged.
    """
    receiver = Receiver()

    def forget(_: Any) -> Reply:
        receiver.calls.clear()
        return Reply()

    receiver.answer = forget
    with short_directory() as directory:
        async with receiver:
            told = {"webhook_url": receiver.url, "webhook_token": "a-token-of-webhooks", "webhook_allow_private": True}
            keys = {"api_key": API_KEY, "client_key": CLIENT_KEY}
            service = ServiceProcess(directory / "data", **{**keys, **TENCENT, **told, **settings})
            await asyncio.to_thread(service.start)
            try:
                async with httpx.AsyncClient(base_url=service.url, timeout=30) as http:
                    fuzz = Fuzz(service, http, seed)
                    # Descriptors that a worker opens once and keeps are open by now.
                    await _warm_up(service)
                    workers = descriptors(service)
                    yield fuzz
                assert not fuzz.wrong, f"{len(fuzz.wrong)} of {fuzz.sent}, the first:\n" + "\n".join(fuzz.wrong[:5])
                assert descriptors(service).keys() == workers.keys(), "a worker was restarted"
                await asyncio.to_thread(_wait_for_descriptors, service, workers)
                status, _ = await asyncio.to_thread(service.get, "/readyz")
                assert status == 200
                assert faults(service) == [], f"seed {seed}"
            finally:
                await asyncio.to_thread(service.stop)


async def _warm_up(service: ServiceProcess) -> None:
    """Ask until each worker has answered: all have as many descriptors then, or will never have."""

    async def ask(_: int) -> None:
        async with Line(service.url) as line:
            for path in (b"/readyz", b"/metrics") * 5:
                await line.ask(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    for _ in range(20):
        await asyncio.gather(*map(ask, range(8)))
        await asyncio.sleep(0.2)  # until connections that were closed are gone
        if len(set(descriptors(service).values())) == 1:
            return


def descriptors(service: ServiceProcess) -> dict[int, int]:
    """How many descriptors each worker has open."""
    return {pid: len([*Path(f"/proc/{pid}/fd").iterdir()]) for pid in workers_of(service)}


def _wait_for_descriptors(service: ServiceProcess, before: dict[int, int]) -> None:
    wait_until_now(
        lambda: all(count <= before[pid] for pid, count in descriptors(service).items()),
        f"as many descriptors as before: {before}, now {descriptors(service)}",
        timeout_s=DESCRIPTORS_WITHIN_S,
    )


def fresh_seed() -> str:
    """A seed that no run had before."""
    return secrets.token_hex(4)
