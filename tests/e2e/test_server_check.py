"""The check of the server at start, on real servers with every known mistake."""

import asyncio
import http.server
import re
import secrets
import socketserver
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from readstate.store.server_check import ServerFacts, ServerRefused, check_server
from tests.support.servers import Cluster, Server, die_with_parent, free_port, server_binary, short_directory
from tests.support.waiting import wait_until_now

Launch = Callable[..., str]


@pytest.fixture
def directory() -> Iterator[Path]:
    with short_directory() as directory:
        yield directory


@pytest.fixture
def launch(directory: Path) -> Iterator[Launch]:
    """Starts a server on a unix socket with the given options over sound ones; answers its URL."""
    processes: list[subprocess.Popen[bytes]] = []

    def launch(*options: str, await_answer: bool = True) -> str:
        place = directory / str(len(processes))
        place.mkdir(exist_ok=True)
        socket = place / "s.sock"
        sound = ["--port", "0", "--unixsocket", str(socket), "--dir", str(place), "--appendonly", "yes", "--save", ""]
        sound += ["--busy-reply-threshold", "200"]
        processes.append(
            subprocess.Popen(
                [server_binary(), *sound, *options],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                preexec_fn=die_with_parent(),
            )
        )
        url = f"unix://{socket}"
        wait_until_now(lambda: answers_ping(url) if await_answer else socket.exists(), f"{url} to answer")
        return url

    yield launch
    for process in processes:
        process.kill()
        process.wait()


def answers_ping(url: str) -> bool:
    """Whether a server listens at `url` and has loaded its data."""
    try:
        with redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0), socket_timeout=5) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def check(url: str, **options: float) -> ServerFacts:
    return asyncio.run(check_server(url, **options))


def refusal(url: str, **options: float) -> str:
    """The sentence with which the server is refused."""
    with pytest.raises(ServerRefused) as caught:
        check(url, **options)
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


def admin(url: str) -> redis.Redis:
    return redis.Redis.from_url(url, decode_responses=True)


def with_user(url: str, *rules: str) -> str:
    """The URL for a new user with these rights."""
    with admin(url) as client:
        client.execute_command("ACL", "SETUSER", "app", "on", ">app-password", *rules)
    return url.replace("unix://", "unix://app:app-password@")


def test_data_in_the_layout_of_an_earlier_version_are_refused(launch: Launch) -> None:
    """Old heads were strings. Other data on the server do not matter."""
    url = launch()
    with admin(url) as client:
        client.mset({f"other:{number}": "x" for number in range(2000)})
        client.hset("{r:default:new}", "", "a head of today")
        assert check(url).clustered is False
        client.set("{r:default:old}", "a head of yesterday")
    assert "earlier readstate" in refusal(url)
    assert "empty server" in refusal(url)


def test_a_sound_server_is_accepted_and_left_as_it_was(launch: Launch) -> None:
    url = launch()
    facts = check(url)
    assert (facts.clustered, facts.primaries, facts.warnings) == (False, 1, ())
    assert re.fullmatch(r"(Valkey|Redis) \d+\.\d+\.\d+", facts.product)
    with admin(url) as client:
        assert client.dbsize() == 0


def test_a_whole_cluster_is_accepted(cluster: Cluster) -> None:
    facts = check(cluster.url)
    assert (facts.clustered, facts.primaries, facts.warnings) == (True, 3, ())


def test_nobody_there() -> None:
    assert "cannot be reached" in refusal(f"redis://127.0.0.1:{free_port()}")


def test_no_such_socket(directory: Path) -> None:
    sentence = refusal(f"unix://{directory}/nothing.sock")
    assert "nothing.sock cannot be reached" in sentence
    assert "start it, or correct READSTATE_REDIS_URL" in sentence


def test_no_such_host() -> None:
    assert "cannot be reached" in refusal("redis://no-such-host.invalid:6379")


