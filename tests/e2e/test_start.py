"""`readstate serve` and the other commands as processes: start, refusals, crashes, stop."""

import json
import os
import re
import signal
import socket
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
import redis
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as connect_websocket

from readstate.process.embedded import socket_path
from tests.support.processes import (
    ServiceProcess,
    children_of,
    command_of,
    is_running,
    own_service,
    run_command,
    workers_of,
)
from tests.support.servers import Cluster, Server, free_port, server_binary, short_directory
from tests.support.waiting import wait_until_now


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with short_directory() as directory:
        yield directory / "data"


@pytest.fixture(scope="module")
def running() -> Iterator[ServiceProcess]:
    """One that tests leave as it is."""
    with own_service() as service:
        yield service


def post(service: ServiceProcess, path: str, body: object, **headers: str) -> dict[str, object]:
    """The `result` of a POST."""
    request = urllib.request.Request(
        service.url + path,
        data=json.dumps(body).encode(),
        headers={
            "Content-Type": "application/json",
            **{f"IM-{name.replace('_', '-')}": value for name, value in headers.items()},
        },
    )
    with urllib.request.urlopen(request, timeout=10) as response:
        result: dict[str, object] = json.load(response)["result"]
        return result


def token_of(service: ServiceProcess, user: str, api_key: str | None = None) -> str:
    """A token of a user, who is created if needed."""
    return str(
        post(service, "/admin/clients", {"_id": user, "issueAccessToken": True}, API_KEY=api_key or service.api_key)[
            "token"
        ]
    )


def whoami(service: ServiceProcess, token: str, client_key: str | None = None) -> str:
    """The user of a token."""
    headers = {"IM-CLIENT-KEY": client_key or service.client_key, "IM-Authorization": token}
    with urllib.request.urlopen(urllib.request.Request(service.url + "/me", headers=headers), timeout=10) as response:
        return str(json.load(response)["result"]["_id"])


def server_of(service: ServiceProcess) -> int:
    (pid,) = {pid for pid in children_of(service.pid) if server_binary() in command_of(pid)}
    return pid


CUT = 1006  # the connection ended without a word


def close_code(websocket: ClientConnection) -> int:
    """The code with which the service closes this socket.

    Packets before it do not matter here.
    """
    try:
        while True:
            websocket.recv(25)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd is not None else CUT


@pytest.mark.parametrize("workers", [1, 2])
def test_it_announces_an_address_and_keys_that_work(data_dir: Path, workers: int) -> None:
    """All workers know the same keys. It is ready when it announces them."""
    with ServiceProcess(data_dir, workers=workers) as service:
        assert service.get("/readyz")[0] == 200
        assert len(workers_of(service)) == workers
        token = token_of(service, "ada")
        assert {whoami(service, token) for _ in range(20)} == {"ada"}
        assert service.get("/healthz")[0] == 200


def test_everything_is_there_again_after_a_restart(data_dir: Path) -> None:
    """Users, tokens and keys: a restart is no reason to log in again."""
    with ServiceProcess(data_dir) as before:
        token = token_of(before, "ada")
    with ServiceProcess(data_dir) as after:
        assert whoami(after, token) == "ada"
        assert (after.api_key, after.client_key) == (before.api_key, before.client_key)


def test_keys_that_were_given_are_used_and_not_printed(data_dir: Path) -> None:
    """Printed text ends up in logs."""
    with ServiceProcess(data_dir, api_key="the-operators-own-key", client_key="the-operators-client-key") as service:
        token = token_of(service, "ada", "the-operators-own-key")
        assert whoami(service, token, "the-operators-client-key") == "ada"
        assert "the-operators" not in "".join(service.printed + service.logged)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_it_stops_when_told_to_and_leaves_nothing_behind(data_dir: Path, how: signal.Signals) -> None:
    service = ServiceProcess(data_dir, workers=2)
    service.start()
    started = children_of(service.pid)
    service.signal(how)
    assert service.wait(25) == 0
    wait_until_now(lambda: not any(map(is_running, started)), "every process to be gone")
    assert not (data_dir / "valkey.sock").exists()


