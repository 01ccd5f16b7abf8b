"""`readstate status`: what a running service does, on one screen."""

import argparse
import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from rich.console import Console, RenderableType
from rich.live import Live

from readstate.process.embedded import socket_path
from readstate.process.listener import StartError, reachable_host
from readstate.settings import Settings
from readstate.status.numbers import Between, Moment, get, moment
from readstate.status.screen import StoreFacts, screen
from readstate.store.backlog import backlog
from readstate.store.connect import connect
from readstate.store.examination import primaries, version
from readstate.store.executor import Executor
from readstate.store.workers import shared_keys, workers_at_work
from readstate.urls import mistake_in_service_url

SECONDS = 2.0
LEAST_S = 1.2  # /metrics may be a second old
COLUMNS = 100  # where there is no terminal


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--watch", action="store_true", help="go on until it is stopped with Ctrl-C")
    parser.add_argument("--url", help="where the service gives /metrics (default: as in its settings)")
    parser.add_argument(
        "--seconds", type=_seconds, default=SECONDS, metavar="S", help="the time that is looked at (default: 2)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    asyncio.run(_show(args.url, args.seconds, watch=args.watch))
    return 0


async def _show(url: str | None, seconds: float, *, watch: bool) -> None:
    if url and (mistake := mistake_in_service_url(url)):
        raise StartError(mistake)
    settings = Settings.from_environ(os.environ).resolve_existing()
    url = (url or _own_url(settings)).rstrip("/")
    earlier = await asyncio.to_thread(moment, url)
    store_url = settings.redis_url or f"unix://{socket_path(Path(settings.data_dir))}"
    async with primaries(store_url) as nodes:
        product, number = await version(nodes[0]), len(nodes)
    # It may be of another version than the service, whose functions must stay.
    executor = await connect(store_url, load=False)
    try:

        async def look() -> RenderableType:
            nonlocal earlier
            await asyncio.sleep(seconds)
            later: Moment = await asyncio.to_thread(moment, url)
            between, earlier = Between(earlier, later), later
            _, readiness = await asyncio.to_thread(get, url, "/readyz")
            return screen(url, readiness, between, await _store_facts(executor, settings, product, number))

        await _print(look, watch=watch)
    finally:
        await executor.close()


async def _print(look: Callable[[], Awaitable[RenderableType]], *, watch: bool) -> None:
    """Print a screen; when watching, one after the other, on a terminal in place of the last."""
    console = Console() if Console().is_terminal else Console(width=COLUMNS)
    console.print(await look())
    if not watch:
        return
    if not console.is_terminal:
        while True:
            console.print(await look())
    with Live(await look(), console=console, screen=True, auto_refresh=False) as live:
        while True:
            live.update(await look(), refresh=True)


async def _store_facts(executor: Executor, settings: Settings, product: str, nodes: int) -> StoreFacts:
    workers, warnings = await workers_at_work(executor, shared_keys(settings))
    return StoreFacts(product, nodes, workers, warnings, await backlog(executor))


def _own_url(settings: Settings) -> str:
    host, port = settings.ops_address() or (settings.host, settings.port)
    host = reachable_host(host)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _seconds(argument: str) -> float:
    try:
        seconds = float(argument)
    except ValueError:
        seconds = 0.0
    if not LEAST_S <= seconds <= 3600:
        raise argparse.ArgumentTypeError("must be a number of seconds, 1.2 to 3600")
    return seconds
