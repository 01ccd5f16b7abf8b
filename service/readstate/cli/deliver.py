"""`readstate deliver`: a deliverer of webhooks, like the one beside the workers of `serve`."""

import argparse
import logging
import os
import signal

import uvloop

from readstate import deliverer_app, logs
from readstate.cli.existing_store import existing_store
from readstate.process.parent_watch import die_with_parent
from readstate.settings import Settings

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
        # It may start together with the service itself, before any has used the store.
        async with existing_store(tell, served=False) as (executor, settings):
            await deliverer_app.deliver(executor, settings)

    uvloop.run(deliver())
    return 0
