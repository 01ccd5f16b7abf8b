"""nginx and HAProxy with the configurations of `deploy/`, before two services of two workers."""

import asyncio
import os
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import httpx
import psutil
import pytest
import pytest_asyncio
import socketio
import websockets

from tests.support.authority import Authority
from tests.support.devices import API_KEY, CLIENT_KEY
from tests.support.processes import ServiceProcess
from tests.support.servers import Server, free_port, short_directory
from tests.support.waiting import wait_until, wait_until_now

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
KEYS = {"api_key": API_KEY, "client_key": CLIENT_KEY, "token_secret": "t" * 32}
AS_BACKEND = {"IM-API-KEY": API_KEY}
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"  # where Debian has servers


def binary(name: str) -> str:
    """The path of a server. Without it the test is skipped."""
    if not (found := shutil.which(name, path=PATH)):
        pytest.skip(f"{name} is not installed")
    return found


def changed(text: str, replacements: dict[str, str]) -> str:
    """A configuration as its operator changes it. Fails for what does not stand there."""
    for old, new in replacements.items():
        assert old in text, f"{old} is not in the configuration"
        text = text.replace(old, new)
    return text


class Two:
    """Two services on one store, and a proxy before them."""

    def __init__(self, directory: Path, store: Server) -> None:
        self.directory = directory
        self.ports = [free_port() for _ in range(2)]
        self.ops_ports = [free_port() for _ in range(2)]
        self.port, self.plain_port = free_port(), free_port()
        self._store = store
        self.running: list[ServiceProcess] = []
        self.authority = Authority(directory)
        self.certificate, self.key = self.authority.certify("chat.example.org", "IP:127.0.0.1")
        self.url = f"https://127.0.0.1:{self.port}"

    def service(self, number: int) -> ServiceProcess:
        """One of the services, not yet started."""
        return ServiceProcess(
            self.directory / f"data-{number}",
            redis_url=self._store.url,
            port=self.ports[number],
            ops_port=self.ops_ports[number],
            trusted_proxies="127.0.0.1",
            workers=2,
            **KEYS,
        )

    def stop(self, number: int) -> None:
        self.running[number].stop()

    @property
    def tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.authority.certificate))

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.url, verify=self.tls, timeout=20)

    def nginx(self) -> list[str]:
        """The command that runs nginx with our configuration."""
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        places = "".join(f"{kind}_temp_path {self.directory}/{kind};\n" for kind in kinds)
        text = changed(
            (DEPLOY / "nginx.conf").read_text(encoding="utf-8"),
            {
                "10.0.0.11:8080": f"127.0.0.1:{self.ports[0]}",
                "10.0.0.12:8080": f"127.0.0.1:{self.ports[1]}",
                "listen 80;": f"listen 127.0.0.1:{self.plain_port};",
                "listen 443 ssl;": f"listen 127.0.0.1:{self.port} ssl;",
                "/etc/nginx/chat.example.org.pem": str(self.certificate),
                "/etc/nginx/chat.example.org.key": str(self.key),
                "/run/nginx.pid": f"{self.directory}/nginx.pid",
                "http {\n": "http {\n" + places,
                "worker_processes auto;": "worker_processes 1;",
                "worker_rlimit_nofile 65536;": "",
                "worker_connections 32768;": "worker_connections 512;",
            },
        )
        path = self.directory / "nginx.conf"
        path.write_text(text, encoding="utf-8")
        user = "user root; " if os.geteuid() == 0 else ""
        return [binary("nginx"), "-e", "stderr", "-c", str(path), "-g", f"{user}daemon off;"]

    def haproxy(self) -> list[str]:
        """The command that runs HAProxy with our configuration."""
        both = self.directory / "both.pem"
        both.write_bytes(self.certificate.read_bytes() + self.key.read_bytes())
        text = changed(
            (DEPLOY / "haproxy.cfg").read_text(encoding="utf-8"),
            {
                "10.0.0.11:8080 port 9090": f"127.0.0.1:{self.ports[0]} port {self.ops_ports[0]}",
                "10.0.0.12:8080 port 9090": f"127.0.0.1:{self.ports[1]} port {self.ops_ports[1]}",
                "bind :80\n": f"bind 127.0.0.1:{self.plain_port}\n",
                "bind :443 ": f"bind 127.0.0.1:{self.port} ",
                "/etc/haproxy/chat.example.org.pem": str(both),
                "maxconn 60000": "maxconn 200",
            },
        )
        path = self.directory / "haproxy.cfg"
        path.write_text(text, encoding="utf-8")
        return [binary("haproxy"), "-db", "-f", str(path)]


@pytest.fixture(params=["nginx", "haproxy"], scope="module")
def two(request: pytest.FixtureRequest) -> Iterator[Two]:
    binary(request.param)
    with short_directory() as directory, ExitStack() as stack:
        store = Server(directory / "store")
        stack.callback(store.stop)
        store.start()
        two = Two(directory, store)
        for number in range(2):
            two.running.append(two.service(number))
            stack.callback(partial(two.stop, number))
            two.running[number].start()
        log = stack.enter_context((directory / "proxy.log").open("w+"))
        command = two.nginx() if request.param == "nginx" else two.haproxy()
        proxy = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        stack.callback(proxy.wait)
        stack.callback(proxy.terminate)

        def answers() -> bool:
            assert proxy.poll() is None, (directory / "proxy.log").read_text()
            try:
                return httpx.get(two.url, verify=two.tls).status_code == 200
            except httpx.HTTPError:
                return False

        wait_until_now(answers, f"{request.param} to answer")
        yield two


