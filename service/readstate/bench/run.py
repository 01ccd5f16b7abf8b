"""One run: its course, and the facts that its figures depend on."""

import os
import platform
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from readstate.bench.driver import Driver
from readstate.bench.ledger import Ledger
from readstate.bench.listeners import Listeners
from readstate.bench.model import DESCRIPTION, READS, Model
from readstate.bench.percentiles import percentiles
from readstate.bench.result import Result, Step
from readstate.bench.search import Search
from readstate.bench.world import ROOMS_EACH, World
from readstate.replay.api import Api, ReplayError

WARM_S = 2.0  # at most; a quarter of the time of a step, if that is less
FIRST_RATE = 100.0
_READS_AHEAD = 1.5  # messages that are posted for each read that is expected: arrivals are random


@dataclass(frozen=True)
class Wanted:
    """What a person asks for."""

    url: str
    api_key: str
    client_key: str
    p99_ms: float
    seconds: float  # of each step
    rate: float  # 0: search
    users: int
    rooms: int
    listeners: int
    connections: int
    prefix: str
    seed: int


async def bench(wanted: Wanted, tell: Callable[[str], None]) -> Result:
    """Load the service. `tell` gets a line for each step. Raises ReplayError and OSError.

    What was made is taken away at the end, however it ends.
    """
    url = urlsplit(wanted.url)
    api = Api(wanted.url, api_key=wanted.api_key, client_key=wanted.client_key)
    ledger = Ledger()
    async with api, Listeners(wanted.url, ledger) as listeners:
        result = Result(wanted.p99_ms, await _facts(wanted))
        world = World(
            api,
            prefix=wanted.prefix,
            users=wanted.users,
            rooms=wanted.rooms,
            listeners=wanted.listeners,
            seed=wanted.seed,
        )
        try:
            tell(f"making {wanted.users} users and {wanted.rooms} rooms at {wanted.url}")
            await world.make()
            for listener in world.listeners:
                await listeners.listen(listener, api.tokens[listener], [room.id for room in world.rooms])
            model = Model(world, api, ledger, url, wanted.seed)
            async with Driver(url, wanted.connections, wanted.seed) as driver:
                await _run_steps(wanted, world, model, driver, result, tell)
            if wanted.listeners:
                result.balance = await listeners.balance()
            result.notice_ms, result.lost_sockets = percentiles(listeners.latencies_s), listeners.lost
        finally:
            await world.remove()
    return result


async def _run_steps(
    wanted: Wanted, world: World, model: Model, driver: Driver, result: Result, tell: Callable[[str], None]
) -> None:
    """Load at one rate, or at those of a search."""
    warm_s = min(WARM_S, wanted.seconds / 4)
    search = Search(wanted.rate or FIRST_RATE)
    while (rate := search.next_rate()) is not None:
        await world.post_for(rate * (warm_s + wanted.seconds) * READS * _READS_AHEAD)
        step = Step.of(await driver.drive(model.next, rate, warm_s, wanted.seconds))
        result.steps.append(step)
        is_kept = step.is_kept(wanted.p99_ms)
        search.note(rate, is_kept=is_kept)
        tell(_line(step, is_kept=is_kept))
        if wanted.rate:
            return


def _line(step: Step, *, is_kept: bool) -> str:
    figures = [f"p{name} {value:.1f} ms" for name, value in step.latency_ms.items()]
    figures += [f"{step.failed} failed"] if step.failed else []
    ending = "" if is_kept else "  (too high: it does not keep up)" if step.is_hopeless else "  (too high)"
    return f"{step.offered:9,.0f} calls a second: {', '.join(figures)}{ending}"


async def _facts(wanted: Wanted) -> list[tuple[str, str]]:
    """Raises ReplayError when there is no service."""
    version, workers = await _asked(wanted.url)
    return [
        ("service", f"readstate {version} at {wanted.url}{workers}"),
        (
            "load from",
            f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        ),
        ("model", DESCRIPTION),
        ("callers", "users with their tokens" if wanted.client_key else "the backend in the name of users"),
        (
            "settings",
            f"{wanted.users} users, each in {min(ROOMS_EACH, wanted.rooms)} of {wanted.rooms} rooms; "
            f"{wanted.listeners} sockets in all rooms; {wanted.connections} connections; "
            f"{wanted.seconds:g} s for each rate; bound of p99 {wanted.p99_ms:g} ms; seed {wanted.seed}",
        ),
    ]


async def _asked(url: str) -> tuple[str, str]:
    """The version of the service, and how many workers it has, if it says so."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
        try:
            async with session.get(f"{url}/schema") as answer:
                version = str((await answer.json(content_type=None))["info"]["version"])
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError, TypeError) as error:
            raise ReplayError(f"no service was found at {url}: {error or type(error).__name__}") from None
        with suppress(aiohttp.ClientError, TimeoutError, OSError, ValueError):
            async with session.get(f"{url}/metrics") as answer:
                for family in text_string_to_metric_families(await answer.text()):
                    if family.name == "readstate_workers":
                        return version, f", workers: {family.samples[0].value:.0f}"
    return version, ""