def test_a_terminal_that_is_closed_stops_it_in_order(data_dir: Path) -> None:
    """The end of the terminal reaches the workers too. They leave it to the supervisor."""
    service = ServiceProcess(data_dir, workers=2)
    service.start()
    os.killpg(service.pid, signal.SIGHUP)
    assert service.wait(25) == 0
    told = [line["message"] for line in lines_of(service, "") if line["level"] == "info"]
    assert told == ["ready", "told to stop by SIGHUP", "stopped"]
    assert not any("is replaced" in line for line in service.logged), service.logged


def test_with_nohup_it_outlives_the_terminal(data_dir: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    service = ServiceProcess(data_dir)
    try:
        service.start()
    finally:
        signal.signal(signal.SIGHUP, before)
    workers = workers_of(service)
    os.killpg(service.pid, signal.SIGHUP)
    time.sleep(2)
    assert service.get("/readyz")[0] == 200
    assert workers_of(service) == workers
    assert service.stop() == 0


MOMENTS_S = [0.0, 0.2, 0.4, 0.7, 1.0, 1.4, 2.0]


@pytest.mark.parametrize(
    ("how", "moment_s"),
    [
        *((signal.SIGINT, moment_s) for moment_s in MOMENTS_S),
        *(
            pytest.param(how, moment_s, marks=[] if moment_s in (0.2, 0.7, 1.4) else pytest.mark.full)
            for how in (signal.SIGTERM, signal.SIGHUP)
            for moment_s in MOMENTS_S
        ),
    ],
)
def test_at_any_moment_of_the_start_it_ends_at_once_and_in_silence(
    data_dir: Path, how: signal.Signals, moment_s: float
) -> None:
    """It ends by the signal, so that a shell and systemd see which.

    Ctrl-C goes to the workers as well.
    """
    service = ServiceProcess(data_dir)
    service.launch()
    time.sleep(moment_s)
    # Before our first line Python has the word, with a handler of its own.
    wait_until_now(lambda: data_dir.exists() or catches(service.pid, signal.SIGINT), "Python to run")
    wait_until_now(lambda: data_dir.exists() or not catches(service.pid, signal.SIGINT), "our own code to run")
    started = children_of(service.pid)
    begun = time.monotonic()
    os.killpg(service.pid, how)
    code = service.wait(10)
    assert code == (0 if service.printed else -how)
    assert time.monotonic() - begun < 5
    assert not any("Traceback" in line or "Error" in line for line in service.logged), service.logged
    wait_until_now(lambda: not any(map(is_running, started)), "every process to be gone")


def catches(pid: int, signum: signal.Signals) -> bool:
    """Whether the process has a handler of its own for the signal (Linux)."""
    caught = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (signum - 1) & 1)


def test_it_does_not_wait_for_a_store_that_is_away_when_it_is_told_to_stop(data_dir: Path) -> None:
    """Its workers wait for the store and have nothing to finish."""
    with short_directory() as directory:
        server = Server(directory / "own")
        server.start()
        service = ServiceProcess(data_dir, redis_url=server.url)
        service.launch()
        wait_until_now(lambda: bool(workers_of(service)), "a worker to be started", timeout_s=30)
        server.kill()
        time.sleep(2)
        begun = time.monotonic()
        service.signal(signal.SIGTERM)
        assert service.wait(10) == -signal.SIGTERM
        assert time.monotonic() - begun < 5


def test_the_log_tells_of_start_and_stop(data_dir: Path) -> None:
    with ServiceProcess(data_dir, workers=2) as service:
        url = service.url
        wait_until_now(lambda: bool(lines_of(service, "ready")), "the line")
    (ready,) = lines_of(service, "ready")
    assert (ready["level"], f"http://{ready['address']}", ready["workers"]) == ("info", url, 2)
    assert [line["level"] for line in lines_of(service, "told to stop by SIGTERM") + lines_of(service, "stopped")] == [
        "info",
        "info",
    ]


