"""Users as Redis keeps them."""

import asyncio
import time
from collections.abc import Mapping, Sequence

from readstate.domain.identity import User
from readstate.domain.limits import MAX_PROFILE_FIELDS
from readstate.errors import Invalid, UserUnknown
from readstate.store.executor import Executor, by_field
from readstate.store.keys import Keys

UPDATED = "#updated"  # beside the profile fields, whose names never begin like this


class RedisUsers:
    """`domain.identity.Directory` on Redis."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    async def upsert_user(self, *, app: str, user: str, profile: Mapping[str, bytes]) -> User:
        """Set some profile fields; the others stay.

        Raises Invalid when there would be more than MAX_PROFILE_FIELDS.
        """
        key, now_ms = Keys.user_profile(app, user), time.time_ns() // 1_000_000
        before = await self._found(app, user)
        merged = {**(before.profile if before else {}), **profile}
        if len(merged) > MAX_PROFILE_FIELDS:
            raise Invalid("profile", f"a user must have at most {MAX_PROFILE_FIELDS} profile fields")
        fields = [part for field in profile.items() for part in field]
        await self._executor.command("HSET", key, UPDATED, now_ms, *fields, key=key)
        return User(user, merged, now_ms)

    async def user(self, *, app: str, user: str) -> User:
        found = await self._found(app, user)
        if found is None:
            raise UserUnknown(user)
        return found

    async def users(self, *, app: str, users: Sequence[str]) -> dict[str, User]:
        found = await asyncio.gather(*(self._found(app, user) for user in users))
        return {user.user: user for user in found if user}

    async def known(self, *, app: str, users: Sequence[str]) -> set[str]:
        keys = [Keys.user_profile(app, user) for user in users]
        there = await asyncio.gather(*(self._executor.command("EXISTS", key, key=key) for key in keys))
        return {user for user, exists in zip(users, there, strict=True) if exists}

    async def _found(self, app: str, user: str) -> User | None:
        key = Keys.user_profile(app, user)
        fields = by_field(await self._executor.command("HGETALL", key, key=key))
        if not fields:
            return None
        updated_ms = int(fields.pop(UPDATED.encode(), b"0"))
        return User(user, {name.decode(): value for name, value in fields.items()}, updated_ms)
