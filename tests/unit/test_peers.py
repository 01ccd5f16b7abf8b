"""What is compared with does the same work, and each check tells right from wrong."""

import importlib.util
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from loadtest.bench.day import DaySize
from loadtest.bench.processes import ROOT
from loadtest.peers import checks, page, words
from loadtest.peers.checks import CHECKS, Finding, findings, posts_beside_reads
from loadtest.peers.contestant import Contestant
from loadtest.peers.measure import CONTESTANTS, Measured, Run
from loadtest.peers.postgres_server import find_postgres
from loadtest.peers.work import Act, DayOfWork, Kind, PeerCall, Truth, by_kind, feed

TINY = DaySize(users=40, posts=60, warm=20, rooms_each=5, largest=12, online=0.3)
RIGHT = {check.question: True for check in CHECKS}
INSTALLED = ROOT / ".venv-peers"  # by `make bench-peers`


@pytest.fixture(scope="module")
def day() -> DayOfWork:
    return DayOfWork(TINY)


@pytest.fixture(autouse=True)
def a_short_race(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "RACE_ROOMS", 2)
    monkeypatch.setattr(checks, "RACE_POSTS", 20)


@pytest.fixture
def asyncpg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(INSTALLED)
    if find_postgres() is None or importlib.util.find_spec("asyncpg") is None:
        pytest.skip("PostgreSQL is not installed, or `make .venv-peers/installed` was not run")


def contestant(name: str) -> AbstractAsyncContextManager[Contestant]:
    return CONTESTANTS[name]()


async def wrong_after_the_day(peer: Contestant, day: DayOfWork) -> int:
    await peer.make_rooms(day.rooms)
    await feed(peer, day.warm_up + day.calls)
    truth = Truth(day.rooms)
    truth.note(day.warm_up + day.calls)
    wrong, asked = await truth.wrong(peer)
    assert asked > 50
    return wrong


# The work


def test_a_day_of_work_has_calls_of_every_kind_and_tags_of_the_user(day: DayOfWork) -> None:
    kinds = by_kind(day.warm_up + day.calls, day.rooms)
    assert all(calls for kind, calls in kinds.items() if kind is not Kind.LARGE_POST)
    tags = {member: [] for room in day.rooms for member in room.members}  # type: dict[str, list[list[str]]]
    for room in day.rooms:
        for member in room.members:
            tags[member].append(room.tags)
    assert all(any(set(call.tags) <= set(one) for one in tags[call.user]) for call in kinds[Kind.TAG_BADGE])
    assert {len(call.tags) for call in kinds[Kind.TAG_BADGE]} == {1, 2}


def test_truth_counts_what_others_posted_after_the_last_read(day: DayOfWork) -> None:
    room = day.rooms[0]
    ann, ben = room.members[:2]
    truth = Truth(day.rooms)
    truth.note(PeerCall(Act.POST, ann, room.id, number) for number in (1, 2, 3))
    assert (truth.badge(ann), truth.badge(ben)) == (0, 3)
    truth.note([PeerCall(Act.READ, ben, room.id, 2), PeerCall(Act.READ, ben, room.id, 1)])
    assert truth.badge(ben) == 1
    assert truth.badge(ben, ["no such tag"]) == 0


# Who takes part


async def test_the_scripts_count_right(day: DayOfWork) -> None:
    async with contestant("scripts") as peer:
        assert await wrong_after_the_day(peer, day) == 0
        assert {name: found.right for name, found in (await findings(peer)).items()} == RIGHT


@pytest.mark.usefixtures("asyncpg")
@pytest.mark.parametrize("name", ["postgres_counters", pytest.param("postgres_off", marks=pytest.mark.full)])
async def test_postgres_counts_right(day: DayOfWork, name: str) -> None:
    async with contestant(name) as peer:
        assert await wrong_after_the_day(peer, day) == 0
        assert {name: found.right for name, found in (await findings(peer)).items()} == RIGHT
        assert peer.cpu_s()["store"] > 0
        assert peer.memory() > 0
        assert await peer.disk() > 0


@pytest.mark.full
@pytest.mark.parametrize("name", ["http", "http_cluster"])
async def test_the_service_counts_right(day: DayOfWork, name: str) -> None:
    async with contestant(name) as peer:
        assert await wrong_after_the_day(peer, day) == 0
        assert {name: found.right for name, found in (await findings(peer)).items()} == RIGHT


async def test_the_checks_notice_what_plain_hashes_count_wrong(day: DayOfWork) -> None:
    """One call after the other they count right, but for what they know nothing of."""
    async with contestant("plain") as peer:
        assert await wrong_after_the_day(peer, day) == 0
        texts = [(await check.ask(peer)).text for check in CHECKS if check.ask is not posts_beside_reads]
    assert texts == [
        "0 instead of 6",
        "0 instead of 2",
        "2 instead of 1",
        "3 instead of 2",
        "1",
        "the time of the last read",
    ]


# The page


def run_of(names: Sequence[str]) -> Run:
    cost = {"store": 10.0, "worker": 20.0}
    one = Measured(
        cost=cost,
        rate=1000.0,
        by_kind={kind.value: cost for kind in Kind},
        memory=2**20,
        disk=2**21,
        rooms_memory=1,
        day_memory=1,
        wrong=1,
        asked=2,
        checks={"right?": Finding(False, "3 instead of 4")},
    )
    return Run("people", 1, 2, 3, {}, {"post": 3}, dict.fromkeys(names, one), [("machine", "one")])


def test_the_page_has_a_column_for_each_and_what_is_wrong_in_bold(tmp_path: Path) -> None:
    written = page.write(tmp_path, run_of(list(CONTESTANTS)))
    text = written.read_text()
    assert "| right? |" + " **3 instead of 4** |" * len(CONTESTANTS) in text
    assert all(f"**{words.TITLES[name]}**" in text for name in CONTESTANTS)
    assert page.page(page.read(tmp_path)) == text


def test_the_page_in_the_repository_is_that_of_the_kept_figures() -> None:
    docs = ROOT / "docs"
    assert (docs / page.PAGE).read_text() == page.page(page.read(docs))