def lines_of(service: ServiceProcess, beginning: str) -> list[dict[str, object]]:
    """The lines of its log whose message begins so."""
    lines = [json.loads(line) for line in service.logged if line.startswith("{")]
    return [line for line in lines if line["message"].startswith(beginning)]


def replaced(service: ServiceProcess, process: str) -> float:
    """How often one of these processes was started again, as /metrics says."""
    found = re.search(
        rf'^readstate_processes_replaced_total{{process="{process}"}} (\S+)$',
        service.get("/metrics")[1].decode(),
        re.MULTILINE,
    )
    assert found is not None
    return float(found[1])


def test_it_can_be_stopped_before_it_is_ready(data_dir: Path) -> None:
    service = ServiceProcess(data_dir)
    service.launch()
    wait_until_now(lambda: (data_dir / "valkey.sock").exists(), "the embedded server to be started", timeout_s=30)
    started = children_of(service.pid)
    service.stop()
    wait_until_now(lambda: not any(map(is_running, started)), "every process to be gone")


def test_an_open_socket_does_not_hold_up_the_stop(data_dir: Path) -> None:
    """The close reason tells the client to come back."""
    with ServiceProcess(data_dir) as service:
        url = service.url.replace("http://", "ws://") + "/socket.io/?EIO=4&transport=websocket"
        with connect_websocket(url, open_timeout=10) as websocket:
            assert str(websocket.recv(10)).startswith("0{")
            begun = time.monotonic()
            service.signal(signal.SIGTERM)
            assert close_code(websocket) in (1001, 1012)
        assert service.wait(25) == 0
        assert time.monotonic() - begun < 20


@pytest.mark.parametrize("said", ["", "40", '40\x1e42["typing"]'], ids=["open", "connected", "talking"])
def test_a_long_polling_request_does_not_hold_up_the_stop(data_dir: Path, said: str) -> None:
    """The answer tells the client to come back. The log has no line about it."""
    with (
        ServiceProcess(data_dir) as service,
        httpx.Client(base_url=service.url, params={"EIO": "4", "transport": "polling"}, timeout=40) as client,
        ThreadPoolExecutor() as threads,
    ):

        def request(method: str, body: str = "") -> tuple[int, str]:
            answer = client.request(method, "/socket.io/", content=body)
            return answer.status_code, answer.text

        client.params = client.params.set("sid", json.loads(request("GET")[1][1:])["sid"])
        if said:
            assert request("POST", said) == (200, "ok")
            assert request("GET")[1].startswith("40{")
        waiting = threads.submit(request, "GET")
        time.sleep(0.5)
        assert not waiting.done()
        begun = time.monotonic()
        service.signal(signal.SIGTERM)
        assert waiting.result(10) == (200, "1")
        assert time.monotonic() - begun < 1.5
        assert service.wait(10) == 0
        assert time.monotonic() - begun < 3
    assert not [line for line in service.logged if '"level": "error"' in line]


def test_a_frame_over_the_limit_closes_its_socket_only(running: ServiceProcess) -> None:
    url = running.url.replace("http://", "ws://") + "/socket.io/?EIO=4&transport=websocket"
    with connect_websocket(url, open_timeout=10, compression=None) as websocket:
        websocket.recv(10)
        websocket.send("4" + "x" * 65_536)
        assert close_code(websocket) == 1009
    assert running.get("/readyz")[0] == 200


@pytest.mark.parametrize(
    ("beginning", "more"),
    [
        (b"GET /", b"a" * 65_536),
        (b"GET /healthz HTTP/1.1\r\n", b"X: %b\r\n" % (b"a" * 65_536)),
        (b"GET /healthz HTTP/1.1\r\nX: ", b"a" * 65_536),
        (b"PUT /rooms/r/lastRead HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X: %b\r\n" % (b"a" * 65_536)),
        (b"PUT /rooms/r/lastRead HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ", b"a" * 65_536),
    ],
    ids=["path", "headers", "header", "trailers", "trailer"],
)
def test_a_request_without_an_end_is_cut_off(running: ServiceProcess, beginning: bytes, more: bytes) -> None:
    """Its sender need not be authenticated. Without a limit, a worker would keep all of it.

    Bytes after the answer are dropped.
    """
    host, port = running.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection, pytest.raises(OSError):
        connection.sendall(beginning + more * 400)
    assert running.get("/readyz")[0] == 200


