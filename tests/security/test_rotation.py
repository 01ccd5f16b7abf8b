"""Every key is replaced under load, by the steps of docs/keys.md, and no call fails.

Two services on one store are restarted in turn. A backend and its users call all the time, as
behind a load balancer: a call that finds a service stopped goes to the other one.
"""

import asyncio
import itertools
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from tests.support.processes import ServiceProcess, run_command
from tests.support.servers import Server, free_port, short_directory
from tests.support.waiting import wait_until

AT_ONCE = 3  # callers of each kind
HEARD_WITHIN_S = 5.0


def fresh() -> str:
    return secrets.token_urlsafe(32)


class Pair:
    """Two services with the same settings."""

    def __init__(self, directory: Path, server: Server) -> None:
        self._directory = directory
        self._fixed = {"redis_url": server.url, "workers": 1}
        self._ports = [free_port(), free_port()]
        self._processes: list[ServiceProcess] = []
        self.keys = {"api_key": fresh(), "client_key": fresh(), "token_secret": fresh()}
        self.urls = [f"http://127.0.0.1:{port}" for port in self._ports]

    async def start(self) -> None:
        self._processes = [self._service(number) for number in range(2)]
        await asyncio.gather(*(asyncio.to_thread(process.start) for process in self._processes))

    async def change(self, **keys: str) -> None:
        """Restart one after the other with `keys`; "" removes one.

        Neither ever warns of the other.
        """
        self.keys |= keys
        for number, process in enumerate(self._processes):
            assert await asyncio.to_thread(process.stop) == 0
            self._processes[number] = self._service(number)
            await asyncio.to_thread(self._processes[number].start)
            assert [await asyncio.to_thread(one.get, "/readyz") for one in self._processes] == [
                (200, b"ready\nlayout: 2\n")
            ] * 2

    async def stop(self) -> None:
        await asyncio.gather(*(asyncio.to_thread(process.stop) for process in self._processes))
        # Tests may run as root, which is warned of.
        expected = ("running as root", '"level": "info"')
        lines = [line for process in self._processes for line in process.logged]
        assert [line for line in lines if not any(words in line for words in expected)] == []

    async def command(self, *arguments: str) -> str:
        """The last word of the output of `readstate ARGUMENTS`: the key of the last app."""
        settings = self._fixed | {"data_dir": self._directory / "command"}
        run = await asyncio.to_thread(run_command, *arguments, settings=settings)
        assert run.returncode == 0, run.stderr
        return run.stdout.split()[-1]

    def _service(self, number: int) -> ServiceProcess:
        return ServiceProcess(self._directory / str(number), port=self._ports[number], **self._fixed, **self.keys)


