"""`readstate tokens`: ends the tokens of an app or of one user."""

import argparse

from readstate.cli.arguments import text
from readstate.cli.existing_store import app_registry, on_store
from readstate.errors import Invalid, UserUnknown
from readstate.settings import Settings
from readstate.store.executor import Executor
from readstate.store.tokens import RedisTokens

HEARD_WITHIN_S = 5  # by every worker


def declare(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    end = commands.add_parser("end", help="end tokens for good: calls and sockets that use them, within 5 seconds")
    end.add_argument(
        "--app", type=text, required=True, help="all tokens of the users of this app; the first one is called default"
    )
    end.add_argument("--user", type=text, help="only those of this user")
    end.set_defaults(run=_end)


@on_store
async def _end(args: argparse.Namespace, executor: Executor, settings: Settings) -> None:
    registry, whose = app_registry(executor, settings), f"app {args.app}"
    if args.user is None:
        await registry.end_tokens(args.app)
    else:
        await registry.check(args.app)
        await _end_tokens_of(executor, args.app, args.user)
        whose = f"user {args.user} of app {args.app}"
    print(f"all tokens of {whose} end within {HEARD_WITHIN_S} seconds; give out new ones after that")


async def _end_tokens_of(executor: Executor, app: str, user: str) -> None:
    try:
        await RedisTokens(executor).revoke_tokens(app=app, user=user, token_id=None)
    except UserUnknown:
        raise Invalid("user", f"there is no user {user} in app {app}") from None
