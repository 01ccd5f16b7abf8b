"""`readstate webhooks`: lists and replays webhooks that could not be delivered."""

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime

from readstate.cli.arguments import text
from readstate.cli.existing_store import on_store
from readstate.domain.events import DeadLetter
from readstate.errors import Invalid
from readstate.settings import Settings
from readstate.store.events import RedisEvents
from readstate.store.executor import Executor


def declare(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    commands.add_parser("list", help="print every dead letter").set_defaults(run=_list)
    replay = commands.add_parser("replay", help="deliver dead letters again; also to a receiver that had answered 410")
    which = replay.add_mutually_exclusive_group(required=True)
    which.add_argument("id", type=text, nargs="*", default=[], help="ids of events, as `list` prints them")
    which.add_argument("--all", action="store_true", help="all of them")
    replay.set_defaults(run=_replay)


@on_store
async def _list(_args: argparse.Namespace, executor: Executor, _settings: Settings) -> None:
    async for letter in RedisEvents(executor).dead_letters():
        print(_line(letter))


def _line(letter: DeadLetter) -> str:
    event, at = letter.event, datetime.fromtimestamp(letter.at_ms / 1000, UTC)
    whose = f"app {event.app} room {event.room} member {event.member} seq {event.seq}"
    return f"{event.id}\t{at:%Y-%m-%dT%H:%M:%SZ}\t{letter.attempts} attempt(s)\t{whose}\t{letter.reason}"


@on_store
async def _replay(args: argparse.Namespace, executor: Executor, _settings: Settings) -> None:
    events = RedisEvents(executor)
    if not args.all:
        await _check_dead(events, args.id)
    replayed = await events.replay(None if args.all else args.id)
    print(f"{replayed} of the dead letters wait for delivery again")


async def _check_dead(events: RedisEvents, ids: Sequence[str]) -> None:
    """Raises Invalid unless all of these are dead letters."""
    known = {letter.event.id async for letter in events.dead_letters()}
    if missing := [one for one in ids if one not in known]:
        raise Invalid(
            "id",
            f"there is no dead letter {' nor '.join(missing)}; `readstate webhooks list` prints those that there are",
        )
