"""`readstate doctor`: what it finds, on real servers with real mistakes. It changes nothing."""

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct

from readstate.doctor import machine
from readstate.doctor.finding import Finding, Level, Wrong, ask
from readstate.doctor.receiver import receiver
from readstate.errors import Doubt
from readstate.settings import Settings
from readstate.store.examination import Node, clock
from readstate.store.keys import Keys
from tests.support.processes import ServiceProcess, own_service, run_command
from tests.support.receiver import Receiver
from tests.support.servers import Cluster, Server, free_port, short_directory
from tests.support.waiting import wait_until_now

KEYS = {"api_key": "a" * 32, "client_key": "c" * 32, "token_secret": "t" * 32}
UNPRIVILEGED = ("user",)  # the tests may run as root


class Examined(Struct):
    """What a run said: the exit code, and the findings by check."""

    code: int
    levels: dict[str, str]
    says: dict[str, str]

    def worst(self) -> dict[str, str]:
        """What is not ok, apart from what a container has."""
        return {check: level for check, level in self.levels.items() if level != "ok" and check not in UNPRIVILEGED}


def examined(*arguments: str, **settings: object) -> Examined:
    run = run_command("doctor", "--json", "--sockets", "100", *arguments, settings={"port": 0, **settings})
    assert run.stderr == ""
    findings: list[dict[str, Any]] = json.loads(run.stdout)
    return Examined(
        run.returncode,
        {finding["check"]: finding["level"] for finding in findings},
        {finding["check"]: finding["says"] for finding in findings},
    )


@pytest.fixture
def directory() -> Iterator[Path]:
    with short_directory() as directory:
        yield directory


def test_before_the_first_start_it_makes_nothing(directory: Path) -> None:
    found = examined(data_dir=directory / "data")
    assert found.worst() == {}
    assert "will be made" in found.says["data directory"]
    assert list(directory.iterdir()) == []


def test_beside_a_running_service_all_is_well(directory: Path) -> None:
    """The embedded store is examined through its socket."""
    with ServiceProcess(directory / "data") as service:
        host, _, port = service.url.removeprefix("http://").partition(":")
        found = examined(data_dir=directory / "data", host=host, port=port)
    assert set(found.worst()) <= {"store memory"}
    assert found.says["port"] == f"a readstate listens on {host} port {port}, and is ready"
    assert found.says["keys"] == "1 worker(s) use this store, with the same keys"
    assert found.says["functions"] == "the functions of this version are loaded"
    assert found.says["layout"].startswith("the data have layout 2")