def test_something_else_listens_there() -> None:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        assert "is not a Redis or Valkey server" in refusal(f"redis://127.0.0.1:{other.server_address[1]}")
        other.shutdown()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("sokcet_timeout=1", "there is no option sokcet_timeout for redis://"),
        ("ssl_cert_reqs=none", "there is no option ssl_cert_reqs for redis://"),
        ("socket_timeout=abc", "Invalid value for 'socket_timeout' in connection URL"),
        ("protocol=9", "protocol must be either 2 or 3"),
    ],
)
def test_an_option_of_the_url_that_cannot_be_used_is_a_sentence(options: str, words: str) -> None:
    sentence = refusal(f"redis://127.0.0.1:{free_port()}?{options}")
    assert sentence == f"READSTATE_REDIS_URL cannot be used: {words}; correct what stands behind its `?`, or remove it"


def test_tls_asked_of_a_server_without_it(directory: Path) -> None:
    server = Server(directory / "plain", clustered=True)
    server.start()
    assert "use redis:// if it has no TLS" in refusal(server.url.replace("redis://", "rediss://"))
    server.kill()


def test_a_password_is_missing(launch: Launch) -> None:
    url = launch()
    with admin(url) as client:
        client.config_set("requirepass", "hidden-one")
    assert "wants another user or password" in refusal(url)


def test_a_password_is_wrong_and_not_shown(launch: Launch) -> None:
    url = launch()
    with admin(url) as client:
        client.config_set("requirepass", "hidden-one")
    sentence = refusal(url.replace("unix://", "unix://:guessed-one@"))
    assert "wants another user or password" in sentence
    assert "guessed" not in sentence


def test_another_database(launch: Launch) -> None:
    for url in ("redis://127.0.0.1:6379/1", f"{launch()}?db=2"):
        assert "database other than 0" in refusal(url)


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl", "allkeys-random"])
def test_it_evicts(launch: Launch, policy: str) -> None:
    sentence = refusal(launch("--maxmemory-policy", policy))
    assert (
        sentence == f"maxmemory-policy is {policy}, which drops read state when memory is short; set it to noeviction"
    )


def test_it_keeps_nothing(launch: Launch) -> None:
    sentence = refusal(launch("--appendonly", "no"))
    assert sentence == "the server keeps nothing across a restart; set appendonly to yes"


def test_it_keeps_snapshots_only(launch: Launch) -> None:
    """Usable, but the operator should know what a crash costs."""
    (warning,) = check(launch("--appendonly", "no", "--save", "3600 1")).warnings
    assert "a crash loses what was read since the last one" in warning


@pytest.mark.parametrize(("threshold", "how_long"), [("5000", "for 5000 ms"), ("0", "for as long as it runs")])
def test_it_is_silent_while_a_script_runs(launch: Launch, threshold: str, how_long: str) -> None:
    """The server's default: nothing can end a slow script for that long."""
    (warning,) = check(launch("--busy-reply-threshold", threshold)).warnings
    expected = (
        f"a script that runs too long stops the server {how_long} before it can be ended; set "
        "busy-reply-threshold to 200"
    )
    assert warning == expected


def test_it_has_become_full(launch: Launch) -> None:
    """It must start, or nothing could be deleted."""
    url = launch()
    with admin(url) as client:
        client.function_load('#!lua name=readstate_x\nredis.register_function("readstate_x", function() return 1 end)')
        client.config_set("maxmemory", 1)
    (warning,) = check(url).warnings
    assert warning == "the server is full and refuses whatever needs memory; raise maxmemory, or delete rooms"


def test_it_is_a_replica(launch: Launch, directory: Path) -> None:
    sentence = refusal(launch("--replicaof", "127.0.0.1", str(free_port())))
    assert sentence == "the server is a replica; name its primary in READSTATE_REDIS_URL"


