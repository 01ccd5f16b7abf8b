"""The benchmark measures what it says: new forward moves, honest percentiles, real losses."""

import json
import shutil
import socketserver
import string
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from loadtest.bench import __main__ as command
from loadtest.bench import check as compared
from loadtest.bench import locust_run, pictures, ratios, report
from loadtest.bench.bench import Bench
from loadtest.bench.calls import Calls, message_id
from loadtest.bench.check import TRIES, check
from loadtest.bench.drive import drive
from loadtest.bench.figures import MEASURES, NAMES, Better, Limit, Plots, RowResult, not_measured
from loadtest.bench.lengths import QUICK
from loadtest.bench.machine import BenchError, CpuAccount, cores
from loadtest.bench.pool_executor import PoolExecutor
from loadtest.bench.population import CallFile, Population, PopulationSize, all_of, bulk_reads, single_reads
from loadtest.bench.processes import HttpServer, http_server
from loadtest.bench.ratios import Kept
from loadtest.bench.rows import ROWS
from readstate.bench.percentiles import percentiles
from readstate.domain.reading import MarkedRead
from readstate.errors import MessageUnknown, NotMember, RoomUnknown
from readstate.store import lua
from readstate.store.bounds import DEFAULTS
from readstate.store.keys import Keys
from readstate.store.redis_store import redis_store
from tests.support.servers import Server

SMALL = PopulationSize("small", users=40, rooms_each=5, room_size=20)
CONDITIONS = report.Conditions([("processor", "one")], 0.02, 0.01, True, 7.0, "some people")
TINY = replace(
    QUICK,
    pairs=1,
    sample_s=1,
    warm_s=1,
    users=40,
    bulk_users=20,
    loads=(),
    load_s=1,
    half_load_s=1,
    script_rounds=2,
    post_batches=1,
    large_room=300,
    memory_users=40,
    memory_rooms_each=(50,),
    many_users=400,
    day_users=260,
    day_posts=60,
    crowd=1000,
    mix_states=800,
    noisy_rooms=20,
    dear_rooms=100,
    dear_rounds=1,
    sockets=100,
    memory_sockets=80,
    idle_sockets=40,
    idle_s=0.5,
    connected=40,
    hold_s=0.5,
    churn_s=3.0,
    overload_s=1.0,
    honest=40,
    hostile=20,
    storm=30,
    emitted=100,
    worker_users=20,
)


# The population and the file of calls on it


def test_everybody_is_in_as_many_rooms_of_the_right_size() -> None:
    people = Population(SMALL)
    assert len({room for room, _ in people.rooms}) == len(people.rooms) == SMALL.rooms == 10
    assert all(len(set(members)) == SMALL.room_size for _, members in people.rooms)
    assert set(Counter(member for _, members in people.rooms for member in members).values()) == {SMALL.rooms_each}
    assert len(set(people.pairs())) == SMALL.states


def test_a_population_is_the_same_in_every_run_and_apart_from_others() -> None:
    assert Population(SMALL).pairs() == Population(SMALL).pairs()
    assert not set(Population(SMALL).users) & set(Population(replace(SMALL, name="other")).users)


def test_no_call_of_a_walk_is_sent_twice(tmp_path: Path) -> None:
    """Each is a forward move: a member reads a message that they had not read."""
    people = Population(SMALL)
    call_file = CallFile(
        tmp_path / "call_file", single_reads(people, {user: f"token-{user}" for user in people.users}), "key"
    )
    calls = Calls(call_file.path, 0, "key")
    sent = [calls.next() for _ in range(3 * call_file.length)]
    assert len(set(sent)) == len(sent)
    assert calls.position == len(sent)
    assert Calls(call_file.path, call_file.length, "key").next() == sent[call_file.length]


def test_a_walk_says_how_many_messages_it_needs(tmp_path: Path) -> None:
    call_file = CallFile(tmp_path / "call_file", [("PUT", "/", "", "")] * 10, "key")
    assert [call_file.rounds_for(calls) for calls in (9, 10, 25)] == [1, 2, 3]
    call_file.position = 10
    assert call_file.rounds_for(9) == 2


def test_ids_of_messages_rise_as_strings() -> None:
    ids = [message_id(number) for number in range(1, 300)]
    assert ids == sorted(ids)
    assert {len(one) for one in ids} == {24}


