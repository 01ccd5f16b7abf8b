"""The command `readstate`. Expected failures are one line on standard error and exit code 2, without a traceback."""

import argparse
import asyncio
import logging
import os
import re
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

import uvloop

from service import logs
from service.domain.deliveries import DeadLetter
from service.domain.types import Drift
from service.embedded import EmbeddedError
from service.errors import Invalid, ReadStateError, UserUnknown
from service.existing_store import existing_store
from service.leash import end_with_parent
from service.settings import Settings, SettingsError
from service.store.apps import FIRST_APP, AppRegistry, NewApp
from service.store.audit import Audit, Looked
from service.store.connect import Caller
from service.store.directory import RedisDirectory
from service.store.events import RedisEvents
from service.store.keys import Keys
from service.store.redis_store import RedisStore
from service.store.server_check import ServerRefused

DRIFT_FOUND, CANNOT, INTERRUPTED = 1, 2, 130
MAX_OVERLAP_S = 90 * 86_400  # for which a rotated key may be kept
HEARD_WITHIN_S = 5  # by every worker

logger = logging.getLogger("readstate")

_UNITS_S = {"m": 60, "h": 3600, "d": 86_400}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (default: of this process). Returns the exit code."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    args = _parser(arguments).parse_args(arguments)
    # An orderly stop takes the same way as Ctrl-C, so that everything that was started is stopped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return int(args.run(args))
    except KeyboardInterrupt:
        return INTERRUPTED
    except (SettingsError, EmbeddedError, ServerRefused, ReadStateError, OSError) as error:
        print(f"readstate: {error}", file=sys.stderr)
        return CANNOT


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="readstate", description="Keeps read state for chat products. Settings: the READSTATE_ variables."
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    serve = commands.add_parser("serve", help="run the service until it is told to stop")
    serve.set_defaults(run=_serve)

    replay = commands.add_parser("replay", help="feed a traffic file to a running service and check every count")
    if "replay" in arguments:
        # Its libraries are of no use to the other commands.
        from service import replay as replaying

        replaying.add_arguments(replay)
        replay.set_defaults(run=replaying.main)

    audit = commands.add_parser("audit", help="recompute what is stored and print every difference; exit code 1 if there was one")
    audit.add_argument("--repair", action="store_true", help="mend what differs")
    audit.add_argument("--app", type=_text, help=f"only this app; with --user or --room theirs (default: {FIRST_APP})")
    one = audit.add_mutually_exclusive_group()
    one.add_argument("--user", type=_text, help="only this user")
    one.add_argument("--room", type=_text, help="only this room")
    audit.set_defaults(run=_audit)

    _add_apps(commands.add_parser("apps", help="add, list, rotate or remove apps (tenants)"))
    _add_tokens(commands.add_parser("tokens", help="end the tokens of an app or of one user"))

    deliver = commands.add_parser("deliver", help="deliver webhooks until told to stop; `serve` runs one, more may run anywhere")
    deliver.add_argument("--parent", type=int, help=argparse.SUPPRESS)  # the process to end with
    deliver.set_defaults(run=_deliver)

    _add_webhooks(commands.add_parser("webhooks", help="list or replay webhooks that could not be delivered"))
    return parser


def _text(argument: str) -> str:
    """An argument that names something stored. Raises ArgumentTypeError for bytes that are not UTF-8."""
    try:
        argument.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError("must be UTF-8") from None
    return argument


def _add_webhooks(webhooks: argparse.ArgumentParser) -> None:
    commands = webhooks.add_subparsers(metavar="COMMAND", required=True)
    commands.add_parser("list", help="print every dead letter").set_defaults(run=_list_dead_letters)
    replay = commands.add_parser("replay", help="deliver dead letters again; also to a receiver that had answered 410")
    which = replay.add_mutually_exclusive_group(required=True)
    which.add_argument("id", type=_text, nargs="*", default=[], help="ids of events, as `list` prints them")
    which.add_argument("--all", action="store_true", help="all of them")
    replay.set_defaults(run=_replay_dead_letters)