def test_it_is_a_sentinel(directory: Path) -> None:
    configuration, port = directory / "sentinel.conf", free_port()
    configuration.write_text(f"port {port}\ndir {directory}\n")
    sentinel = subprocess.Popen(
        [server_binary(), str(configuration), "--sentinel"], stdout=subprocess.DEVNULL, preexec_fn=die_with_parent()
    )
    url = f"redis://127.0.0.1:{port}"
    wait_until_now(lambda: answers_ping(url), "the sentinel to answer")
    assert refusal(url) == "READSTATE_REDIS_URL names a Sentinel; write redis+sentinel://HOST:PORT/SERVICE"
    sentinel.kill()
    sentinel.wait()


def test_it_is_still_loading(launch: Launch) -> None:
    """Refused only after a while. With a longer wait the server is accepted."""
    url = launch("--save", "3600 1", "--appendonly", "no")
    with admin(url) as client:
        client.mset({f"k{number}": secrets.token_hex(1500) for number in range(40)})
        client.save()
        place = client.config_get("dir")["dir"]
    slow = ["--dir", place, "--key-load-delay", "50000", "--loading-process-events-interval-bytes", "1024"]
    url = launch(*slow, "--appendonly", "no", "--save", "3600 1", await_answer=False)
    assert "is still loading its data" in refusal(url, loading_patience_s=0.3)
    assert check(url, loading_patience_s=30).primaries == 1


def test_its_memory_is_full(launch: Launch) -> None:
    sentence = refusal(launch("--maxmemory", "100kb"))
    assert "a trial write is refused" in sentence
    assert sentence.endswith("raise maxmemory")


def test_its_replicas_are_missing(launch: Launch) -> None:
    sentence = refusal(launch("--min-replicas-to-write", "1"))
    assert "bring back the replicas that min-replicas-to-write asks for" in sentence