def test_answers_do_not_say_what_they_were_made_with(running: ServiceProcess) -> None:
    with urllib.request.urlopen(running.url + "/healthz", timeout=10) as response:
        assert {name.lower() for name in response.headers} & {"server", "date"} == set()


def test_a_killed_supervisor_takes_everything_with_it(data_dir: Path) -> None:
    """The next one finds the port free and the data whole."""
    port = free_port()
    service = ServiceProcess(data_dir, workers=2, port=port)
    service.start()
    token = token_of(service, "ada")
    started = children_of(service.pid)
    service.kill()
    wait_until_now(lambda: not any(map(is_running, started)), "every process to be gone")
    with ServiceProcess(data_dir, workers=2, port=port) as again:
        assert whoami(again, token) == "ada"


def test_a_killed_worker_is_replaced(data_dir: Path) -> None:
    with ServiceProcess(data_dir, workers=2) as service:
        token, before = token_of(service, "ada"), workers_of(service)
        os.kill(min(before), signal.SIGKILL)
        wait_until_now(lambda: len(workers_of(service) - before) == 1, "a new worker", timeout_s=30)
        wait_until_now(lambda: service.get("/readyz")[0] == 200, "the service to be ready", timeout_s=30)
        assert {whoami(service, token) for _ in range(20)} == {"ada"}
        wait_until_now(lambda: replaced(service, "worker") == 1, "the metric to count it")
        (line,) = lines_of(service, f"worker {min(before)} was ended by SIGKILL; it is replaced at once")
        assert line["level"] == "warning"


@pytest.mark.full
def test_a_worker_that_hangs_is_ended_and_replaced(data_dir: Path) -> None:
    """It is given ten seconds for a heartbeat, for a busy machine."""
    with ServiceProcess(data_dir, workers=2) as service:
        hung = min(workers_of(service))
        os.kill(hung, signal.SIGSTOP)
        wait_until_now(lambda: hung not in workers_of(service), "it to be ended", timeout_s=60)
        wait_until_now(lambda: replaced(service, "worker") == 1, "the metric to count it", timeout_s=30)
        assert len(lines_of(service, f"worker {hung} sent no heartbeat for 10 s and was ended; it is replaced")) == 1


def test_a_killed_server_comes_back_under_the_workers(data_dir: Path) -> None:
    with ServiceProcess(data_dir) as service:
        token, before = token_of(service, "ada"), server_of(service)
        with redis.Redis(unix_socket_path=str(socket_path(data_dir)), single_connection_client=True) as client:
            # It waits for the writes of its own connection, and so for all that came before.
            client.set("nothing-of-ours", "", px=1)
            client.execute_command("WAITAOF", 1, 0, 5000)
        os.kill(before, signal.SIGKILL)
        wait_until_now(lambda: not is_running(before), "the server to be gone")
        wait_until_now(lambda: service.get("/readyz")[0] == 200, "the service to be ready again", timeout_s=30)
        assert whoami(service, token) == "ada"
        assert server_of(service) != before
        wait_until_now(lambda: replaced(service, "store") == 1, "the metric to count it")
        assert replaced(service, "worker") == 0


def test_a_server_of_ones_own_is_used_and_left_running(data_dir: Path, server: Server) -> None:
    with ServiceProcess(data_dir, redis_url=server.url) as service:
        token_of(service, "ada")
        assert not (data_dir / "valkey.sock").exists()
    with server.client() as client:
        assert client.ping()


def test_a_cluster_is_recognised(data_dir: Path, cluster: Cluster) -> None:
    with ServiceProcess(data_dir, redis_url=cluster.url) as service:
        assert whoami(service, token_of(service, "ada")) == "ada"
        assert "cluster of 3 primaries" in "".join(service.printed)


