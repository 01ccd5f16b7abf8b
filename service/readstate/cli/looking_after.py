"""The commands that look after a service: on its store, and on no other (`existing_store`)."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial

import uvloop

from readstate import deliverer_app, logs
from readstate.cli.existing_store import existing_store
from readstate.domain.deliveries import DeadLetter
from readstate.domain.identity import FIRST_APP
from readstate.domain.types import Drift
from readstate.errors import Invalid, UserUnknown
from readstate.process.parent_watch import die_with_parent
from readstate.settings import Settings
from readstate.store.apps import AppRegistry, NewApp
from readstate.store.audit import Looked
from readstate.store.events import RedisEvents
from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.redis_store import redis_store
from readstate.store.tokens import RedisTokens
from readstate.store.users import RedisUsers

DRIFT_FOUND = 1
HEARD_WITHIN_S = 5  # by every worker

logger = logging.getLogger("readstate")


def audit(args: argparse.Namespace) -> int:
    drifts, looked = asyncio.run(_find_drifts(args))
    for drift in drifts:
        print(_line(drift))
    _tell(f"looked at {_many(looked.rooms, 'room')}, {_many(looked.users, 'user')} and {_many(looked.values, 'value')}")
    _tell(f"{_many(len(drifts), 'difference')}{' mended' if args.repair and drifts else ''}")
    return DRIFT_FOUND if drifts else 0


def _many(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


async def _find_drifts(args: argparse.Namespace) -> tuple[list[Drift], Looked]:
    async with existing_store(_tell) as (executor, settings):
        auditing = redis_store(executor, **settings.bounds()).audit
        if args.user is None and args.room is None and args.app is None:
            return await auditing.audit_all(repair=args.repair), auditing.looked
        app = args.app or FIRST_APP
        await _registry(executor, settings).check(app)
        if args.user is not None:
            await _check_user(executor, app, args.user)
            return await auditing.audit_user(app=app, user=args.user, repair=args.repair), auditing.looked
        if args.room is not None:
            drifts = await auditing.audit_room(app=app, room=args.room, repair=args.repair)
            if not auditing.looked.rooms:
                raise Invalid("room", f"there is no room {args.room} in app {app}")
            return drifts, auditing.looked
        return await auditing.audit_all(repair=args.repair, app=app), auditing.looked


async def _check_user(executor: Executor, app: str, user: str) -> None:
    """Raises Invalid unless the user was created, or is in a room."""
    key = Keys.user(app, user)
    if not await RedisUsers(executor).known(app=app, users=[user]) and not await executor.command(
        "EXISTS", key, key=key
    ):
        raise Invalid("user", f"there is no user {user} in app {app}")


def _line(drift: Drift) -> str:
    place = f"app {drift.app} user {drift.user}" + (f" room {drift.room}" if drift.room else "")
    return f"{place} {drift.what}: stored {drift.stored}, right is {drift.expected}"


def change_apps(change: Callable[[AppRegistry, argparse.Namespace], Awaitable[None]], args: argparse.Namespace) -> int:
    async def run() -> None:
        async with existing_store(_tell) as (executor, settings):
            await change(_registry(executor, settings), args)

    asyncio.run(run())
    return 0


async def add_app(registry: AppRegistry, args: argparse.Namespace) -> None:
    _print_keys(await registry.add(args.app, keep_data=args.keep_data))


async def rotate_app(registry: AppRegistry, args: argparse.Namespace) -> None:
    _print_keys(await registry.rotate(args.app, keep_old_for_s=args.keep_old_for))


async def remove_app(registry: AppRegistry, args: argparse.Namespace) -> None:
    await registry.remove(args.app)
    print(f"{args.app} is shut out within seconds")


def _print_keys(new: NewApp) -> None:
    print(f"app         {new.app}\nclient key  {new.client_key}\nAPI key     {new.api_key}")


def end_tokens(args: argparse.Namespace) -> int:
    async def end() -> None:
        async with existing_store(_tell) as (executor, settings):
            registry = _registry(executor, settings)
            if args.user is None:
                await registry.end_tokens(args.app)
            else:
                await registry.check(args.app)
                await _end_tokens_of(executor, args.app, args.user)
        whose = f"user {args.user} of app {args.app}" if args.user is not None else f"app {args.app}"
        print(f"all tokens of {whose} end within {HEARD_WITHIN_S} seconds; give out new ones after that")

    asyncio.run(end())
    return 0


async def _end_tokens_of(executor: Executor, app: str, user: str) -> None:
    try:
        await RedisTokens(executor).revoke_tokens(app=app, user=user, token_id="")
    except UserUnknown:
        raise Invalid("user", f"there is no user {user} in app {app}") from None


def list_apps(_args: argparse.Namespace) -> int:
    async def show() -> None:
        async with existing_store(_tell) as (executor, settings):
            for app in await _registry(executor, settings).list():
                print(f"{app.app}\t{app.client_key or '-'}")
            if not settings.client_key:
                _tell(
                    f"the client key of {FIRST_APP} is not known here; it is in READSTATE_CLIENT_KEY of the service, or its data directory"
                )

    asyncio.run(show())
    return 0


def deliver(args: argparse.Namespace) -> int:

    if args.parent is not None:
        die_with_parent(args.parent, signal.SIGTERM)

    settings = Settings.from_environ(os.environ)
    deliverer_app.check_receiver(settings)
    logs.configure(settings.log_level)
    # Who started a service knows its store.
    tell = logger.info if args.parent is None else logger.debug

    async def run() -> None:
        # It may be started together with the service itself.
        async with existing_store(tell, served=False) as (executor, settings):
            await deliverer_app.deliver(executor, settings)

    uvloop.run(run())
    return 0


def list_dead_letters(_args: argparse.Namespace) -> int:
    async def show() -> None:
        async with existing_store(_tell) as (executor, _):
            async for letter in RedisEvents(executor).dead_letters():
                print(_letter_line(letter))

    asyncio.run(show())
    return 0


def _letter_line(letter: DeadLetter) -> str:
    event, at = letter.event, datetime.fromtimestamp(letter.at_ms / 1000, UTC)
    place = f"app {event.app} room {event.room} member {event.member} seq {event.seq}"
    return f"{event.id}\t{at:%Y-%m-%dT%H:%M:%SZ}\t{letter.attempts} attempt(s)\t{place}\t{letter.reason}"


def replay_dead_letters(args: argparse.Namespace) -> int:
    async def replay() -> None:
        async with existing_store(_tell) as (executor, _):
            events = RedisEvents(executor)
            if not args.all:
                await _check_dead(events, args.id)
            replayed = await events.replay(None if args.all else args.id)
            print(f"{replayed} of the dead letters wait for delivery again")

    asyncio.run(replay())
    return 0


async def _check_dead(events: RedisEvents, ids: Sequence[str]) -> None:
    """Raises Invalid unless all of these are dead letters."""
    known = {letter.event.id async for letter in events.dead_letters()}
    if missing := [one for one in ids if one not in known]:
        raise Invalid(
            "id",
            f"there is no dead letter {' nor '.join(missing)}; `readstate webhooks list` prints those that there are",
        )


def _registry(executor: Executor, settings: Settings) -> AppRegistry:
    return AppRegistry(executor, client_key=settings.client_key, api_key=settings.api_key)


def _tell(sentence: str) -> None:
    print(f"readstate: {sentence}", file=sys.stderr)


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "audit": audit,
    "apps add": partial(change_apps, add_app),
    "apps rotate": partial(change_apps, rotate_app),
    "apps remove": partial(change_apps, remove_app),
    "apps list": list_apps,
    "tokens end": end_tokens,
    "webhooks list": list_dead_letters,
    "webhooks replay": replay_dead_letters,
    "deliver": deliver,
}
