"""Rate limits of users, apps, backends and addresses: beyond them every dialect refuses in its
form, and nothing was done.
"""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit

import httpx
import msgspec
import pytest
import pytest_asyncio

from readstate.dialects.access import costs
from readstate.dialects.access.rate_limits import MAX_EXPENSIVE_CALLS, RateLimits
from readstate.dialects.http.output_buffers import MAX_BYTES
from readstate.dialects.rocketchat.errors import SLOW_DOWN
from readstate.domain.limits import MAX_BADGES_PER_CALL
from readstate.process.http_protocol import MAX_PAUSE_S, PAUSE_STEP_S
from readstate.settings import Settings
from tests.support import tencent_callbacks
from tests.support.devices import API_KEY, CLIENT_KEY, Backend, device, faults
from tests.support.imkit import Imkit, result
from tests.support.processes import ServiceProcess, own_service
from tests.support.rocketchat import Rocketchat
from tests.support.tencent import Tencent, with_tencent

SOME_DAY_MS = 1_500_000_000_000  # in 2017
RATE = 1  # units a second: ten at once
NOT_READ = "Answers that were sent have not been taken; read them first"
TOO_MUCH = "The user asks too much at once; try again in 1 s"


@pytest.fixture
def limits() -> dict[str, int]:
    """Rates that a test is about."""
    return {"user_rate_limit": RATE}


@pytest.fixture
def settings(settings: Settings, limits: dict[str, int]) -> Settings:
    return msgspec.structs.replace(with_tencent(settings, **limits), tencent_token=tencent_callbacks.TOKEN)


def envelope(message: str, retry_after_s: int = 1) -> bytes:
    """The exact bytes of an IMKit refusal."""
    error = f'"error":{{"code":"RATE_LIMIT_EXCEEDED","message":"{message}"}}'
    return f'{{"RC":429,"RM":"Too Many Requests",{error},"retryAfter":{retry_after_s}}}'.encode()


@pytest.mark.parametrize("headers", [{}, {"Origin": "https://chat.example"}], ids=["fast", "framework"])
async def test_a_user_may_ask_so_much_at_once_and_others_do_not_feel_it(imkit: Imkit, headers: dict[str, str]) -> None:
    await imkit.room("r", "ann", "ben")
    ann = {"IM-CLIENT-KEY": "client-key-of-the-app", "IM-Authorization": await imkit.sign_in("ann"), **headers}
    answers = [await imkit.call("GET", "/me/badge", headers=ann) for _ in range(10 * RATE + 1)]
    assert [answer.status_code for answer in answers] == [200] * 10 * RATE + [429]
    assert answers[-1].content == envelope(TOO_MUCH)
    assert answers[-1].headers["retry-after"] == "1"
    result(await imkit.as_user("ben", "GET", "/me/badge"))
    result(await imkit.as_backend("GET", "/me/badge", user="ann"))


async def test_a_refused_call_has_written_nothing(imkit: Imkit) -> None:
    await imkit.room("r", "ann", "ben")
    while (await imkit.as_user("ann", "POST", "/rooms/r/message", {"message": "m"})).status_code == 200:
        pass
    before = await imkit.everything()
    for method, path, body in (
        ("POST", "/rooms/r/message", {"message": "m"}),
        ("POST", "/rooms/createAndJoin", {"_id": "new"}),
        ("PUT", "/rooms/r", {"roomTags": ["x"]}),
        ("POST", "/rooms/r/delete/members", {"members": ["ann"]}),
    ):
        assert (await imkit.as_user("ann", method, path, body)).status_code == 429
    assert await imkit.everything() == before


@pytest.mark.parametrize("limits", [{"user_rate_limit": 100}])
async def test_one_user_s_lists_of_rooms_are_bounded_whatever_they_send(imkit: Imkit) -> None:
    """A list costs more than a badge, and more if it is longer."""
    for number in range(40):
        await imkit.room(f"r{number}", "ann")
    answers = [await imkit.as_user("ann", "GET", "/rooms", params={"limit": 1}) for _ in range(60)]
    done = [answer.status_code for answer in answers].count(200)
    each = costs.LIST + costs.of_list(40)
    assert each >= 30
    assert 1000 // each <= done <= 1000 // each + 10


