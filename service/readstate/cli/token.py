"""`readstate token`: a token for a user, as the backend gets it of POST /admin/clients."""

import argparse

from readstate.cli.arguments import note, text
from readstate.cli.existing_store import app_registry, on_store
from readstate.domain.identity import FIRST_APP
from readstate.domain.limits import check_id
from readstate.domain.tokens import Tokens
from readstate.errors import Invalid
from readstate.settings import Settings, SettingsError
from readstate.store.executor import Executor
from readstate.store.tokens import RedisTokens
from readstate.store.users import RedisUsers
from readstate.times import iso


def declare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("user", type=text, help="a user that the service knows")
    parser.add_argument("--app", type=text, default=FIRST_APP, help="the user's app (default: the first one)")
    parser.add_argument("--create", action="store_true", help="create the user where there is none")
    parser.set_defaults(run=_issue)


@on_store
async def _issue(args: argparse.Namespace, executor: Executor, settings: Settings) -> None:
    if not settings.token_secret:
        raise SettingsError(
            "the secret that signs tokens is not known here; "
            "give this command the READSTATE_TOKEN_SECRET of the service, or its READSTATE_DATA_DIR"
        )
    registry, users = app_registry(executor, settings), RedisUsers(executor)
    await registry.check(args.app)
    await registry.refresh()
    user = check_id("user", args.user)
    if not await users.known(app=args.app, users=[user]):
        if not args.create:
            raise Invalid("user", f"there is no user {user} in app {args.app}; --create makes one")
        await users.upsert_user(app=args.app, user=user, profile={})
    tokens = Tokens(RedisTokens(executor), registry, secret=settings.token_secret, life_days=settings.token_life_days)
    token = await tokens.issue(app=args.app, user=user)
    print(token.token)
    note(f"it is for {user} of app {args.app}, and ends at {iso(token.expires_s * 1000)}")
