"""Callers without valid credentials cost little, are slowed down by address, and take no
connections or sockets from others.
"""

import asyncio
import contextlib
import re
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import httpx
import msgspec
import pytest
import pytest_asyncio

from readstate.dialects.access import costs
from readstate.dialects.access.credentials import MISSES_AT_ONCE
from readstate.dialects.http import query_limits
from readstate.process.http_protocol import MAX_PIECES
from readstate.settings import Settings, SettingsError
from tests.support import tencent_callbacks
from tests.support.devices import API_KEY, CLIENT_KEY, Backend, device, faults
from tests.support.imkit import Imkit
from tests.support.processes import ServiceProcess, children_of, own_service, run_command
from tests.support.rocketchat import Rocketchat
from tests.support.tencent import Tencent, usersig, with_tencent

KEYS = {"api_key": API_KEY, "client_key": CLIENT_KEY}
AS_BACKEND = f"IM-API-KEY: {API_KEY}\r\nIM-CLIENT-ID: ann\r\n"


@pytest.fixture
def limits() -> dict[str, int]:
    """The limits of a test."""
    return {}


@pytest.fixture
def settings(settings: Settings, limits: dict[str, int]) -> Settings:
    return msgspec.structs.replace(with_tencent(settings, **limits), tencent_token=tencent_callbacks.TOKEN)


# Wrong credentials


async def test_wrong_tokens_are_refused_without_asking_the_store_and_good_ones_are_not(imkit: Imkit) -> None:
    """They are counted by address. Before, 3,573 could be tried in a second."""
    good = await imkit.sign_in("ann")

    async def status(token: str) -> int:
        answer = await imkit.call(
            "GET", "/me/badge", headers={"IM-CLIENT-KEY": "client-key-of-the-app", "IM-Authorization": token}
        )
        assert answer.status_code != 429 or answer.headers["retry-after"] == str(answer.json()["retryAfter"]) == "1"
        return answer.status_code

    assert [await status(f"wrong-token-{number}") for number in range(MISSES_AT_ONCE)] == [401] * MISSES_AT_ONCE
    asked = imkit.round_trips
    assert {await status(f"guess-{number}") for number in range(20)} == {429}
    assert imkit.round_trips == asked
    assert await status(good) == 200
    assert (await imkit.as_backend("GET", "/me/badge", user="ann")).status_code == 200


@pytest.mark.parametrize("way", ["api key", "client key", "rocketchat", "rocketchat login", "usersig", "callback"])
async def test_every_kind_of_wrong_credentials_counts(imkit: Imkit, way: str) -> None:
    """All count for their address, so no dialect is a way around another's limit."""
    token = await imkit.sign_in("ann")
    tencent, sender = Tencent(imkit), tencent_callbacks.Tencent(imkit)

    async def wrong(number: int) -> httpx.Response:
        match way:
            case "api key":
                return await imkit.call("POST", "/rooms", {}, {"IM-API-KEY": f"wrong-api-key-{number}"})
            case "client key":
                return await imkit.call(
                    "GET", "/me", headers={"IM-CLIENT-KEY": f"wrong-{number}", "IM-Authorization": token}
                )
            case "rocketchat":
                return await imkit.client.get(
                    "/api/v1/subscriptions.get", headers={"X-Auth-Token": f"wrong-{number}", "X-User-Id": "ann"}
                )
            case "rocketchat login":
                return await imkit.client.post("/api/v1/login", json={"resume": f"wrong-{number}"})
            case "usersig":
                return await tencent.call(
                    "openim/get_c2c_unread_msg_num", {"To_Account": "ann"}, usersig=usersig(key="0" * 64)
                )
        return await sender.send("Group.CallbackAfterCreateGroup", Sign="0" * 64)

    expected = {
        "api key": (401, 429),
        "client key": (403, 429),
        "rocketchat": (401, 429),
        "rocketchat login": (401, 429),
        "usersig": (200, 200),
        "callback": (401, 503),
    }
    answers = [await wrong(number) for number in range(MISSES_AT_ONCE + 1)]
    first, last = expected[way]
    assert {answer.status_code for answer in answers[:-1]} == {first}
    assert (answers[-1].status_code, answers[-1].headers["retry-after"]) == (last, "1")
    assert way != "usersig" or [answer.json()["ErrorCode"] for answer in answers] == [70009] * MISSES_AT_ONCE + [70050]
    other = await imkit.call(
        "GET", "/me", headers={"IM-CLIENT-KEY": "client-key-of-the-app", "IM-Authorization": "a-guess"}
    )
    assert other.status_code == 429
    # Known callers still pass.
    assert (await imkit.as_user("ann", "GET", "/me")).status_code == 200
    assert (await tencent.call("openim/get_c2c_unread_msg_num", {"To_Account": "ann"})).json()["ErrorCode"] == 0
    assert (await sender.send("Nothing.Known")).status_code == 200
    assert (await Rocketchat(imkit).get("ann", "subscriptions.get")).status_code == 200