@pytest.mark.parametrize("limits", [{"user_rate_limit": 10}])
@pytest.mark.parametrize(
    ("method", "call", "given"),
    [
        ("GET", "channels.counters", {"roomName": "nowhere"}),
        ("GET", "chat.getMessageReadReceipts", {"messageId": "nowhere"}),
        ("POST", "subscriptions.unread", {"firstUnreadMessage": {"_id": "nowhere"}}),
        ("POST", "chat.readThread", {"tmid": "nowhere"}),
    ],
)
async def test_who_has_their_rooms_searched_pays_for_each(
    imkit: Imkit, rocketchat: Rocketchat, method: str, call: str, given: dict[str, object]
) -> None:
    """Searching a message or a name costs as much as a list of the rooms."""
    for number in range(40):
        await imkit.room(f"r{number}", "ann")
    asked = [
        await (rocketchat.get("ann", call, **given) if method == "GET" else rocketchat.post("ann", call, given))
        for _ in range(15)
    ]
    done = [answer.status_code for answer in asked].count(400)
    assert done <= 100 // costs.of_list(40) + 1
    assert [answer.status_code for answer in asked[done:]] == [429] * (15 - done)


@pytest.mark.parametrize("limits", [{"user_rate_limit": 0}])
async def test_few_dear_calls_of_a_user_run_at_once(imkit: Imkit) -> None:
    await imkit.room("r", "ann", "ben")
    await imkit.sign_in("ann")
    answers = await asyncio.gather(*(imkit.as_user("ann", "GET", "/rooms") for _ in range(MAX_EXPENSIVE_CALLS + 3)))
    assert [answer.status_code for answer in answers].count(429) == 3
    result(await imkit.as_user("ann", "GET", "/rooms"))


@pytest.mark.parametrize("limits", [{"backend_rate_limit": RATE}])
async def test_a_backend_has_a_rate_of_its_own(imkit: Imkit) -> None:
    """The named user does not matter, and user limits do not apply."""
    ann = await imkit.sign_in("ann")
    answers = [await imkit.as_backend("GET", "/me/badge", user=f"u{number}") for number in range(10)]
    assert answers[-1].content == envelope("The backend asks too much at once; try again in 1 s")
    assert (
        await imkit.call("GET", "/me", headers={"IM-CLIENT-KEY": "client-key-of-the-app", "IM-Authorization": ann})
    ).status_code == 200


async def test_a_backend_has_no_limit_by_default(imkit: Imkit) -> None:
    for _ in range(20 * RATE):
        assert result(await imkit.as_backend("GET", "/me/badge", user="ann")) == {"badge": 0}


@pytest.mark.parametrize("limits", [{"backend_rate_limit": 10}])
async def test_badges_of_many_cost_a_backend_more(imkit: Imkit) -> None:
    body = {"clients": [f"u{number}" for number in range(MAX_BADGES_PER_CALL)]}
    answers = [await imkit.as_backend("POST", "/badges", body) for _ in range(3)]
    assert 1 + costs.of_reads(MAX_BADGES_PER_CALL) >= 100
    assert [answer.status_code for answer in answers] == [200, 429, 429]


async def test_each_user_pays_for_their_own_badge(imkit: Imkit) -> None:
    """Badges by tokens count for the users. The backend's rate is not used."""
    tokens = [await imkit.sign_in(user) for user in ("ann", "ben")]
    key = {"IM-CLIENT-KEY": "client-key-of-the-app"}
    both = [(await imkit.call("POST", "/badges", {"tokens": tokens}, key)).status_code for _ in range(10 * RATE + 1)]
    assert both == [200] * 10 * RATE + [429]
    for user in ("ann", "ben"):
        assert (await imkit.as_user(user, "GET", "/me/badge")).status_code == 429
    cy = await imkit.sign_in("cy")
    assert (await imkit.call("POST", "/badges", {"tokens": [cy]}, key)).status_code == 200


