"""A primary, its replica, and three Sentinels that watch them, all with passwords."""

import subprocess
from pathlib import Path

import redis

from tests.support.servers import Server, die_with_parent, free_port, server_binary
from tests.support.waiting import wait_until_now

SERVICE = "chat"
PASSWORD, OF_SENTINELS = "password-of-the-server", "password-of-the-sentinels"
_QUORUM = 2


class Watched:
    """`start` it, and `stop` it at the end. `primary_port` is what the Sentinels say."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.servers = {free_port(): Server(directory / name) for name in ("one", "two")}
        self._sentinels: dict[int, subprocess.Popen[bytes]] = {}

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{port}" for port in self._sentinels)
        return f"redis+sentinel://:{PASSWORD}@{hosts}/{SERVICE}?sentinel_password={OF_SENTINELS}"

    def start(self) -> None:
        first, second = self.servers
        for port, server in self.servers.items():
            following = ("--replicaof", f"127.0.0.1 {first}") if port == second else ()
            server.start("--port", str(port), "--masterauth", PASSWORD, *following)
            with server.client() as client:
                client.config_set("requirepass", PASSWORD)
        with self.client(second) as client:
            wait_until_now(lambda: client.info("replication")["master_link_status"] == "up", "the replica to follow")
        for number in range(3):
            self._start_sentinel(self._directory / f"sentinel-{number}.conf", first)
        wait_until_now(lambda: all(map(self._is_settled, self._sentinels)), "the Sentinels to agree", timeout_s=30)

    def stop(self) -> None:
        for sentinel in self._sentinels.values():
            sentinel.kill()
            sentinel.wait()
        for server in self.servers.values():
            server.kill()

    def client(self, port: int, password: str = PASSWORD) -> redis.Redis:
        return redis.Redis(port=port, password=password, decode_responses=True)

    def primary_port(self) -> int:
        with self.client(next(iter(self._sentinels)), OF_SENTINELS) as client:
            return int(client.sentinel_get_master_addr_by_name(SERVICE)[1])

    def fail_over(self) -> None:
        """As an operator asks for it. Returns when the Sentinels name the other one."""
        before = self.primary_port()
        with self.client(next(iter(self._sentinels)), OF_SENTINELS) as client:
            client.execute_command("SENTINEL", "FAILOVER", SERVICE)
        wait_until_now(lambda: self.primary_port() != before, "the failover", timeout_s=30)

    def _start_sentinel(self, configuration: Path, primary: int) -> None:
        port = free_port()
        configuration.write_text(
            f"port {port}\nbind 127.0.0.1\nrequirepass {OF_SENTINELS}\nsentinel sentinel-pass {OF_SENTINELS}\n"
            f"dir {configuration.parent}\nsentinel monitor {SERVICE} 127.0.0.1 {primary} {_QUORUM}\n"
            f"sentinel auth-pass {SERVICE} {PASSWORD}\nsentinel down-after-milliseconds {SERVICE} 1500\n"
            f"sentinel failover-timeout {SERVICE} 5000\n"
        )
        with configuration.with_suffix(".log").open("wb") as log:
            command = [server_binary(), str(configuration), "--sentinel"]
            self._sentinels[port] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=die_with_parent()
            )

    def _is_settled(self, port: int) -> bool:
        try:
            with self.client(port, OF_SENTINELS) as client:
                state = client.sentinel_master(SERVICE)
                return int(state["num-other-sentinels"]) == 2 and int(state["num-slaves"]) == 1
        except redis.RedisError:
            return False
