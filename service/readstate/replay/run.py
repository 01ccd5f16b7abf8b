"""One replay: its course, what is printed, and its exit code."""

import asyncio
import secrets
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from readstate.files import in_words
from readstate.replay.api import Api, ReplayError
from readstate.replay.compare import Comparison
from readstate.replay.count import count
from readstate.replay.feed import create_users, feed
from readstate.replay.report import Report, print_report
from readstate.replay.traffic import Skipped, TrafficError, TrafficEvent, read_traffic, sift
from readstate.urls import mistake_in_service_url

DIFFERENT, NOT_DONE = 1, 2  # exit codes
SKIPPED_SHOWN = 5


def replay_file(
    file: Path,
    *,
    url: str,
    api_key: str,
    client_key: str = "",
    concurrency: int = 32,
    prefix: str | None = None,
    limit: int = 0,
) -> int:
    """Replay a traffic file against the service at `url`, and print what it found.

    Returns the exit code.

    `prefix` is put before every id (None: a fresh one). `limit`: only so many events; 0: all.
    """
    console = Console(stderr=True)
    try:
        if not api_key:
            raise ReplayError("an API key is needed: give --api-key or set READSTATE_API_KEY")
        if concurrency < 1 or limit < 0:
            raise ReplayError("--concurrency must be at least 1 and --limit at least 0")
        if mistake := mistake_in_service_url(url):
            raise ReplayError(mistake)
        events, skipped = sift(
            read_traffic(file, limit=limit), f"{secrets.token_hex(3)}:" if prefix is None else prefix
        )
        _print_skipped(skipped, console)
        api = Api(url, api_key=api_key, client_key=client_key, concurrency=concurrency)
        report = asyncio.run(replay(api, events, skipped=len(skipped), concurrency=concurrency, console=console))
    except (OSError, TrafficError, ReplayError) as error:
        said = in_words(error) if isinstance(error, OSError) else str(error)
        console.print(f"readstate replay: {said}", highlight=False, markup=False, soft_wrap=True)
        return NOT_DONE
    print_report(report, Console(file=sys.stdout))
    return DIFFERENT if report.differences else 0


async def replay(
    api: Api, events: Sequence[TrafficEvent], *, skipped: int, concurrency: int, console: Console
) -> Report:
    """Feed `events` and compare.

    Raises ReplayError when the service cannot be reached or refuses.
    """
    counted = count(events)
    columns = TextColumn("{task.description:>10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    if not console.is_terminal:
        console.print(
            f"feeding {len(events):,} events, "
            f"then comparing {len(counted.users):,} users and {len(counted.rooms):,} rooms ..."
        )
    async with api:
        with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
            started = time.perf_counter()
            await create_users(api, list(counted.users), concurrency=concurrency)
            feeding = progress.add_task("feeding", total=len(events))
            report = await feed(api, events, concurrency=concurrency, advance=lambda n: progress.advance(feeding, n))
            fed_at = time.perf_counter()
            comparing = progress.add_task("comparing", total=len(counted.rooms) + len(counted.users))
            comparison = Comparison(
                api, counted, concurrency=concurrency, advance=lambda n: progress.advance(comparing, n)
            )
            await comparison.run()
    report.feeding_s, report.comparing_s = fed_at - started, time.perf_counter() - fed_at
    report.events, report.skipped = len(events), skipped
    report.rooms, report.users = len(counted.rooms), len(counted.users)
    report.calls, report.repeats = api.calls, api.repeats
    report.values = report.reads + comparison.values
    report.differences += comparison.differences
    return report


def _print_skipped(skipped: Sequence[Skipped], console: Console) -> None:
    for event in skipped[:SKIPPED_SHOWN]:
        console.print(f"event {event.number} is left out: {event.reason}", highlight=False, markup=False)
    if len(skipped) > SKIPPED_SHOWN:
        console.print(f"... and {len(skipped) - SKIPPED_SHOWN:,} more are left out", highlight=False)
