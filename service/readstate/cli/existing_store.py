"""The store of an existing service, for the commands that look after it.

Such a command never makes a store. On an empty store of its own it would find nothing wrong, or
print keys of no service.
"""

import argparse
import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from readstate.cli.arguments import note
from readstate.files import check_private_directory
from readstate.process.embedded import holds_data, running
from readstate.settings import Settings, SettingsError
from readstate.store.apps import AppRegistry
from readstate.store.connect import connect
from readstate.store.executor import Executor
from readstate.store.layout import StoreLayout
from readstate.store.server_check import check_server, has_served
from readstate.store.urls import without_password

_AS_FOR_THE_SERVICE = "give this command the settings of the service: READSTATE_REDIS_URL, or READSTATE_DATA_DIR"


@asynccontextmanager
async def existing_store(
    tell: Callable[[str], None], *, served: bool = True, begun: bool = True
) -> AsyncIterator[tuple[Executor, Settings]]:
    """The store that the environment names, and the settings.

    A secret that is not known here is "" in them.

    First `tell` gets a sentence that names the store. If no service runs on the data of an embedded
    store, a server is started for the time of the block. `served`: a service must have used a
    server that READSTATE_REDIS_URL names. `begun`: the data must have the layout of this version.
    Raises SettingsError, EmbeddedError, ServerRefused,
    Unavailable.
    """
    settings = Settings.from_environ(os.environ).resolve_existing()
    if settings.redis_url is not None:
        tell(f"working on {without_password(settings.redis_url)}, which READSTATE_REDIS_URL names")
        async with _executor(settings.redis_url, served, begun) as executor:
            yield executor, settings
    else:
        directory = Path(settings.data_dir)
        _check_holds_data(directory)
        tell(f"working on the embedded store in {directory}")
        with running(directory, tell, settings.embedded_memory_mb) as url:
            async with _executor(url, False, begun) as executor:
                yield executor, settings


def _check_holds_data(directory: Path) -> None:
    if not directory.exists():
        raise SettingsError(f"there is no store to work on: {directory} does not exist; {_AS_FOR_THE_SERVICE}")
    check_private_directory(directory)
    if not holds_data(directory):
        raise SettingsError(
            f"there is no store to work on: no service has kept its data in {directory}; {_AS_FOR_THE_SERVICE}"
        )


@asynccontextmanager
async def _executor(url: str, served: bool, begun: bool) -> AsyncIterator[Executor]:
    await check_server(url)
    if served and not await has_served(url):
        raise SettingsError(
            f"no service has used the store at {without_password(url)} so far; "
            "correct READSTATE_REDIS_URL, or start `readstate serve` on it first"
        )
    executor = await connect(url)
    try:
        if begun:
            await StoreLayout(executor).require()
        yield executor
    finally:
        await executor.close()


def on_store(
    work: Callable[[argparse.Namespace, Executor, Settings], Awaitable[None]],
) -> Callable[[argparse.Namespace], int]:
    """The command that does `work` on the existing store. Its exit code is 0."""

    async def open_and_work(args: argparse.Namespace) -> int:
        async with existing_store(note) as (executor, settings):
            await work(args, executor, settings)
        return 0

    return lambda args: asyncio.run(open_and_work(args))


def app_registry(executor: Executor, settings: Settings) -> AppRegistry:
    """The apps of this store."""
    return AppRegistry(executor, client_key=settings.client_key, api_key=settings.api_key)
