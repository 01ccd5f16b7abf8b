"""Capacity is arithmetic over one table, and the page is what follows from it."""

from dataclasses import replace
from pathlib import Path

import pytest

from loadtest.bench.day import DaySize
from loadtest.bench.figures import RowResult
from loadtest.bench.processes import ROOT
from loadtest.capacity import __main__ as command
from loadtest.capacity import costs as table
from loadtest.capacity import page, renew
from loadtest.capacity.costs import CLUSTER, MEMBER, ONE_SERVER, PARTS, Costs, Row, call_name
from loadtest.capacity.measure import measured
from loadtest.capacity.model import GIB, Habits, load, plan
from loadtest.peers.work import Act

HABITS = Habits(rooms_each=10, room_size=5, remembered=100, online=0.5, devices=2, posts_a_day=86.4, peak=1, read_s=10)


def table_of(call_us: float = 10.0, **sizes: float) -> Costs:
    """Every call costs as much, of store and worker; of what is not named, nothing."""
    calls = [
        Row(call_name(what, part, store), 0.0 if what == MEMBER else call_us, "us", "-")
        for what in (MEMBER, *(act.value for act in Act))
        for part in PARTS
        for store in (ONE_SERVER, CLUSTER)
    ]
    names = (
        *(table.STATE, table.MESSAGE, table.SUBSCRIPTION, table.SOCKET, table.DELIVERY, table.NOTICE),
        *(table.REQUEST, table.FRAME, table.STORE_CALL),
    )
    return Costs([*calls, *(Row(name, sizes.get(name, 0.0), "-", "-") for name in names)])


def test_a_load_is_what_people_do_at_the_busiest_time() -> None:
    found = load(1000, HABITS)
    assert found.calls[Act.POST] == pytest.approx(1.0)
    assert found.calls[Act.READ] == pytest.approx(50.0)
    assert found.calls[Act.RECEIPTS] == pytest.approx(12.5)
    assert found.sockets == 1000
    # Two notices of each post and one of each read, to two devices of the one who did it and of
    # half of the four others.
    assert found.deliveries == pytest.approx((2 * 1.0 + 50.0) * 3 * 2)


def test_one_server_serves_until_half_of_its_core_is_used() -> None:
    few = plan(10_000, table_of(), HABITS)
    calls = load(10_000, HABITS).all_calls
    assert not few.clustered
    assert few.store_cores == pytest.approx(calls * 10e-6)
    many = plan(10_000 * 0.51 / few.store_cores, table_of(), HABITS)
    assert many.clustered
    assert (many.primaries, many.first) == (3, "a cluster has three")
    more = plan(many.users * 10, table_of(), HABITS)
    assert (more.primaries, more.first) == (11, "the store's CPU")


def test_memory_decides_when_states_are_many() -> None:
    found = plan(1_000_000, table_of(0.001, **{table.STATE: 10_000}), HABITS)
    assert found.store_bytes == 1_000_000 * 10 * 10_000
    assert found.primaries == found.primaries_by_memory == -(-found.store_bytes // (32 * GIB * 0.6))
    assert found.first == "memory"


def test_deliveries_cost_workers_their_core_and_sockets_their_memory() -> None:
    costs = table_of(0.0, **{table.DELIVERY: 5.0, table.NOTICE: 5.0, table.SOCKET: 10.0})
    found = plan(1000, costs, replace(HABITS, worker_busy=0.001))
    assert found.worker_cores == pytest.approx(found.load.deliveries * 10e-6)
    assert found.workers == 4
    assert found.workers_bytes == 1000 * 10 * 1024


def test_a_run_of_the_benchmark_renews_its_rows_and_leaves_the_others(tmp_path: Path) -> None:
    costs = Costs.read(ROOT / "docs" / table.FILE)
    (tmp_path / table.FILE).parent.mkdir()
    costs.write(tmp_path / table.FILE)
    outcomes = {"memory_per_state": RowResult("151 bytes", True, 151.04), "put_ceiling": RowResult("0.5", True, 0.5)}
    renew.renew(renew.from_rows(outcomes), tmp_path)
    renewed = Costs.read(tmp_path / table.FILE)
    assert renewed[table.STATE] == 151.0
    assert [row.name for row in renewed.rows] == [row.name for row in costs.rows]
    assert renewed[table.MESSAGE] == costs[table.MESSAGE]
    assert "| read state | 151.0 | bytes | `make bench`, row memory_per_state |" in (tmp_path / page.PAGE).read_text()


def test_the_page_in_the_repository_is_that_of_the_table() -> None:
    docs = ROOT / "docs"
    assert (docs / page.PAGE).read_text() == page.page(Costs.read(docs / table.FILE))


def test_the_calculator_prints_other_habits(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--users", "1000", "--online", "0.5", "--devices", "3"]) == 0
    printed = capsys.readouterr().out
    assert printed.split("sockets", 1)[1].split()[0] == "1,500"


@pytest.mark.full
def test_a_prediction_is_compared_with_a_run() -> None:
    rows = measured(
        Costs.read(ROOT / "docs" / table.FILE), DaySize(users=40, posts=60, warm=20, rooms_each=5, largest=12)
    )
    assert all(row.value > 0 for row in rows)