def _duration(argument: str) -> int:
    """`30m`, `24h` or `7d` in seconds. Raises ArgumentTypeError."""
    found = re.fullmatch(r"([0-9]{1,6})([mhd])", argument)
    seconds = int(found[1]) * _UNITS_S[found[2]] if found else 0
    if not 0 < seconds <= MAX_OVERLAP_S:
        raise argparse.ArgumentTypeError("must be a time of 1m to 90d, such as 30m, 24h or 7d")
    return seconds


def _add_apps(apps: argparse.ArgumentParser) -> None:
    commands = apps.add_subparsers(metavar="COMMAND", required=True)
    add = commands.add_parser("add", help="add an app and print its keys; the API key is shown only now")
    add.add_argument("--keep-data", action="store_true", help="take over what an earlier app of this name stored")
    rotate = commands.add_parser("rotate", help="give an app a new API key and print it; the users' tokens stay")
    rotate.add_argument(
        "--keep-old-for",
        type=_duration,
        default=0,
        metavar="TIME",
        help="accept the key before for so long: 30m, 24h, 7d (default: it ends at once). One that was kept before ends at once",
    )
    remove = commands.add_parser("remove", help="shut an app out; what it stored stays")
    for command, change in ((add, _add_app), (rotate, _rotate_app), (remove, _remove_app)):
        command.add_argument("app", help="1 to 32 lower-case letters, digits and hyphens")
        command.set_defaults(run=_change_apps, change=change)
    commands.add_parser("list", help="print every app and its client key").set_defaults(run=_list_apps)


def _add_tokens(tokens: argparse.ArgumentParser) -> None:
    commands = tokens.add_subparsers(metavar="COMMAND", required=True)
    end = commands.add_parser("end", help=f"end tokens for good: calls and sockets that use them, within {HEARD_WITHIN_S} seconds")
    end.add_argument("--app", type=_text, required=True, help=f"all tokens of the users of this app; the first one is called {FIRST_APP}")
    end.add_argument("--user", type=_text, help="only those of this user")
    end.set_defaults(run=_end_tokens)


def _serve(_args: argparse.Namespace) -> int:
    from service.supervisor import StartError, serve

    try:
        return serve(Settings.from_environ(os.environ))
    except StartError as error:
        print(f"readstate: {error}", file=sys.stderr)
        return CANNOT


def _audit(args: argparse.Namespace) -> int:
    drifts, looked = asyncio.run(_find_drifts(args))
    for drift in drifts:
        print(_line(drift))
    _tell(f"looked at {_many(looked.rooms, 'room')}, {_many(looked.users, 'user')} and {_many(looked.values, 'value')}")
    _tell(f"{_many(len(drifts), 'difference')}{' mended' if args.repair and drifts else ''}")
    return DRIFT_FOUND if drifts else 0


