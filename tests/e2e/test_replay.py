"""The replay against real services: one server and a cluster, rooms below and above the fan-out
limit.
"""

import argparse
import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from readstate.cli.replay import declare
from readstate.replay.api import Api, path
from readstate.replay.compare import Comparison
from readstate.replay.count import count
from readstate.replay.feed import create_users, feed, message_id
from readstate.replay.report import print_report
from readstate.replay.run import replay
from readstate.replay.temporary import TemporaryService, temporary_service
from readstate.replay.traffic import TrafficEvent, read_traffic, sift
from tests.support.servers import Cluster

SAMPLE = Path(__file__).parents[2] / "service" / "readstate" / "replay" / "sample.jsonl"


@pytest.fixture(scope="module", params=["embedded", "embedded, large rooms", "cluster", "cluster, large rooms"])
def service(request: pytest.FixtureRequest) -> Iterator[TemporaryService]:
    """A service of each kind in turn.

    With a limit of 4 the sample's rooms cross it in both directions all the time.
    """
    settings = {"READSTATE_WORKERS": "2"}
    if "large" in request.param:
        settings["READSTATE_FANOUT_LIMIT"] = "4"
    if "cluster" in request.param:
        cluster: Cluster = request.getfixturevalue("cluster")
        settings["READSTATE_REDIS_URL"] = cluster.url
    with temporary_service(settings) as started:
        yield started


@pytest.fixture(scope="module")
def one_service() -> Iterator[TemporaryService]:
    with temporary_service() as started:
        yield started


def run(service: TemporaryService, *options: str, file: Path = SAMPLE, api_key: str = "") -> int:
    """The exit code of the command."""
    parser = argparse.ArgumentParser()
    declare(parser)
    args = parser.parse_args([str(file), "--url", service.url, "--api-key", api_key or service.api_key, *options])
    return int(args.run(args))


def test_every_count_is_right(service: TemporaryService, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(service) == 0
    printed = capsys.readouterr().out
    assert "differences" in printed
    assert "expected" not in printed


def test_every_count_is_right_for_users_with_tokens(service: TemporaryService) -> None:
    """With the client key every user reads and asks for themselves, as clients do."""
    assert run(service, "--client-key", service.client_key) == 0


async def fed(service: TemporaryService, api: Api, prefix: str) -> tuple[list[TrafficEvent], Comparison]:
    events, skipped = sift(read_traffic(SAMPLE), prefix)
    assert not skipped
    counted = count(events)
    await create_users(api, list(counted.users), concurrency=8)
    assert not (await feed(api, events, concurrency=8, advance=lambda n: None)).differences
    return events, Comparison(api, counted, concurrency=8, advance=lambda n: None)


async def test_a_message_too_many_is_found(one_service: TemporaryService) -> None:
    """A service that counts one message more than the file is found out."""
    async with Api(one_service.url, api_key=one_service.api_key) as api:
        events, comparison = await fed(one_service, api, "more:")
        room = events[0].room
        extra = {"_id": "f" * 24, "room": room, "sender": events[0].user, "message": "one more", "messageType": "text"}
        await api.backend("POST", "/messages", extra)
        await comparison.run()
    found = {difference.what for difference in comparison.differences}
    assert f"newest message of room {room!r}" in found
    assert any(what.startswith("badge of member") for what in found)
    assert any(what.startswith("badge of ") and "over rooms with" in what for what in found)
    assert all(room in what or "badge" in what for what in found)


async def test_a_read_too_many_is_found(one_service: TemporaryService) -> None:
    """A cursor at the head, though by the file its user has not read on."""
    async with Api(one_service.url, api_key=one_service.api_key) as api:
        events, comparison = await fed(one_service, api, "read:")
        rooms = count(events).rooms
        room, user = next((room, user) for room, there in rooms.items() for user in there.members if there.unread(user))
        await api.user(user, "PUT", path("rooms", room, "lastRead"), {"message": message_id(rooms[room].posts)})
        await comparison.run()
    found = [difference.what for difference in comparison.differences]
    assert f"badge of member {user!r} in room {room!r}" in found
    assert f"badge of {user!r}" in found


async def test_differences_are_printed_and_make_it_fail(one_service: TemporaryService) -> None:
    """A second file with the names of a first one meets unknown messages."""
    events, _ = sift(read_traffic(SAMPLE, limit=60), "twice:")
    console = Console(file=io.StringIO())
    api = Api(one_service.url, api_key=one_service.api_key)
    assert not (await replay(api, events, skipped=0, concurrency=4, console=console)).differences
    report = await replay(
        Api(one_service.url, api_key=one_service.api_key), events[:30], skipped=0, concurrency=4, console=console
    )
    assert report.differences
    printed = io.StringIO()
    print_report(report, Console(file=printed, width=200))
    assert "expected" in printed.getvalue()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--api-key", "wrong"], "401 INVALID_API_KEY"),
        (["--url", "http://127.0.0.1:9"], "got no answer"),
        (["--url", "127.0.0.1:8080"], "with http:// or https:// in front"),
        (["--url", "localhost"], "with http:// or https:// in front"),
        (["--url", "ws://127.0.0.1:8080"], "with http:// or https:// in front"),
        (["--concurrency", "0"], "--concurrency must be at least 1"),
    ],
)
def test_what_keeps_it_from_running_is_said(
    one_service: TemporaryService, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(one_service, *options) == 2
    assert message in capsys.readouterr().err


def test_a_file_that_is_not_there_is_said(one_service: TemporaryService, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(one_service, file=Path("nowhere.jsonl")) == 2
    assert "nowhere.jsonl" in capsys.readouterr().err


def test_the_demonstration_ends_with_no_difference() -> None:
    """`make demo`: a service of its own, the sample, the summary."""
    done = subprocess.run(
        [sys.executable, "-m", "readstate", "demo"], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "425" in done.stdout