# Refusals


def refusal(**settings: object) -> str:
    """The one line with which `readstate serve` does not start."""
    run = run_command("serve", settings=settings)
    assert (run.returncode, run.stdout) == (2, "")
    (line,) = run.stderr.splitlines()
    assert line.startswith("readstate: ")
    return line.removeprefix("readstate: ")


def test_a_second_supervisor_is_refused_and_the_first_one_stays(running: ServiceProcess) -> None:
    sentence = refusal(data_dir=running.data_dir, port=0)
    assert sentence.startswith(f"another readstate (process {running.pid}) uses {running.data_dir}; stop it first")
    assert running.get("/readyz")[0] == 200


def test_a_port_in_use_is_named(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        sentence = refusal(data_dir=data_dir, port=port)
    assert sentence.startswith(f"cannot listen on 127.0.0.1 port {port} (Address already in use")
    assert "READSTATE_PORT" in sentence
    assert sentence.count(str(port)) == 1
    assert not (data_dir / "valkey.sock").exists()


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_another_readstate_on_the_port_is_called_so(running: ServiceProcess, data_dir: Path, host: str) -> None:
    port = int(running.url.rpartition(":")[2])
    sentence = refusal(data_dir=data_dir, port=port, host=host)
    assert (
        sentence == f"another readstate listens on {host} port {port}; stop it first, or set READSTATE_PORT to another"
    )


@pytest.mark.parametrize("host", ["no-such-host.invalid", "192.0.2.1"])
def test_a_host_that_is_not_ours_is_refused(data_dir: Path, host: str) -> None:
    """Nothing uses it, so nothing has to be stopped."""
    assert refusal(data_dir=data_dir, port=0, host=host).startswith(
        f"READSTATE_HOST: {host} is no address of this machine"
    )


def test_an_unknown_setting_is_refused(data_dir: Path) -> None:
    assert (
        refusal(data_dir=data_dir, prot=1) == "READSTATE_PROT is not a setting; the nearest known one is READSTATE_PORT"
    )


def test_a_bad_value_is_refused(data_dir: Path) -> None:
    assert refusal(data_dir=data_dir, workers="many") == "READSTATE_WORKERS cannot be used: it must be a whole number"


def test_a_data_directory_that_others_can_read_is_refused(data_dir: Path) -> None:
    data_dir.mkdir(mode=0o755)
    (data_dir / "something").touch()
    assert (
        refusal(data_dir=data_dir, port=0)
        == f"{data_dir} is open to other users of this machine; run `chmod 700 {data_dir}`"
    )


def test_a_secret_that_others_can_read_is_refused(data_dir: Path) -> None:
    data_dir.mkdir(mode=0o700)
    (data_dir / "api_key").write_text("a-key-that-leaked-already\n")
    (data_dir / "api_key").chmod(0o644)
    assert refusal(data_dir=data_dir, port=0).endswith(f"run `chmod 600 {data_dir}/api_key`")


def test_an_unsound_server_is_refused(data_dir: Path) -> None:
    with short_directory() as directory:
        evicting = Server(directory / "evicting")
        evicting.start()
        with evicting.client() as client:
            client.config_set("maxmemory-policy", "allkeys-lru")
        assert refusal(data_dir=data_dir, port=0, redis_url=evicting.url).startswith("maxmemory-policy is allkeys-lru")
        evicting.kill()


def test_workers_that_cannot_start_end_the_service(data_dir: Path, server: Server) -> None:
    """Endless retries would look like a running service. The log has the cause."""
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "blind", "on", ">blind-password", "+@all", "-hgetall", "~*", "&*")
    url = server.url.replace("unix://", "unix://blind:blind-password@")
    run = run_command("serve", settings={"data_dir": data_dir, "port": 0, "redis_url": url})
    assert (run.returncode, run.stdout) == (1, "")
    assert "hgetall" in run.stderr