@pytest_asyncio.fixture(autouse=True)
async def closed(two: Two) -> AsyncIterator[None]:
    """A test ends when its connections are closed. Over TLS that takes a moment."""
    yield

    async def none_is_open() -> bool:
        return two.port not in [other.raddr.port for other in psutil.Process().net_connections("tcp") if other.raddr]

    await wait_until(none_is_open, "the connections to the proxy to be closed", timeout_s=35)


async def test_calls_pass_over_tls(two: Two) -> None:
    async with two.client() as client:
        assert (await client.get("/")).json()["service"] == "readstate"
        assert (await client.get("/me/badge")).status_code == 401
    async with httpx.AsyncClient() as plain:
        answer = await plain.get(f"http://127.0.0.1:{two.plain_port}/rooms")
    assert (answer.status_code, answer.headers["location"][:8]) == (301, "https://")


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/readyz"])
async def test_what_is_for_operators_stays_shut(two: Two, path: str) -> None:
    async with two.client() as client:
        answer = await client.get(path)
    assert (answer.status_code, b"readstate_" in answer.content) == (404, False)


async def test_a_long_query_and_a_large_body_pass(two: Two) -> None:
    """As long and as large as the service takes them."""
    async with two.client() as client:
        tags = "&".join(f"roomTags={'t' * 200}{number}" for number in range(100))
        badge = await client.get(f"/me/badge?{tags}", headers={**AS_BACKEND, "IM-CLIENT-ID": "ann"})
        messages = [{"room": "r", "sender": "ann", "messageType": "text", "message": "x" * 1500}] * 400
        batch = await client.post("/messages/batch", headers=AS_BACKEND, json={"data": messages})
    assert badge.status_code == 200, badge.text
    assert batch.status_code not in (413, 502)


@asynccontextmanager
async def connected(two: Two, token: str, transport: str) -> AsyncIterator[list[object]]:
    """A device; the block gets the receipts that it hears of."""
    device = socketio.AsyncClient(ssl_verify=False, reconnection=False)
    heard: list[object] = []
    device.on("lastRead", heard.append)
    await device.connect(two.url, transports=[transport], auth={"token": token})
    try:
        yield heard
    finally:
        await device.disconnect()


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_sockets_pass(two: Two, transport: str) -> None:
    """A websocket, and long-polling, whose requests all come to the same service."""
    room, user = f"room-{transport}", f"user-{transport}"
    async with two.client() as client:
        made = await client.post("/admin/clients", headers=AS_BACKEND, json={"_id": user, "issueAccessToken": True})
        await client.post("/rooms", headers=AS_BACKEND, json={"_id": room, "members": [user]})
        async with connected(two, made.json()["result"]["token"], transport) as heard:
            message = {"room": room, "sender": user, "messageType": "text", "message": "hello"}
            assert (await client.post("/messages", headers=AS_BACKEND, json=message)).status_code == 200

            async def arrived() -> bool:
                return bool(heard)

            await wait_until(arrived, "the receipt to come")


async def test_services_are_restarted_one_after_the_other_without_a_failed_call(two: Two) -> None:
    """And all sockets come back within moments, not one after the other."""
    failed: list[str] = []
    calls, stop = 0, asyncio.Event()

    async def call(client: httpx.AsyncClient, number: int) -> None:
        nonlocal calls
        while not stop.is_set():
            calls += 1
            body = {
                "room": "restart",
                "sender": "ann",
                "messageType": "text",
                "message": "hi",
                "_id": f"{number}-{calls}",
            }
            answer = await client.post("/messages", headers=AS_BACKEND, json=body)
            if answer.status_code != 200:
                failed.append(f"{answer.status_code} {answer.text[:100]}")
            await asyncio.sleep(0.005)

    is_open = [False] * 30

    async def all_are_open() -> bool:
        return all(is_open)

    async with two.client() as client:
        await client.post("/admin/clients", headers=AS_BACKEND, json={"_id": "ann"})
        await client.post("/rooms", headers=AS_BACKEND, json={"_id": "restart", "members": ["ann"]})
        callers = [asyncio.create_task(call(client, number)) for number in range(3)]
        sockets = [asyncio.create_task(stay_connected(two, is_open, number)) for number in range(len(is_open))]
        for number in range(2):
            await asyncio.sleep(2.5)  # so that a health check has seen the last one back
            await wait_until(all_are_open, "the sockets to be open", timeout_s=10)
            await asyncio.to_thread(two.running[number].stop)
            two.running[number] = two.service(number)
            await asyncio.to_thread(two.running[number].start)
        await asyncio.sleep(2.5)
        await wait_until(all_are_open, "the sockets to be open again", timeout_s=10)
        stop.set()
        await asyncio.gather(*callers)
        for socket in sockets:
            socket.cancel()
        await asyncio.gather(*sockets, return_exceptions=True)
    assert calls > 100
    assert failed == []


async def stay_connected(two: Two, is_open: list[bool], number: int) -> None:
    """Connect a websocket, and again a moment after each end, as clients do."""
    url = f"wss://127.0.0.1:{two.port}/socket.io/?EIO=4&transport=websocket"
    while True:
        try:
            async with websockets.connect(url, ssl=two.tls, ping_interval=None) as socket:
                is_open[number] = True
                async for _ in socket:
                    pass
        except (OSError, websockets.WebSocketException):
            pass
        is_open[number] = False
        await asyncio.sleep(0.05 * (number + 1))