@pytest.mark.parametrize("limits", [{"address_rate_limit": 1}])
@pytest.mark.parametrize(
    ("method", "path", "first", "cost"),
    [
        ("GET", "/nowhere", 404, 1),
        ("GET", "/me/%FF", 400, 1),
        ("PATCH", "/me", 405, 1),
        ("GET", "/me/badge", 401, 1),
        ("GET", "/api/v1/nowhere", 404, 1),
        ("GET", "/api/v1/subscriptions.get", 401, 1),
        ("OPTIONS", "/me", 200, 1),
        ("GET", "/metrics", 200, costs.DOCUMENT),
        ("GET", "/schema", 200, costs.DOCUMENT),
        ("GET", "/socket.io/?EIO=4&transport=none", 400, costs.HANDSHAKE),
    ],
)
async def test_what_needs_no_credentials_is_counted_by_address(
    imkit: Imkit, method: str, path: str, first: int, cost: int
) -> None:
    answers = [await imkit.call(method, path) for _ in range(10 // cost + 1)]
    assert [answer.status_code for answer in answers] == [first] * (10 // cost) + [429]
    assert int(answers[-1].headers["retry-after"]) == cost
    for _ in range(30):
        assert (
            (await imkit.call("GET", "/healthz")).status_code == (await imkit.call("GET", "/readyz")).status_code == 200
        )


@pytest.mark.parametrize("limits", [{"address_rate_limit": 1}])
async def test_strangers_take_nothing_from_users_of_their_address(imkit: Imkit) -> None:
    ann = await imkit.sign_in("ann")
    while (await imkit.call("GET", "/nowhere")).status_code == 404:
        pass
    for _ in range(50):
        answer = await imkit.call(
            "GET", "/me", headers={"IM-CLIENT-KEY": "client-key-of-the-app", "IM-Authorization": ann}
        )
        assert answer.status_code == 200


async def test_metrics_are_added_up_once_a_second_and_beside_the_event_loop(imkit: Imkit) -> None:
    first, second = await asyncio.gather(imkit.call("GET", "/metrics"), imkit.call("GET", "/metrics"))
    assert first.content == second.content == (await imkit.call("GET", "/metrics")).content
    assert first.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    await asyncio.sleep(1.1)
    assert (await imkit.call("GET", "/metrics")).content != first.content


# A running service: what is counted before anything is read


@pytest.fixture(scope="module")
def service() -> Iterator[ServiceProcess]:
    with own_service(workers=1, address_rate_limit=0, **KEYS) as process:
        yield process
        process.stop()
        assert faults(process) == []


@pytest_asyncio.fixture
async def backend(service: ServiceProcess) -> AsyncIterator[Backend]:
    async with Backend(service.url) as backend:
        yield backend


def connect(url: str) -> socket.socket:
    address = urlsplit(url)
    return socket.create_connection((address.hostname or "", address.port or 0), timeout=10)


def heard(connection: socket.socket) -> bytes:
    """All that comes until the service closes."""
    whole = b""
    while piece := connection.recv(65_536):
        whole += piece
    return whole


def answer_to(url: str, request: str | bytes) -> tuple[int, str]:
    """Status and text of the answer to a request, after which the service closes."""
    with connect(url) as connection:
        connection.sendall(request.encode() if isinstance(request, str) else request)
        head, _, text = heard(connection).partition(b"\r\n\r\n")
        return int(head.split()[1]), text.decode()


def get(target: str, headers: str = "") -> str:
    return f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n"


def test_a_request_has_at_most_128_headers(service: ServiceProcess) -> None:
    for count, status in ((query_limits.HEADERS - 4, 200), (query_limits.HEADERS - 3, 431), (18_000, 431)):
        headers = AS_BACKEND + "".join(f"X-{number}: y\r\n" for number in range(count))
        assert answer_to(service.url, get("/me/badge", headers))[0] == status
    assert answer_to(service.url, get("/", "a: b\r\n" * 200)) == (431, "A request must have at most 128 headers.")


def test_a_body_comes_in_at_most_4096_pieces(service: ServiceProcess) -> None:
    """Each is a turn of the parser. It is refused before the rest is read."""
    head = f"POST /messages HTTP/1.1\r\nHost: x\r\n{AS_BACKEND}Transfer-Encoding: chunked\r\n\r\n".encode()
    assert answer_to(service.url, head + b"1\r\n \r\n" * MAX_PIECES + b"0\r\n\r\n")[0] == 400
    refused = (400, "A body must come in at most 4096 pieces.")
    assert answer_to(service.url, head + b"1\r\n \r\n" * (MAX_PIECES + 1) + b"0\r\n\r\n") == refused


@pytest.mark.parametrize(
    ("path", "limit"),
    [
        ("/me", query_limits.PLAIN),
        ("/nowhere", query_limits.PLAIN),
        ("/socket.io/", query_limits.PLAIN),
        ("/rooms/r", query_limits.PLAIN),
        ("/api/v1/subscriptions.get", query_limits.MEDIUM),
        ("/v4/openim/get_c2c_unread_msg_num", query_limits.MEDIUM),
        ("/tencent/callbacks", query_limits.MEDIUM),
        ("/rooms", query_limits.LONG),
        ("/rooms/", query_limits.LONG),
        ("/me/badge", query_limits.LONG),
        ("/rooms/r/receipts", query_limits.LONG),
        ("/rooms/r/messages/m/receipts", query_limits.LONG),
    ],
)
def test_a_query_is_as_long_as_its_path_means(service: ServiceProcess, path: str, limit: int) -> None:
    assert answer_to(service.url, get(f"{path}?{'a' * limit}", AS_BACKEND))[0] not in (414, 500)
    status, text = answer_to(service.url, get(f"{path}?{'a' * (limit + 1)}", AS_BACKEND))
    assert (status, text) == (414, f"The query of this path must have at most {limit} bytes.")


def test_a_path_has_room_for_two_ids(service: ServiceProcess) -> None:
    id_of_128_bytes = "%C3%A9" * 64
    assert (
        answer_to(service.url, get(f"/rooms/{id_of_128_bytes}/messages/{id_of_128_bytes}/receipts", AS_BACKEND))[0]
        == 404
    )
    assert answer_to(service.url, get("/rooms/" + "%2f" * 20_000, AS_BACKEND)) == (
        414,
        "A path must have at most 2048 bytes.",
    )


@pytest.mark.parametrize(
    "upgrade",
    ["", "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"],
)
def test_a_handshake_has_few_parameters(service: ServiceProcess, upgrade: str) -> None:
    """Reading them takes time for each one, from any sender."""
    connection = "Connection: Upgrade\r\n" if upgrade else "Connection: close\r\n"
    target = "/socket.io/?EIO=4&transport=" + ("websocket" if upgrade else "polling")
    status, text = answer_to(service.url, f"GET {target}{'&a=b' * 40} HTTP/1.1\r\nHost: x\r\n{connection}{upgrade}\r\n")
    assert (status, text) == (400, "At most 32 parameters of 2048 bytes together")


def worker_of(service: ServiceProcess) -> int:
    """The worker: the child with the most CPU time."""
    return max(children_of(service.pid), key=cpu_ms)


def cpu_ms(pid: int) -> float:
    """CPU time of a process (Linux counts in hundredths of a second)."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) * 10.0
    return 0.0


HEAVY: dict[str, Callable[[], bytes]] = {
    "metrics": lambda: get("/metrics").encode(),
    "document": lambda: get("/schema").encode(),
    "handshake": lambda: get("/socket.io/?EIO=3&" + "%41=%42&" * 240).encode(),
    "headers": lambda: get("/me", "".join(f"X-{n}: {'%41' * 600}\r\n" for n in range(120))).encode(),
    "path": lambda: get("/rooms/" + "%2f" * 670, AS_BACKEND).encode(),
    "condition": lambda: get("/rooms?q=" + "%41" * 21_000, AS_BACKEND).encode(),
    "parameters": lambda: get("/rooms?" + "sort=a&" * 9_000, AS_BACKEND).encode(),
    "tags": lambda: get("/me/badge?" + "".join(f"roomTags={n}&" for n in range(4_400)), AS_BACKEND).encode(),
    "messages": lambda: get("/rooms/r/receipts?messages=" + "%41," * 15_000, AS_BACKEND).encode(),
    "page": lambda: get("/rooms/r/messages/m/receipts?page=" + "%41" * 21_000, AS_BACKEND).encode(),
    "user": lambda: get("/me", f"IM-API-KEY: {API_KEY}\r\nIM-CLIENT-ID: {'%41' * 60_000}\r\n").encode(),
    "user of rocketchat": lambda: get(
        "/api/v1/subscriptions.get", f"X-Auth-Token: a\r\nX-User-Id: {'%41' * 60_000}\r\n"
    ).encode(),
    "token": lambda: get("/me", f"IM-CLIENT-KEY: {CLIENT_KEY}\r\nIM-Authorization: {'a.' * 90_000}\r\n").encode(),
    "preflight": lambda: (
        get("/me", f"Origin: a\r\nAccess-Control-Request-Headers: {'a,' * 90_000}\r\n")
        .replace("GET", "OPTIONS")
        .encode()
    ),
    "form": lambda: (
        b"POST /api/v1/login HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: "
        b"application/x-www-form-urlencoded\r\n"
        b"Content-Length: 63002\r\n\r\na=" + b"%41" * 21_000
    ),
    "chunks": lambda: (
        (
            f"POST /messages HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{AS_BACKEND}Transfer-Encoding: chunked\r\n\r\n"
        ).encode()
        + b"1\r\na\r\n" * 40_000
        + b"0\r\n\r\n"
    ),
}


@pytest.mark.parametrize("request_of", HEAVY.values(), ids=HEAVY)
@pytest.mark.full
def test_no_request_of_a_stranger_holds_a_worker_for_20_ms(
    service: ServiceProcess, request_of: Callable[[], bytes]
) -> None:
    """By the CPU time of its process, which other load does not change.

    The best of three rounds.
    """
    request, worker, times = request_of(), worker_of(service), 10
    spent = []
    for _ in range(3):
        before = cpu_ms(worker)
        for _ in range(times):
            assert answer_to(service.url, request)[0] < 500
        spent.append((cpu_ms(worker) - before) / times)
    assert min(spent) < 20


# The end of a connection


@pytest.mark.parametrize("close", ["", "Connection: close\r\n"], ids=["kept", "closed"])
def test_a_body_far_too_large_is_refused_with_an_answer_that_can_be_read(service: ServiceProcess, close: str) -> None:
    """The client is still sending. Before, it saw a reset."""
    size = 3_000_000
    head = f"POST /messages HTTP/1.1\r\nHost: x\r\n{close}{AS_BACKEND}Content-Length: {size}\r\n\r\n"
    for _ in range(20):
        with connect(service.url) as connection:
            connection.sendall(head.encode())
            for _ in range(size // 100_000):
                connection.sendall(b"x" * 100_000)
            connection.shutdown(socket.SHUT_WR)
            assert heard(connection).startswith(b"HTTP/1.1 413 ")


def test_who_goes_on_sending_for_ever_is_cut(service: ServiceProcess) -> None:
    with connect(service.url) as connection:
        connection.sendall(
            (
                f"POST /messages HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{AS_BACKEND}"
                "Content-Length: 999999999\r\n\r\n"
            ).encode()
        )
        began_s = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() < began_s + 10:
                connection.sendall(b"x" * 10_000)
                time.sleep(0.01)
        assert time.monotonic() < began_s + 5


# Proxies


@contextlib.contextmanager
def serving(**settings: object) -> Iterator[ServiceProcess]:
    with own_service(workers=1, **KEYS, **settings) as process:
        yield process


def wrong_tokens(service: ServiceProcess, count: int, forwarded: str = "") -> list[int]:
    """The statuses of so many wrong tokens, sent as for the address in `forwarded`."""
    more = f"X-Forwarded-For: {forwarded}\r\n" if forwarded else ""
    headers = f"IM-CLIENT-KEY: {CLIENT_KEY}\r\n{more}IM-Authorization: "
    return [
        answer_to(service.url, get("/me", f"{headers}guess-{number}-{forwarded}\r\n"))[0] for number in range(count)
    ]


def test_a_client_s_word_for_its_address_counts_for_nothing() -> None:
    with serving() as service:
        statuses = [wrong_tokens(service, 1, f"198.51.100.{number}")[0] for number in range(MISSES_AT_ONCE + 4)]
        assert statuses.count(429) >= 1


def test_a_trusted_proxy_tells_the_address_of_its_clients() -> None:
    """The last address that is no trusted proxy.

    Addresses that a client wrote itself stand before it.
    """
    with serving(trusted_proxies="127.0.0.0/8, ::1") as service:
        assert wrong_tokens(service, MISSES_AT_ONCE, "198.51.100.1") == [401] * MISSES_AT_ONCE
        assert 429 in wrong_tokens(service, 4, "198.51.100.1")
        assert 429 in wrong_tokens(service, 4, "203.0.113.9, 198.51.100.1")
        assert wrong_tokens(service, 4, "198.51.100.2") == [401] * 4


@pytest.mark.parametrize("wrong", ["proxy.example", "10.0.0.1/8", "10.0.0.1;10.0.0.2", "*"])
def test_proxies_are_checked_at_start(wrong: str, tmp_path: Path) -> None:
    done = run_command("serve", settings={"port": 0, "data_dir": tmp_path / "data", "trusted_proxies": wrong})
    assert done.returncode != 0
    assert "READSTATE_TRUSTED_PROXIES cannot be used" in done.stderr
    with pytest.raises(SettingsError, match=re.escape(wrong.split(",")[0])):
        Settings.from_environ({"READSTATE_TRUSTED_PROXIES": wrong})


# Sockets and connections of an address


async def test_an_address_has_so_many_sockets_of_both_kinds(caplog: pytest.LogCaptureFixture) -> None:
    """Further ones are refused, other addresses are not, and one that ends makes room."""
    with serving(address_socket_limit=4, trusted_proxies="127.0.0.1") as service:
        async with Backend(service.url) as backend, contextlib.AsyncExitStack() as stack:
            here, elsewhere = {"X-Forwarded-For": "198.51.100.1"}, {"X-Forwarded-For": "198.51.100.2"}
            for _ in range(3):
                await stack.enter_async_context(device(backend, "ann", headers=here))
            polling = f"{service.url}/socket.io/?EIO=4&transport=polling"
            websocket = f"{service.url}/socket.io/?EIO=4&transport=websocket"
            session = await stack.enter_async_context(aiohttp.ClientSession())
            async with httpx.AsyncClient() as http:
                opened = await http.get(polling, headers=here)
                assert opened.status_code == 200
                refused = await http.get(polling, headers=here)
                assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")
                with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
                    await session.ws_connect(websocket, headers=here)
                assert refusal.value.status == 429
                assert (await http.get(polling, headers=elsewhere)).status_code == 200
                sid = re.findall(r'"sid":"([^"]+)"', opened.text)[0]
                await http.post(f"{polling}&sid={sid}", content="1")  # the session ends
                for _ in range(50):
                    if (again := await http.get(polling, headers=here)).status_code == 200:
                        break
                    await asyncio.sleep(0.1)
                assert again.status_code == 200
        service.stop()
        warnings = [line for line in service.logged if "198.51.100.1 holds 4 sockets" in line]
        assert len(warnings) == 1
        assert "READSTATE_TRUSTED_PROXIES" in warnings[0]


def test_one_address_does_not_take_all_connections() -> None:
    """It may have twice as many connections as sockets.

    Existing ones are served, and a closed one makes room.
    """
    with serving(address_socket_limit=10) as service:
        held = [connect(service.url) for _ in range(20)]
        try:
            for connection in held:
                connection.sendall(b"GET /healthz HTTP/1.1\r\n")
            time.sleep(0.3)
            status, text = answer_to(service.url, b"")
            assert (status, text) == (429, "Too many connections of this address.")
            held[0].sendall(b"Host: x\r\n\r\n")
            assert held[0].recv(1000).startswith(b"HTTP/1.1 200 OK")
        finally:
            for connection in held:
                connection.close()
        time.sleep(0.3)
        assert answer_to(service.url, get("/healthz"))[0] == 200


async def test_connections_of_a_trusted_proxy_are_not_counted() -> None:
    with serving(address_socket_limit=2, trusted_proxies="127.0.0.1") as service, contextlib.ExitStack() as stack:
        for _ in range(30):
            stack.enter_context(connect(service.url))
        assert answer_to(service.url, get("/healthz"))[0] == 200