def _many(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


async def _find_drifts(args: argparse.Namespace) -> tuple[list[Drift], Looked]:
    async with existing_store(_tell) as (caller, settings):
        audit = Audit(caller, RedisStore(caller, **settings.bounds()).outbox)
        if args.user is None and args.room is None and args.app is None:
            return await audit.everything(args.repair), audit.looked
        app = args.app or FIRST_APP
        await _registry(caller, settings).check(app)
        if args.user is not None:
            await _check_user(caller, app, args.user)
            return await audit.user(app, args.user, args.repair), audit.looked
        if args.room is not None:
            drifts = await audit.room(app, args.room, args.repair)
            if not audit.looked.rooms:
                raise Invalid("room", f"there is no room {args.room} in app {app}")
            return drifts, audit.looked
        return await audit.everything(args.repair, app), audit.looked


async def _check_user(caller: Caller, app: str, user: str) -> None:
    """Raises Invalid unless the user was created, or is in a room."""
    key = Keys.user(app, user)
    if not await RedisDirectory(caller).known(app=app, users=[user]) and not await caller.command("EXISTS", key, key=key):
        raise Invalid("user", f"there is no user {user} in app {app}")


def _line(drift: Drift) -> str:
    place = f"app {drift.app} user {drift.user}" + (f" room {drift.room}" if drift.room else "")
    return f"{place} {drift.what}: stored {drift.stored}, right is {drift.expected}"


def _change_apps(args: argparse.Namespace) -> int:
    async def change() -> None:
        async with existing_store(_tell) as (caller, settings):
            await args.change(_registry(caller, settings), args)

    asyncio.run(change())
    return 0


async def _add_app(registry: AppRegistry, args: argparse.Namespace) -> None:
    _print_keys(await registry.add(args.app, keep_data=args.keep_data))


async def _rotate_app(registry: AppRegistry, args: argparse.Namespace) -> None:
    _print_keys(await registry.rotate(args.app, keep_old_for_s=args.keep_old_for))


async def _remove_app(registry: AppRegistry, args: argparse.Namespace) -> None:
    await registry.remove(args.app)
    print(f"{args.app} is shut out within seconds")


def _print_keys(new: NewApp) -> None:
    print(f"app         {new.app}\nclient key  {new.client_key}\nAPI key     {new.api_key}")


def _end_tokens(args: argparse.Namespace) -> int:
    async def end() -> None:
        async with existing_store(_tell) as (caller, settings):
            registry = _registry(caller, settings)
            if args.user is None:
                await registry.end_tokens(args.app)
            else:
                await registry.check(args.app)
                await _end_tokens_of(caller, args.app, args.user)
        whose = f"user {args.user} of app {args.app}" if args.user is not None else f"app {args.app}"
        print(f"all tokens of {whose} end within {HEARD_WITHIN_S} seconds; give out new ones after that")

    asyncio.run(end())
    return 0


async def _end_tokens_of(caller: Caller, app: str, user: str) -> None:
    try:
        await RedisDirectory(caller).revoke_tokens(app=app, user=user, token_id="")
    except UserUnknown:
        raise Invalid("user", f"there is no user {user} in app {app}") from None


def _list_apps(_args: argparse.Namespace) -> int:
    async def show() -> None:
        async with existing_store(_tell) as (caller, settings):
            for app in await _registry(caller, settings).list():
                print(f"{app.app}\t{app.client_key or '-'}")
            if not settings.client_key:
                _tell(
                    f"the client key of {FIRST_APP} is not known here; it is in READSTATE_CLIENT_KEY of the service, or its data directory"
                )

    asyncio.run(show())
    return 0


def _deliver(args: argparse.Namespace) -> int:
    from service.deliver import check_receiver, deliver

    if args.parent is not None:
        end_with_parent(args.parent, signal.SIGTERM)

    settings = Settings.from_environ(os.environ)
    check_receiver(settings)
    logs.configure(settings.log_level)

    async def run() -> None:
        # It may be started together with the service itself.
        async with existing_store(logger.info, served=False) as (caller, settings):
            await deliver(caller, settings)

    uvloop.run(run())
    return 0


def _list_dead_letters(_args: argparse.Namespace) -> int:
    async def show() -> None:
        async with existing_store(_tell) as (caller, _):
            async for letter in RedisEvents(caller).dead_letters():
                print(_letter_line(letter))

    asyncio.run(show())
    return 0


def _letter_line(letter: DeadLetter) -> str:
    event, at = letter.event, datetime.fromtimestamp(letter.at_ms / 1000, UTC)
    place = f"app {event.app} room {event.room} member {event.member} seq {event.seq}"
    return f"{event.id}\t{at:%Y-%m-%dT%H:%M:%SZ}\t{letter.attempts} attempt(s)\t{place}\t{letter.reason}"


def _replay_dead_letters(args: argparse.Namespace) -> int:
    async def replay() -> None:
        async with existing_store(_tell) as (caller, _):
            events = RedisEvents(caller)
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
        raise Invalid("id", f"there is no dead letter {' nor '.join(missing)}; `readstate webhooks list` prints those that there are")


def _registry(caller: Caller, settings: Settings) -> AppRegistry:
    return AppRegistry(caller, client_key=settings.client_key, api_key=settings.api_key)


def _tell(sentence: str) -> None:
    print(f"readstate: {sentence}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