class Load:
    """A backend that signs users in and asks for their badges, and users who ask for their own."""

    def __init__(self, urls: list[str], *, api_key: str, client_key: str) -> None:
        self._urls = urls
        self.api_key = api_key
        self.client_key = client_key
        self.failed: list[str] = []
        self.answered = 0
        self.tokens: list[str] = []  # of users who stay signed in

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Callers call while the block runs. Then all answers are checked."""
        async with httpx.AsyncClient(timeout=10, limits=httpx.Limits(max_connections=None)) as client:
            await self._sign_all_in(client)
            executors = [asyncio.create_task(self._call_on(client, number)) for number in range(AT_ONCE)]
            try:
                yield
            finally:
                for executor in executors:
                    executor.cancel()
                ended = await asyncio.gather(*executors, return_exceptions=True)
        assert [error for error in ended if not isinstance(error, asyncio.CancelledError)] == []
        assert self.failed == []
        assert self.answered > 200

    async def renew_tokens(self) -> None:
        """All users sign in again, as they do within the life of a token."""
        async with httpx.AsyncClient(timeout=10) as client:
            await self._sign_all_in(client)

    async def _sign_all_in(self, client: httpx.AsyncClient) -> None:
        self.tokens = [await self._sign_in(client, f"u{number}") for number in range(AT_ONCE)]

    async def _call_on(self, client: httpx.AsyncClient, number: int) -> None:
        for turn in itertools.count():
            user = f"u{number}-{turn // 100}"  # of whom only so many tokens are kept
            for token in (await self._sign_in(client, user), self.tokens[number]):
                await self._call(
                    client, "GET", "/me/badge", {"IM-CLIENT-KEY": self.client_key, "IM-Authorization": token}
                )
            await self._call(client, "GET", "/me/badge", {"IM-API-KEY": self.api_key, "IM-CLIENT-ID": user})
            await asyncio.sleep(0.04)

    async def _sign_in(self, client: httpx.AsyncClient, user: str) -> str:
        answer = await self._call(
            client, "POST", "/admin/clients", {"IM-API-KEY": self.api_key}, {"_id": user, "issueAccessToken": True}
        )
        return str(answer.json()["result"]["token"]) if answer is not None else ""

    async def _call(
        self, client: httpx.AsyncClient, method: str, path: str, headers: dict[str, str], body: object = None
    ) -> httpx.Response | None:
        """The answer of one service, or of the other when the first is stopped.

        In turn, so that both are asked all the time.
        """
        self._urls = self._urls[1:] + self._urls[:1]
        for url in self._urls:
            try:
                answer = await client.request(method, url + path, headers=headers, json=body)
            except httpx.TransportError:
                continue
            self.answered += 1
            if answer.status_code == 200:
                return answer
            self.failed.append(f"{method} {path}: {answer.status_code} {answer.text}")
            return None
        self.failed.append(f"{method} {path}: no service answered")
        return None


@pytest.fixture
def directory() -> Iterator[Path]:
    with short_directory() as directory:
        yield directory


@pytest_asyncio.fixture
async def pair(directory: Path, server: Server) -> AsyncIterator[Pair]:
    with server.client() as client:
        client.flushall()
    pair = Pair(directory, server)
    await pair.start()
    yield pair
    await pair.stop()


async def statuses(pair: Pair, headers: dict[str, str]) -> list[int]:
    """The answers of both services to the credentials."""
    async with httpx.AsyncClient() as client:
        return [(await client.get(f"{url}/me/badge", headers=headers)).status_code for url in pair.urls]


async def test_the_api_key_and_the_client_key_are_replaced_without_a_failed_call(pair: Pair) -> None:
    before = dict(pair.keys)
    new = {"api_key": fresh(), "client_key": fresh()}
    load = Load(pair.urls, api_key=before["api_key"], client_key=before["client_key"])
    async with load.running():
        await pair.change(**new, old_api_key=before["api_key"], old_client_key=before["client_key"])
        load.api_key, load.client_key = new["api_key"], new["client_key"]
        await pair.change(old_api_key="", old_client_key="")
    assert await statuses(pair, {"IM-API-KEY": before["api_key"], "IM-CLIENT-ID": "u0"}) == [401, 401]


async def test_the_token_secret_is_replaced_without_a_failed_call(pair: Pair) -> None:
    """First every service accepts the new secret, then they sign with it.

    The old one goes when its last token has ended.
    """
    before, new = pair.keys["token_secret"], fresh()
    load = Load(pair.urls, api_key=pair.keys["api_key"], client_key=pair.keys["client_key"])
    async with load.running():
        first = load.tokens[0]
        await pair.change(old_token_secret=new)
        await pair.change(token_secret=new, old_token_secret=before)
        await load.renew_tokens()
        await pair.change(old_token_secret="")
    assert await statuses(pair, {"IM-CLIENT-KEY": load.client_key, "IM-Authorization": first}) == [401, 401]


async def test_an_app_s_api_key_is_rotated_without_a_failed_call(pair: Pair) -> None:
    """No restart is needed. The old key is good until its end or the next rotation."""
    old = await pair.command("apps", "add", "acme")
    await answered(pair, old, 200)
    load = Load(pair.urls, api_key=old, client_key=await pair.command("apps", "list"))
    async with load.running():
        new = await pair.command("apps", "rotate", "acme", "--keep-old-for", "1h")
        await asyncio.sleep(HEARD_WITHIN_S)
        load.api_key = new
        await asyncio.sleep(0.5)
    await answered(pair, old, 200)
    await pair.command("apps", "rotate", "acme")
    for key in (old, new):
        await answered(pair, key, 401)


async def answered(pair: Pair, api_key: str, status: int) -> None:
    """Wait until both services answer a key so."""

    async def are() -> bool:
        return await statuses(pair, {"IM-API-KEY": api_key, "IM-CLIENT-ID": "u0"}) == [status, status]

    await wait_until(are, f"both services to answer {status}", timeout_s=HEARD_WITHIN_S)