def test_a_disk_that_is_nearly_full_is_warned_of(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the embedded store writes, also before its directory is made."""
    monkeypatch.setattr(machine, "SPACE_BYTES", 1 << 62)
    for data_dir in (directory, directory / "new" / "data"):
        with pytest.raises(Doubt, match="MB left"):
            machine.data_directory(Settings(data_dir=str(data_dir)))
    assert "will be made" in machine.data_directory(Settings(data_dir=str(directory / "data"), redis_url="redis://x"))


def test_the_settings_of_another_service_are_recognised(directory: Path) -> None:
    """As in another directory than that of the service, where all would look well."""
    with ServiceProcess(directory / "data") as service:
        host, _, port = service.url.removeprefix("http://").partition(":")
        found = examined(data_dir=directory / "other", host=host, port=port)
        without_store = examined(data_dir=directory / "other", host=host, port=port, **KEYS)
    assert (found.code, found.levels["port"]) == (1, "warning")
    for one in (found, without_store):
        assert f"these are not its settings: {directory / 'other'} does not exist" in one.says["port"]


@pytest.mark.parametrize("kind", ["server", "cluster"])
def test_nothing_is_written_to_the_store(directory: Path, kind: str, request: pytest.FixtureRequest) -> None:
    store: Server | Cluster
    with ExitStack() as stack:
        if kind == "server":
            store = Server(directory / "one")
        else:
            store = Cluster(directory)
        stack.callback(store.stop)
        store.start()
        found = examined(redis_url=store.url, **KEYS)
        nodes = store.nodes if isinstance(store, Cluster) else [store]
        assert store.keys() == set()
        for node in nodes:
            with node.client() as client:
                assert client.function_list() == []
    warned = {"server": {"store memory"}, "cluster": {"store memory", "store replication"}}
    assert set(found.worst()) == warned[kind], "no maxmemory is set, and primaries of a cluster want replicas"
    assert found.says["layout"] == "there are no data yet"
    assert found.says["functions"] == "the functions of this version are not loaded; `readstate serve` loads them"
    assert found.says["keys"] == "no worker uses this store now"
    if kind == "cluster":
        assert found.says["store"] == "cluster of 3 primaries answers"
        assert "give each primary one" in found.says["store replication"]


MISTAKES = [
    (("maxmemory-policy", "allkeys-lru"), "store eviction", "wrong", "set it to noeviction"),
    (("appendonly", "no"), "store persistence", "wrong", "set appendonly to yes"),
    (("maxmemory", "1mb"), "store memory", "warning", "raise maxmemory"),
    (("maxmemory", "1mb"), "store writes", "wrong", "raise maxmemory"),
    (("busy-reply-threshold", "5000"), "store scripts", "warning", "set busy-reply-threshold to 200"),
    (("min-replicas-to-write", "1"), "store writes", "wrong", "bring back the replicas"),
]


@pytest.mark.parametrize(("setting", "check", "level", "remedy"), MISTAKES, ids=lambda value: str(value))
def test_each_mistake_of_a_server_is_named(
    own_server: Server, setting: tuple[str, str], check: str, level: str, remedy: str
) -> None:
    with own_server.client() as client:
        client.config_set(*setting)
    found = examined(redis_url=own_server.url, **KEYS)
    assert (found.levels[check], remedy in found.says[check]) == (level, True), found.says[check]
    assert found.code == (2 if "wrong" in found.levels.values() else 1)


def test_all_mistakes_of_a_server_are_named_at_once(own_server: Server) -> None:
    with own_server.client() as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        client.config_set("appendonly", "no")
    found = examined(redis_url=own_server.url, durability="fsynced", **KEYS)
    assert {"store eviction", "store persistence", "durability"} <= set(found.worst())


def test_replicas_are_counted(own_server: Server, directory: Path) -> None:
    """And a store that is to confirm with replicas needs one."""
    alone = examined(redis_url=own_server.url, durability="replicated", **KEYS)
    assert alone.levels["durability"] == "warning"
    port = free_port()
    replica = Server(directory / "replica")
    replica.start()
    try:
        with own_server.client() as client, replica.client() as follower:
            client.config_set("port", port)
            follower.replicaof("127.0.0.1", str(port))
            wait_until_now(lambda: follower.info("replication")["master_link_status"] == "up", "the replica")
        found = examined(redis_url=own_server.url, durability="replicated", **KEYS)
        refused = examined(redis_url=replica.url, **KEYS)
    finally:
        replica.stop()
    assert found.says["store replication"].startswith("1 replica(s) follow")
    assert found.levels["durability"] == "ok"
    assert refused.says["store"] == "the server is a replica; name its primary in READSTATE_REDIS_URL"


def test_other_keys_than_those_of_a_running_service_are_warned_of(own_server: Server) -> None:
    with own_service(redis_url=own_server.url, **KEYS):
        found = examined(redis_url=own_server.url, **KEYS | {"api_key": "b" * 32})
    assert found.levels["keys"] == "warning"
    assert "another READSTATE_API_KEY" in found.says["keys"]
    assert "READSTATE_CLIENT_KEY" not in found.says["keys"]


def test_data_of_a_later_version_are_refused(own_server: Server) -> None:
    with own_service(redis_url=own_server.url, **KEYS), own_server.client() as client:
        client.set(Keys.layout(0), b"99 0-16383")
    assert "of a later readstate" in examined(redis_url=own_server.url, **KEYS).says["data"]


def test_a_port_that_another_program_has_is_wrong(directory: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        found = examined(data_dir=directory / "data", port=other.getsockname()[1])
    assert (found.code, found.levels["port"]) == (2, "wrong")
    assert "READSTATE_PORT" in found.says["port"]


def test_settings_that_cannot_be_used_end_it() -> None:
    found = examined(workers="many")
    assert (found.code, found.worst()) == (2, {"settings": "wrong"})


def test_too_few_descriptors_are_wrong(directory: Path) -> None:
    found = examined("--sockets", "10000000", data_dir=directory / "data")
    assert (found.levels["descriptors"], found.levels["memory"]) == ("wrong", "warning")


def test_secrets_that_would_differ_between_machines_are_warned_of(own_server: Server, directory: Path) -> None:
    found = examined(redis_url=own_server.url, data_dir=directory / "data", api_key="a" * 32)
    assert found.levels["secrets"] == "warning"
    assert found.says["secrets"].startswith("READSTATE_CLIENT_KEY, READSTATE_TOKEN_SECRET will be made")


def test_a_directory_that_others_may_read_is_wrong(directory: Path) -> None:
    (directory / "data").mkdir(mode=0o700)
    (directory / "data" / "file").touch()
    (directory / "data").chmod(0o755)
    assert examined(data_dir=directory / "data").levels["data directory"] == "wrong"


async def test_the_receiver_is_connected_to_and_sent_nothing(directory: Path) -> None:
    hook = {"webhook_token": "t" * 16, "webhook_allow_private": True, "data_dir": directory / "data"}
    async with Receiver() as hooks:
        found = await asyncio.to_thread(examined, webhook_url=hooks.url, **hook)
        assert found.levels["webhooks"] == "ok"
        assert hooks.calls == []
        url = hooks.url
    assert examined(webhook_url=url, **hook).levels["webhooks"] == "warning"


def test_a_receiver_whose_name_is_unknown_is_warned_of(directory: Path) -> None:
    found = examined(
        webhook_url="https://hooks.readstate.invalid/", webhook_token="t" * 16, data_dir=directory / "data"
    )
    assert found.levels["webhooks"] == "warning"


async def test_a_name_of_a_private_address_is_no_receiver() -> None:
    """The name looks public; what it stands for is not."""
    settings = Settings(webhook_url="https://localhost/", webhook_token="t" * 16)
    with pytest.raises(Wrong, match="stands for an address that webhooks do not go to"):
        await receiver(settings)


def test_the_exit_code_passes_over_warnings_when_asked_to(directory: Path, own_server: Server) -> None:
    settings = {"redis_url": own_server.url, "port": 0, **KEYS}
    warned, passed = (
        run_command("doctor", "--sockets", "10", *more, settings=settings) for more in ([], ["--allow-warnings"])
    )
    assert (warned.returncode, passed.returncode) == (1, 0)
    assert warned.stdout == passed.stdout
    assert "warning  store memory: " in warned.stdout


class Late:
    """A server whose clock is an hour behind: no real one can be set so."""

    async def time(self) -> tuple[int, int]:
        return int(time.time()) - 3600, 0


async def test_clocks_that_differ_are_warned_of() -> None:
    with pytest.raises(Doubt, match=r"are 3[56]\d\d\.\d s apart; run NTP"):
        await clock(Node("here", Late(), {}))


def test_an_unknown_error_is_not_taken_for_a_finding() -> None:
    """A mistake of the doctor itself must be seen."""

    def question() -> str:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ask("check", question)
    assert ask("check", lambda: "fine") == Finding("check", Level.OK, "fine")
