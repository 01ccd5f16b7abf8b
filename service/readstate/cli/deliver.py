"""`readstate deliver`: a deliverer of webhooks, like the one beside the workers of `serve`."""

import argparse
import asyncio
import logging
import os
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack

import uvloop

from readstate import deliverer_app, logs
from readstate.cli.existing_store import existing_store
from readstate.errors import Fault
from readstate.process.parent_watch import die_with_parent
from readstate.settings import Settings
from readstate.startup import AGAIN_S
from readstate.store.executor import Executor
from readstate.store.replies import needs_operator
from readstate.store.server_check import ServerAway

logger = logging.getLogger("readstate")


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--parent", type=int, help=argparse.SUPPRESS)  # the process to end with
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    if args.parent is not None:
        die_with_parent(args.parent, signal.SIGTERM)
    settings = Settings.from_environ(os.environ)
    deliverer_app.check_receiver(settings)
    logs.configure(settings.log_level)
    # Beside a service, the log has named the store already.
    tell = logger.info if args.parent is None else logger.debug

    async def deliver() -> None:
        async with AsyncExitStack() as stack:
            executor, settings = await _store_when_there(stack, tell)
            await deliverer_app.deliver(executor, settings)

    uvloop.run(deliver())
    return 0


async def _store_when_there(stack: AsyncExitStack, tell: Callable[[str], None]) -> tuple[Executor, Settings]:
    """The store, which is closed with `stack`. While it is away this waits, and says so.

    Raises what `existing_store` raises, unless waiting may help.
    """
    why = ""
    while True:
        try:
            # It may start together with the service itself, before any has used the store.
            return await stack.enter_async_context(existing_store(tell, served=False))
        except (Fault, ServerAway) as error:
            if isinstance(error, Fault) and needs_operator(error):
                raise
            if str(error) != why:
                logger.warning("waiting for the store: %s", error)
            why, tell = str(error), logger.debug
            await asyncio.sleep(AGAIN_S)