def test_a_call_in_bulk_names_every_room_of_its_user_once(tmp_path: Path) -> None:
    people = Population(SMALL)
    call_file = CallFile(tmp_path / "call_file", bulk_reads(people, dict.fromkeys(people.users, "token")), "key")
    request = Calls(call_file.path, 0, "key").next()
    head, _, body = request.partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    items = json.loads(body)["items"]
    assert len({item["room"] for item in items}) == SMALL.rooms_each
    assert {item["message"] for item in items} == {message_id(1)}


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
def test_wrk_goes_on_where_it_ended(tmp_path: Path) -> None:
    """Against the no-op application, which is enough here."""
    call_file = CallFile(tmp_path / "call_file", [("PUT", "/rooms/r/lastRead", "token", '{"message":"@"}')] * 10, "key")
    with http_server("noop", {}, 0) as server:
        found = drive(server, call_file, 1)
        assert 0 < found.calls <= call_file.position
        assert found.worker_cpu_s > 0
        before = call_file.position
        drive(server, call_file, 1, goes_on=False)
        assert call_file.position == before


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
def test_wrk_sends_what_locust_sends(tmp_path: Path) -> None:
    """The first requests of both, byte for byte."""
    received: list[bytes] = []

    class Listener(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            while data := self.request.recv(65_536):
                received.append(data)
                self.request.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    lines = [
        ("PUT", "/a", "token", '{"message":"@"}'),
        ("GET", "/b", "token", ""),
        ("PUT", "/c", "t", '{"items":["@","@"]}'),
    ]
    call_file = CallFile(tmp_path / "call_file", lines, "key")
    script = Path(command.__file__).with_name("call_file.lua")
    with socketserver.TCPServer(("127.0.0.1", 0), Listener) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        subprocess.run(
            ["wrk", "-t1", "-c1", "-d1s", "-s", script, url, "--", call_file.path, "0", "key"],
            check=True,
            capture_output=True,
        )
        server.shutdown()
    calls = Calls(call_file.path, 0, "key")
    expected = [calls.next() for _ in range(12)]
    # Before it begins wrk has the script make a call that it does not send.
    assert any(received[:9] == expected[skipped : skipped + 9] for skipped in range(3))


def test_open_arrivals_count_what_was_refused_and_what_was_not_answered(tmp_path: Path) -> None:
    """Some calls are refused, and some connections are closed.

    The others go on, and each call is counted once.
    """

    class Answering(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            while (data := self.request.recv(65_536)) and b" /close " not in data:
                status = b"404 Not Found" if b" /refuse " in data else b"200 OK"
                self.request.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\n")
                self.request.sendall(b"{}")

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        request_queue_size = locust_run.OPEN_CONNECTIONS

    paths = ["/"] * 48 + ["/refuse", "/close"]
    call_file = CallFile(tmp_path / "call_file", [("GET", path, "token", "") for path in paths], "key")
    with Server(("127.0.0.1", 0), Answering) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        found = locust_run.at_rate(HttpServer("127.0.0.1", server.server_address[1], 0), call_file, 400.0, 0.0, 1.0)
        server.shutdown()
    assert found.calls == found.position > 300
    assert found.failed == sum(paths[at % len(paths)] != "/" for at in range(found.position))
    assert 0 < found.latency_ms["50"] < 1000


# Percentiles


def test_percentiles_are_the_values_that_so_many_do_not_exceed() -> None:
    thousand = [number / 1000 for number in range(1, 1001)]
    assert percentiles(reversed(thousand)) == {"50": 500.0, "90": 900.0, "99": 990.0, "99.9": 999.0}
    assert percentiles([0.002]) == {"50": 2.0, "90": 2.0, "99": 2.0, "99.9": 2.0}
    assert percentiles([]) == {}


# The check against the figures before


@pytest.mark.parametrize(
    ("kept", "ratio", "loss"),
    [
        (Kept(0.5, Better.HIGHER), 0.4, 0.2),
        (Kept(0.5, Better.HIGHER), 0.6, -0.2),
        (Kept(1.0, Better.LOWER), 1.25, 0.2),
        (Kept(1.0, Better.LOWER), 0.5, -1.0),
    ],
)
def test_a_loss_is_a_loss_in_either_direction(kept: Kept, ratio: float, loss: float) -> None:
    assert kept.loss(ratio) == pytest.approx(loss)


def test_a_loss_that_stays_is_reported_and_a_passing_one_is_not() -> None:
    kept = {"a": Kept(0.5, Better.HIGHER), "b": Kept(2.0, Better.HIGHER), "c": Kept(1.0, Better.HIGHER)}
    measured = {"a": [0.3] * TRIES, "b": [1.0, 1.9], "c": [0.86]}
    rows = {row: (lambda values=values: RowResult("", True, values.pop(0))) for row, values in measured.items()}
    lost = check(rows, kept)
    assert len(lost) == 1
    assert "row a" in lost[0]
    assert "40% worse" in lost[0]
    assert not any(measured.values())


def test_what_has_no_clock_in_it_may_lose_less() -> None:
    """Memory per read state is the same in every run; times are not."""
    rows = {
        "memory_per_state": lambda: RowResult("", True, 214.0),
        "post_by_room_size": lambda: RowResult("", True, 214.0),
    }
    lost = check(rows, dict.fromkeys(rows, Kept(200.0, Better.LOWER)))
    assert [sentence.split(":")[0] for sentence in lost] == ["row memory_per_state"]


def test_a_row_that_cannot_be_measured_any_more_is_lost_and_a_new_one_is_not() -> None:
    rows = {"a": lambda: not_measured("there is no server"), "b": lambda: RowResult("", True, 1.0)}
    lost = check(rows, {"a": Kept(0.5, Better.HIGHER)})
    assert lost == ["row a: not measured: there is no server"]


def test_ratios_are_kept_and_read_again(tmp_path: Path) -> None:
    outcomes = {
        "put_ceiling": RowResult("0.5", True, 0.5),
        "open_latency": RowResult("4 ms", True),
        "worker_cpu": RowResult("1.0", True, 1.0),
    }
    ratios.write(tmp_path / "ratios.json", outcomes)
    assert ratios.read(tmp_path / "ratios.json") == {
        "put_ceiling": Kept(0.5, Better.HIGHER),
        "worker_cpu": Kept(1.0, Better.LOWER),
    }


@pytest.mark.parametrize("text", [None, "", "[]", '{"a": {"ratio": "x"}}'])
def test_without_ratios_to_compare_with_it_says_so(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "ratios.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(BenchError, match="make bench"):
        ratios.read(path)


# What it leaves


def test_the_page_has_every_row_and_says_what_was_not_measured(tmp_path: Path) -> None:
    plots = Plots([("x | y", 10.0)], [(2.0, dict.fromkeys(("50", "90", "99", "99.9"), 1.5))], [("50", 190.0)])
    outcomes = {
        row: RowResult("0.61", True, 0.61, notes=("a | b",), table=(("", "n"), ("one", "1"))) for row in MEASURES
    }
    outcomes["bulk_ratio"] = not_measured("no such call")
    report.write(tmp_path, outcomes, plots, CONDITIONS)
    page = (tmp_path / report.PAGE).read_text(encoding="utf-8")
    for row, measure in MEASURES.items():
        assert f"| {measure.letter} | {row} | {measure.what}" in page
    assert "| **not measured: no such call** | - |" in page
    for name in ("throughput.svg", "latency.svg", "memory.svg"):
        assert f"({report.PICTURES}/{name})" in page
        ElementTree.parse(tmp_path / report.PICTURES / name)
    assert set(ratios.read(tmp_path / report.PICTURES / ratios.FILE)) == set(MEASURES) - {"bulk_ratio"}


def test_a_busy_machine_is_named_as_such() -> None:
    assert CONDITIONS.quiet
    busy = replace(CONDITIONS, others_share=0.4)
    assert not busy.quiet
    assert any("busy" in value for _, value in busy.lines())


def test_bars_are_as_long_as_their_values_say() -> None:
    tree = ElementTree.fromstring(pictures.bars("t", [("one", 10.0), ("half", 5.0)], "per second"))
    one, half = [
        float(bar.attrib["width"])
        for bar in tree.iter("{http://www.w3.org/2000/svg}rect")
        if bar.attrib["width"] != "100%"
    ]
    assert one == pytest.approx(2 * half, rel=0.01)


def test_lines_rise_with_their_values_on_a_logarithmic_scale() -> None:
    tree = ElementTree.fromstring(pictures.lines("t", "x", "y", {"p": [(1.0, 1.0), (2.0, 10.0), (3.0, 100.0)]}))
    heights = [float(point.attrib["cy"]) for point in tree.iter("{http://www.w3.org/2000/svg}circle")]
    assert heights[0] - heights[1] == pytest.approx(heights[1] - heights[2], abs=0.2)
    assert heights[0] > heights[1]


# The command


def test_what_others_took_is_told_from_what_we_took() -> None:
    """A second of own work, most of it in a child."""
    account = CpuAccount()
    subprocess.run([sys.executable, "-c", "import time\nwhile time.process_time() < 0.8: pass"], check=True)
    all_cores_s = account.elapsed_s * cores()
    assert 0 <= account.others_share() <= 1 - 0.7 / all_cores_s
    assert 0 <= account.stolen_share() <= 1


def test_there_is_a_row_for_every_measure() -> None:
    assert list(ROWS) == list(MEASURES)


def test_a_row_may_be_asked_for_by_its_letter() -> None:
    """The letters are the labels of the table."""
    assert command._rows("a,bulk_ratio,d") == ("put_ceiling", "bulk_ratio")
    assert list(NAMES) == [*string.ascii_lowercase, *(f"a{letter}" for letter in "abcdefgh")]


@pytest.mark.parametrize(
    ("text", "within", "beyond"),
    [(">= 0.40 (try for 0.50)", 0.4, 0.39), ("<= 5 ms", 5.0, 5.1), ("< 1", 0.99, 1.0)],
)
def test_a_limit_is_what_the_table_says(text: str, within: float, beyond: float) -> None:
    assert Limit(text).holds(within)
    assert not Limit(text).holds(beyond)


def test_an_unknown_row_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["--rows", "a,bulk_ratio,zz"])
    assert "there is no row zz" in capsys.readouterr().err


# What is compared with


async def test_the_pool_answers_as_the_lane_does(server: Server, app: str) -> None:
    """Results, refusals, and a server that has lost the scripts."""
    executor = PoolExecutor(server.url)
    try:
        store = redis_store(executor)
        await executor.command("FUNCTION", "FLUSH", key="")
        assert await store.rooms.create_room(app=app, room="r", tags=["t"], profile={}, members=["ann", "ben"])
        await all_of(
            store.messages.post(
                app=app, room="r", sender="", message=message, countable=True, body="{}", sender_must_be_member=False
            )
            for message in ("m1", "m2")
        )
        reading = await store.reading.mark_read(app=app, room="r", user="ann", message="m1")
        assert (reading.message, reading.moved, reading.unread, reading.badge) == ("m1", True, 1, 1)
        assert await store.badges.badge(app=app, user="ben", tags=["t"]) == 2
        calls = [
            (
                Keys.room(app, room),
                lua.mark_read(
                    app=app,
                    user="ben",
                    message=message,
                    settings=DEFAULTS.as_settings(),
                    shard="",
                    with_badge=True,
                ),
            )
            for room, message in (("r", "m2"), ("none", "m1"))
        ]
        many = await executor.call_each(calls)
        assert isinstance(many[0], MarkedRead)
        assert (many[0].message, many[0].seq, many[0].moved) == ("m2", 2, True)
        assert isinstance(many[1], RoomUnknown)
        with pytest.raises(NotMember):
            await store.reading.mark_read(app=app, room="r", user="eve", message="m1")
        with pytest.raises(MessageUnknown):
            await store.reading.mark_read(app=app, room="r", user="ann", message="m9")
    finally:
        await executor.close()


@pytest.mark.full
@pytest.mark.parametrize("row", list(ROWS))
def test_every_row_can_be_measured(row: str) -> None:
    """Each runs for a moment in the smallest world. The figures mean nothing, but there is one."""
    with Bench(TINY) as bench:
        outcome = ROWS[row](bench)
    if outcome.reached is None:
        pytest.skip(outcome.measured)
    assert outcome.table or outcome.notes  # how it was measured, and what was
    assert row in compared.LEFT_OUT or (outcome.ratio is not None and outcome.ratio > 0)