async def test_what_a_backend_s_messages_move_is_charged(imkit: Imkit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Alone and in a batch, as to a user: each of 32 members has a total, a room and two tags."""
    await imkit.room("r", *(f"u{number}" for number in range(32)), tags=("a", "b"))
    charges: list[float] = []
    monkeypatch.setattr(RateLimits, "charge", lambda _, app, user, cost: charges.append(cost))
    message = {"room": "r", "sender": None}
    result(await imkit.as_backend("POST", "/messages", message))
    assert charges == [costs.of_counters(32 * 4)] == [2]
    result(await imkit.as_backend("POST", "/messages/batch", {"messages": [message] * 3}))
    # The last one ends their attention, which moves no counter.
    assert charges[1:] == [2 * costs.POST, 2, 2, 0]


async def test_deleting_by_a_time_costs_what_is_looked_at(imkit: Imkit, monkeypatch: pytest.MonkeyPatch) -> None:
    await imkit.room("r", "ann")
    messages = [{"room": "r", "sender": None, "messageTimeMS": SOME_DAY_MS + number} for number in range(400)]
    result(await imkit.as_backend("POST", "/messages/batch", {"messages": messages}))
    charges: list[float] = []
    monkeypatch.setattr(RateLimits, "charge", lambda _, app, user, cost: charges.append(cost))
    assert result(await imkit.as_backend("DELETE", "/rooms/r/messages?before=2020-01-01"))["deletedCount"] == 400
    assert charges[1:] == [costs.of_count(400)] == [2]


@pytest.mark.parametrize("limits", [{"user_rate_limit": 10}])
async def test_counting_messages_by_their_times_costs_what_is_looked_at(imkit: Imkit) -> None:
    await imkit.room("r", "ann")
    for lot in range(4):
        items = [{"room": "r", "sender": "ben", "_id": f"m{lot}-{number}"} for number in range(500)]
        result(await imkit.as_backend("POST", "/messages/batch", {"messages": items}))
    answers = [await imkit.as_user("ann", "GET", "/rooms/r/count?timeInMS=1") for _ in range(15)]
    done = [answer.status_code for answer in answers].count(200)
    each = costs.READ + costs.of_count(2000)
    assert each >= 10
    assert 100 // each <= done <= 100 // each + 2
    assert costs.of_count(10**6) == costs.of_count(10_000)


async def test_in_rocketchat_s_form(imkit: Imkit, rocketchat: Rocketchat) -> None:
    await imkit.room("r", "ann", t="c")
    while (refused := await rocketchat.get("ann", "subscriptions.getOne", roomId="r")).status_code == 200:
        pass
    assert (refused.status_code, refused.json()) == (429, {"success": False, "error": SLOW_DOWN.format(1)})
    assert refused.headers["retry-after"] == "1"


@pytest.mark.parametrize("limits", [{"backend_rate_limit": RATE}])
async def test_in_tencent_s_form(imkit: Imkit) -> None:
    """Status 200 as ever: Tencent's SDKs repeat what has another."""
    tencent = Tencent(imkit)
    answers = [await tencent.call("openim/get_c2c_unread_msg_num", {"To_Account": "ann"}) for _ in range(11)]
    assert [(answer.status_code, answer.json()["ErrorCode"]) for answer in answers] == [(200, 0)] * 10 + [(200, 60007)]
    assert answers[-1].headers["retry-after"] == "1"


@pytest.mark.parametrize("limits", [{"backend_rate_limit": RATE}])
async def test_a_callback_too_many_is_to_be_sent_again(imkit: Imkit) -> None:
    sender = tencent_callbacks.Tencent(imkit)
    answers = [await sender.send("Nothing.Known") for _ in range(10 // costs.POST + 1)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [503]
    assert answers[-1].headers["retry-after"] == "2"


async def test_the_document_says_where_there_may_be_too_many(imkit: Imkit) -> None:
    """The Tencent dialect has status 200 for everything, and its callbacks 503."""
    paths = (await imkit.call("GET", "/schema/openapi.json")).json()["paths"]
    missing = [
        (path, method)
        for path, operations in paths.items()
        for method, operation in operations.items()
        if not path.startswith(("/v4/", "/tencent/")) and "429" not in operation["responses"]
    ]
    assert missing == []


# On sockets, and on the connection itself: a running service


@pytest.fixture(scope="module")
def service() -> Iterator[ServiceProcess]:
    keys = {"api_key": API_KEY, "client_key": CLIENT_KEY}
    with own_service(workers=1, user_rate_limit=RATE, **keys) as process:
        yield process


@pytest_asyncio.fixture
async def backend(service: ServiceProcess) -> AsyncIterator[Backend]:
    async with Backend(service.url) as backend:
        yield backend


async def test_what_is_said_on_a_socket_counts_as_over_http(backend: Backend) -> None:
    """In one bucket with it, and with the same answer."""
    room = await backend.room("sockets", "sue", "tom")
    async with device(backend, "sue") as sue:
        assert (await backend.call("GET", "/me/badge", token=await backend.token("sue")))["RC"] == 0
        answers = [
            await sue.call("chat message", {"room": room, "messageType": "text", "message": "m"}) for _ in range(6)
        ]
        assert [answer["RC"] for answer in answers] == [0] * 4 + [429] * 2 or [answer["RC"] for answer in answers] == [
            0
        ] * 5 + [429]
        assert answers[-1]["error"]["code"] == "RATE_LIMIT_EXCEEDED"
        assert answers[-1]["retryAfter"] >= 1
        refused = await sue.call("conf", {"encoding": "base64"})
        while refused["RC"] == 0:
            refused = await sue.call("conf", {"encoding": "base64"})
        assert (refused["RC"], refused["retryAfter"]) == (429, 1)
        assert (await backend.call("GET", "/me/badge", token=await backend.token("sue")))["RC"] == 429
    async with device(backend, "tom") as tom:
        assert (await tom.call("lastRead", {"room": room, "message": "none"}))["RC"] == 404


async def test_a_socket_that_signs_in_again_and_again_pays_for_it(backend: Backend) -> None:
    token = await backend.token("uma")
    async with device(backend, "uma") as uma:
        answers = [await uma.authenticate(token) for _ in range(11)]
        assert [answer["RC"] for answer in answers][:9] == [0] * 9
        assert answers[-1]["RC"] == 429
        await uma.wait_until_closed()


async def test_a_connection_that_is_refused_again_and_again_is_read_less_and_less_often(
    service: ServiceProcess, backend: Backend
) -> None:
    """A refusal costs a worker as much as an answer.

    The pauses have a lower bound, so the machine's speed does not matter.
    """
    headers = {"IM-CLIENT-KEY": CLIENT_KEY, "IM-Authorization": await backend.token("vera")}
    refusals = 20
    async with httpx.AsyncClient(
        base_url=service.url, headers=headers, limits=httpx.Limits(max_connections=1)
    ) as client:
        while (await client.get("/rooms")).status_code == 200:
            pass
        begin = time.monotonic()
        assert {(await client.get("/rooms")).status_code for _ in range(refusals)} == {429}
        assert time.monotonic() - begin >= PAUSE_STEP_S / 2 * sum(range(1, refusals))
        # Others are not held up, and neither is the connection for longer than its pause.
        assert (await backend.call("GET", "/me/badge", token=await backend.token("wanda")))["RC"] == 0
        async with asyncio.timeout(MAX_PAUSE_S * 10):
            assert (await client.get("/healthz")).status_code == 200


async def test_pauses_after_refusals_do_not_hold_up_a_stop() -> None:
    """Half a minute of refusals for requests that came in one piece.

    All are answered.
    """
    refused = 90
    keys = {"api_key": API_KEY, "client_key": CLIENT_KEY}
    with own_service(workers=1, user_rate_limit=1, **keys) as process:
        async with Backend(process.url) as backend:
            token = await backend.token("wilma")
        address = urlsplit(process.url)
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        request = f"GET /rooms HTTP/1.1\r\nHost: x\r\nIM-CLIENT-KEY: {CLIENT_KEY}\r\nIM-Authorization: {token}\r\n\r\n"
        writer.write(request.encode() * refused)
        answers = await reader.readuntil(b" 429 ")
        begin = time.monotonic()
        stopping = asyncio.create_task(asyncio.to_thread(process.stop))
        answers += await reader.read()
        await stopping
        assert time.monotonic() - begin < 10
        assert answers.count(b"HTTP/1.1 ") == refused
        assert faults(process) == []
        writer.close()


async def test_who_does_not_take_answers_gets_no_more_over_other_connections() -> None:
    """No further call, until the answers are read or their connections are gone.

    Others do not notice.
    """
    keys = {"api_key": API_KEY, "client_key": CLIENT_KEY}
    unlimited = {"user_rate_limit": 0, "address_rate_limit": 0}
    with own_service(workers=1, **keys, **unlimited) as process:
        async with Backend(process.url) as backend:
            token = await backend.token("vic")
            wide = {f"field{number}": "x" * 4000 for number in range(15)}
            for number in range(24):
                assert (await backend.call("POST", "/rooms", {"_id": f"wide{number}", "members": ["vic"], **wide}))[
                    "RC"
                ] == 0
            size = len((await _ask(process.url, token, "/rooms")).content)
            assert size > MAX_BYTES // 8
            address = urlsplit(process.url)
            headers = f"Host: x\r\nIM-CLIENT-KEY: {CLIENT_KEY}\r\nIM-Authorization: {token}\r\n"
            request = f"GET /rooms HTTP/1.1\r\n{headers}\r\n".encode()
            lazy = []
            try:
                for _ in range(10):
                    connection = socket.socket()
                    connection.setsockopt(
                        socket.SOL_SOCKET, socket.SO_RCVBUF, 4096
                    )  # so that little waits in the system
                    connection.connect((address.hostname, address.port))
                    connection.sendall(request)
                    lazy.append(connection)
                    await asyncio.sleep(0.2)
                answer = await _ask(process.url, token, "/me/badge")
                assert (answer.status_code, answer.json()) == (429, msgspec.json.decode(envelope(NOT_READ)))
                assert (await backend.call("GET", "/me/badge", token=await backend.token("wes")))["RC"] == 0
            finally:
                for connection in lazy:
                    connection.close()
            for _ in range(50):
                if (answer := await _ask(process.url, token, "/me/badge")).status_code == 200:
                    break
                await asyncio.sleep(0.1)
            assert answer.status_code == 200


async def _ask(url: str, token: str, path: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=url) as client:
        return await client.get(path, headers={"IM-CLIENT-KEY": CLIENT_KEY, "IM-Authorization": token})
