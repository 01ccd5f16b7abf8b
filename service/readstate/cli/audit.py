"""`readstate audit`: recomputes what is stored and prints every difference."""

import argparse
import asyncio

from readstate.cli.arguments import many, note, tell_administration, text
from readstate.cli.existing_store import app_registry, existing_store
from readstate.domain.audit import Drift
from readstate.domain.identity import FIRST_APP
from readstate.domain.limits import check_id
from readstate.errors import Invalid
from readstate.store.audit import Compared
from readstate.store.emptied_nodes import forget_emptied
from readstate.store.layout import StoreLayout
from readstate.store.person import RedisPerson
from readstate.store.redis_store import redis_store
from readstate.store.remnants import remnants

DRIFT_FOUND = 1


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--repair", action="store_true", help="mend what differs")
    parser.add_argument(
        "--app", type=text, help="only this app; with --user or --room theirs (default: the first one, called default)"
    )
    one = parser.add_mutually_exclusive_group()
    one.add_argument("--user", type=text, help="only this user")
    one.add_argument("--room", type=text, help="only this room")
    parser.add_argument(
        "--erased", action="store_true", help="with --user: print where the store still tells of them; nothing else"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    if args.erased:
        return _look_for_traces(args)
    drifts, looked = asyncio.run(_find_drifts(args))
    for drift in drifts:
        print(_line(drift, repair=args.repair))
    note(
        f"looked at {many(looked.rooms, 'room')}, {many(looked.users, 'user')}, "
        f"{many(looked.messages, 'message')} and {many(looked.values, 'value')}"
    )
    mended = sum(drift.mended for drift in drifts)
    if args.repair:
        tell_administration("an audit has repaired", **_about(args), differences=len(drifts), mended=mended)
    note(f"{many(len(drifts), 'difference')}{f', {mended:,} mended' if args.repair and drifts else ''}")
    return DRIFT_FOUND if drifts else 0


def _look_for_traces(args: argparse.Namespace) -> int:
    """Print each remnant of a user. Raises Invalid without one."""
    if args.user is None or args.repair:
        raise Invalid("erased", "--erased goes with --user, and without --repair")
    check_id("user", args.user)
    found = asyncio.run(_traces(args))
    note(f"{many(found, 'remnant')} of {args.user}")
    return DRIFT_FOUND if found else 0


async def _traces(args: argparse.Namespace) -> int:
    found, app = 0, args.app or FIRST_APP
    async with existing_store(note) as (executor, settings):
        await app_registry(executor, settings).check(app)
        async for remnant in remnants(executor, app, args.user):
            print(remnant)
            found += 1
    return found


async def _find_drifts(args: argparse.Namespace) -> tuple[list[Drift], Compared]:
    async with existing_store(note) as (executor, settings):
        layout = StoreLayout(executor)
        await layout.look()
        note(f"the data have layout {layout.describe()}")
        app = args.app or FIRST_APP
        if (args.app, args.user, args.room) != (None, None, None):
            await app_registry(executor, settings).check(app)
        if args.user is not None and not await RedisPerson(executor, app, args.user).exists():
            raise Invalid("user", f"there is no user {args.user} in app {app}")
        if args.repair:
            tell_administration("an audit that repairs has begun", **_about(args))
        auditing = redis_store(executor, **settings.bounds()).audit
        if args.user is not None:
            return await auditing.audit_user(app=app, user=args.user, repair=args.repair), auditing.compared
        if args.room is not None:
            drifts = await auditing.audit_room(app=app, room=args.room, repair=args.repair)
            if not auditing.compared.rooms:
                raise Invalid("room", f"there is no room {args.room} in app {app}")
            return drifts, auditing.compared
        drifts = await auditing.audit_all(repair=args.repair, app=args.app)
        if args.repair and args.app is None:
            await forget_emptied(executor)
        return drifts, auditing.compared


def _about(args: argparse.Namespace) -> dict[str, str | None]:
    """What is audited, for the log."""
    return {"app": args.app, "user": args.user, "room": args.room}


def _line(drift: Drift, *, repair: bool) -> str:
    names = [("user", drift.user), ("room", drift.room)]
    whose = " ".join(f"{word} {name}" for word, name in names if name)
    outcome = "" if not repair else "; mended" if drift.mended else "; not mended"
    return f"app {drift.app} {whose} {drift.what}: stored {drift.stored}, right is {drift.expected}{outcome}"