def test_its_disk_refuses(launch: Launch) -> None:
    """A failed snapshot makes the server refuse all writes."""
    url = launch("--appendonly", "no", "--save", "3600 1")
    with admin(url) as client:
        place = Path(client.config_get("dir")["dir"])
        # The snapshot cannot take the place of a directory.
        (place / "dump.rdb" / "in the way").mkdir(parents=True)
        client.set("k", "v")
        client.bgsave()
        wait_until_now(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err", "the snapshot to fail")
    assert refusal(url).endswith("let the server write to its disk")


def test_it_is_busy_with_a_script(launch: Launch) -> None:
    url = launch("--busy-reply-threshold", "10")
    executor = threading.Thread(target=run_endless_script, args=(url,))
    executor.start()
    try:
        wait_until_now(lambda: not answers_ping(url), "the script to run")
        assert "busy" in refusal(url).lower()
    finally:
        with admin(url) as client:
            client.script_kill()
        executor.join()


def run_endless_script(url: str) -> None:
    with admin(url) as client, pytest.raises(redis.RedisError):
        client.eval("while true do end", 0)


@pytest.mark.parametrize(
    "rights",
    [
        ["+@all", "-@write", "~*", "&*"],
        ["+@all", "-fcall", "~*", "&*"],
        ["+@all", "-function", "~*", "&*"],
        ["+@all", "-ssubscribe", "~*", "&*"],
        ["+@all", "~other:*", "&*"],
        ["+@all", "~*", "resetchannels"],
        ["+@all", "-spublish", "~*", "&*"],
    ],
)
def test_its_user_may_not_do_enough(launch: Launch, rights: list[str]) -> None:
    sentence = refusal(with_user(launch(), *rights))
    assert "a trial write is refused" in sentence
    assert "give the user all commands, keys and channels" in sentence


def test_its_user_may_not_look(launch: Launch) -> None:
    assert "+info" in refusal(with_user(launch(), "+@all", "-info", "~*", "&*"))


def test_its_configuration_is_hidden(launch: Launch) -> None:
    """As with managed servers: facts that INFO does not tell become a warning."""
    url = launch("--appendonly", "no", "--save", "3600 1")
    (warning,) = check(with_user(url, "+@all", "-config", "~*", "&*")).warnings
    assert "make sure that it does" in warning


def test_it_lets_nobody_in_any_more(launch: Launch) -> None:
    url = launch("--maxclients", "2")
    with admin(url) as first, admin(url) as second:
        assert first.ping()
        assert second.ping()
        assert "cannot be reached" in refusal(url)


@contextmanager
def pretender(info: str) -> Iterator[str]:
    """Answers INFO like a server that cannot be had here, and everything else with an error."""

    class Answer(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while count := self.rfile.readline():
                words = [self.rfile.read(int(self.rfile.readline()[1:]) + 2).strip() for _ in range(int(count[1:]))]
                body = info.encode() if words[0] == b"INFO" else None
                self.wfile.write(b"-ERR unknown command\r\n" if body is None else b"$%d\r\n%s\r\n" % (len(body), body))

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answer) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"redis://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize("version", ["6.2.20", "5.0.14", "255.next", ""])
def test_it_is_too_old_or_of_no_known_version(version: str) -> None:
    with pretender(f"redis_version:{version}\r\nrole:master\r\nredis_mode:standalone\r\n") as url:
        sentence = refusal(url)
    assert "needs Valkey 7.2 or Redis 7.0, or newer" in sentence


@pytest.fixture
def lone_node(directory: Path) -> Iterator[Server]:
    """A node of a cluster that serves no slot yet."""
    node = Server(directory / "lone", clustered=True)
    node.start()
    yield node
    node.kill()


def give_slots(node: Server, last: int) -> None:
    with node.client() as client:
        client.execute_command("CLUSTER ADDSLOTSRANGE", 0, last)
        if last == 16383:
            wait_until_now(
                lambda: client.execute_command("CLUSTER INFO")["cluster_state"] == "ok", "the cluster to be whole"
            )


def test_a_cluster_that_serves_a_part_of_the_slots(lone_node: Server) -> None:
    give_slots(lone_node, 999)
    assert refusal(lone_node.url) == "the cluster serves only 1000 of 16384 slots; assign the others to a node"


def test_a_cluster_of_one_node_is_a_cluster(lone_node: Server) -> None:
    give_slots(lone_node, 16383)
    facts = check(lone_node.url)
    assert (facts.clustered, facts.primaries) == (True, 1)


@pytest.mark.parametrize(
    ("option", "value", "wanted"),
    [("maxmemory-policy", "allkeys-lru", "noeviction"), ("appendonly", "no", "keeps nothing")],
)
def test_one_node_of_a_cluster_is_unsound(lone_node: Server, option: str, value: str, wanted: str) -> None:
    """The rules hold for every primary, and the sentence names it."""
    give_slots(lone_node, 16383)
    with lone_node.client() as client:
        client.config_set(option, value)
    sentence = refusal(lone_node.url)
    assert sentence.startswith(f"at the cluster's node redis://127.0.0.1:{lone_node.port}")
    assert wanted in sentence


def test_a_cluster_announces_what_cannot_be_reached(lone_node: Server) -> None:
    give_slots(lone_node, 16383)
    nowhere = free_port()
    with lone_node.client() as client:
        client.config_set("cluster-announce-port", nowhere)
        wait_until_now(lambda: str(nowhere) in str(client.execute_command("CLUSTER SLOTS")), "the announcement")
    assert "cannot be reached from here" in refusal(lone_node.url)


def test_a_cluster_has_lost_a_node(directory: Path) -> None:
    cluster = Cluster(directory)
    cluster.start()
    for node in cluster.nodes:
        with node.client() as client:
            client.config_set("cluster-node-timeout", 500)
    cluster.nodes[2].kill()
    with cluster.nodes[0].client() as client:
        wait_until_now(
            lambda: client.execute_command("CLUSTER INFO")["cluster_state"] == "fail",
            "the loss to be noticed",
            timeout_s=30,
        )
    assert "bring back the nodes that are missing" in refusal(cluster.url)
    cluster.stop()
