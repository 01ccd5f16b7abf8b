"""Fixtures for every test: real servers, a store on either plan, an app of its own."""

import os
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, Phase, settings

from readstate.store.connect import connect
from readstate.store.redis_store import RedisStore, redis_store
from tests.support.drills import TABLE, Drill, as_text
from tests.support.examples import make_many
from tests.support.servers import Cluster, Server, short_directory


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--full", action="store_true", help="also run what is too long for every change, with larger counts"
    )
    parser.addoption("--drills", action="store_true", help="run the drills in their long form, and print their table")
    parser.addoption(
        "--lua-dir", type=Path, default=None, help="take the scripts from this directory (how mutants are tried)"
    )
    parser.addoption(
        "--fuzz", default="", help="SEED, or SEED:NUMBER for one case alone, of the requests that are made at random"
    )
    parser.addoption("--programs", type=int, default=None, help="number of random programs of each stateful test")


def pytest_configure(config: pytest.Config) -> None:
    """A time limit per example would make a busy machine look like a bug.

    A mutant only has to fail, without an explanation.
    """
    # Processes that tests start keep what they import as bytecode: else each of some hundred would
    # compile it anew.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    phases = (Phase.explicit, Phase.generate) if config.getoption("--lua-dir") else tuple(Phase)
    settings.register_profile(
        "readstate",
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
        database=None,
        phases=phases,
    )
    settings.load_profile("readstate")
    make_many(config.getoption("--full"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.getoption("--drills"):
        terminalreporter.section("drills")
        for line in as_text(config.stash.get(TABLE, [])):
            terminalreporter.line(line)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--full"):
        return
    for item in items:
        if item.get_closest_marker("full"):
            # Too long for every change; `make test-all` runs them.
            item.add_marker(pytest.mark.skip(reason="only with --full"))


@pytest.fixture(scope="session")
def full(request: pytest.FixtureRequest) -> bool:
    """Whether long tests run."""
    return bool(request.config.getoption("--full"))


@pytest.fixture
def drill(pytestconfig: pytest.Config) -> Drill:
    """For a test that is a drill; see tests/support/drills.py."""
    return Drill(long=pytestconfig.getoption("--drills"), table=pytestconfig.stash.setdefault(TABLE, []))


@pytest.fixture(scope="session")
def lua_dir(request: pytest.FixtureRequest) -> Path | None:
    """Where the scripts come from; None: from the checkout."""
    lua_dir: Path | None = request.config.getoption("--lua-dir")
    return lua_dir


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """One Valkey on a unix socket, for all tests of a run; each keeps to an app of its own."""
    with short_directory() as directory:
        server = Server(directory / "one")
        server.start()
        yield server
        server.stop()


@pytest.fixture
def own_server() -> Iterator[Server]:
    """A server for one test, which may stop it."""
    with short_directory() as directory:
        server = Server(directory / "own")
        server.start()
        yield server
        server.stop()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Three primaries, for all tests of a run."""
    with short_directory() as directory:
        cluster = Cluster(directory)
        cluster.start()
        yield cluster
        cluster.stop()


@pytest.fixture(params=["atomic", "split"])
def plan_url(request: pytest.FixtureRequest) -> str:
    """The URL of a server for each of the two plans in turn."""
    return str(request.getfixturevalue("server" if request.param == "atomic" else "cluster").url)


@pytest.fixture
def app() -> str:
    """An app that no other test uses."""
    return f"t-{secrets.token_hex(6)}"


@pytest.fixture
def fanout_limit() -> int:
    """The fan-out limit of the store. Tests that cross it override this."""
    return 256


@pytest_asyncio.fixture
async def store(plan_url: str, lua_dir: Path | None, fanout_limit: int) -> AsyncIterator[RedisStore]:
    """The real store, once on one server and once on a cluster."""
    executor = await connect(plan_url, lua=lua_dir)
    yield redis_store(executor, fanout_limit=fanout_limit, message_history=10_000)
    await executor.close()
