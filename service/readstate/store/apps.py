"""Apps (tenants) as Redis keeps them, and their keys and generations in the memory of a worker.

Where several keys change, the order of the writes makes sure that a crash in between leaves
something valid, which the same call completes when it is repeated.
"""

import asyncio
import hashlib
import logging
import re
import secrets
from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from readstate.domain.identity import FIRST_APP, App
from readstate.errors import Invalid
from readstate.fresh_secrets import fresh_secret
from readstate.store import lua
from readstate.store.executor import Executor, by_field
from readstate.store.keys import Keys

admin_log = logging.getLogger("readstate.admin")

_NAME = re.compile(r"[a-z0-9-]{1,32}")
_GENERATIONS = 2**53  # every language reads smaller ones as exact numbers


class _StoredApp(Struct, frozen=True, array_like=True):
    """A value of the apps hash.

    Its generation counts only for an app that has none in the hash of generations, which is newer.
    """

    client_key: str
    api_key_digest: str
    generation: int


_pack = msgspec.msgpack.Encoder().encode
_stored_app = msgspec.msgpack.Decoder(_StoredApp).decode


class NewApp(Struct, frozen=True):
    """An app just added or rotated, with the secret that is shown only now."""

    app: str
    client_key: str
    api_key: str


class AppRegistry:
    """`domain.identity.Apps`: the first app from the settings, the others from Redis.

    `refresh` reads them again. The first app's old keys ("" for none) are accepted as well. A key
    is found by its digest, so the time that it takes does not tell how much of a guess was right.
    Also adds, rotates and removes apps.
    """

    def __init__(
        self, executor: Executor, *, client_key: str, api_key: str, old_client_key: str = "", old_api_key: str = ""
    ) -> None:
        self._executor = executor
        self._first = App(FIRST_APP, client_key, _sha256(api_key.encode()).hex(), 0)
        self._old_client_key = old_client_key
        self._old_api_key = old_api_key
        self._apps: dict[str, App] = {}
        self._is_read = False
        self._by_client_key: dict[bytes, App] = {}
        self._by_api_key: dict[bytes, App] = {}
        self._replace([self._first], {})

    # domain.identity.Apps

    def get(self, app: str) -> App | None:
        return self._apps.get(app)

    def all(self) -> Sequence[App]:
        return list(self._apps.values())

    def several(self) -> bool:
        return len(self._apps) > 1

    def by_client_key(self, client_key: bytes) -> App | None:
        return self._by_client_key.get(client_key)

    def by_api_key(self, api_key: bytes) -> App | None:
        return self._by_api_key.get(_sha256(api_key))

    async def refresh(self) -> None:
        """Read the apps, their keys and generations again. To be called every two seconds."""
        # The old keys last: a rotation stores the old key before it writes the new one.
        apps = await self.list()
        old_digests = await self._old_digests(apps)
        if self._is_read:
            _log_changes(self._apps, apps)
        self._is_read = True
        self._replace(apps, old_digests)

    # For `readstate apps` and `readstate tokens`

    async def list(self) -> Sequence[App]:
        """All apps, the first one first."""
        # The generations last: a new app gets its generation first.
        stored = await self._hash(Keys.apps)
        generations = await self._hash(Keys.generations)
        first = msgspec.structs.replace(self._first, generation=int(generations.get(FIRST_APP, 0)))
        return [first, *(_app(name, value, generations) for name, value in sorted(stored.items()))]

    async def add(self, app: str, *, keep_data: bool = False) -> NewApp:
        """Add an app under a name that is free. Only the answer holds its secret.

        `keep_data`: take over the data of an earlier app of this name, but no token and no key.
        Raises Invalid.
        """
        if not _NAME.fullmatch(app):
            raise Invalid("app", "an app's name must be 1 to 32 lower-case letters, digits and hyphens")
        if app == FIRST_APP or await self._executor.command("HEXISTS", Keys.apps, app, key=Keys.apps):
            raise Invalid("app", f"there is an app {app} already; rotate it to get a new key")
        if not keep_data and await self._has_been(app):
            raise Invalid(
                "app",
                f"the data of an earlier app {app} is still there; take another name, or this one with --keep-data",
            )
        new = NewApp(app, fresh_secret(24), fresh_secret(32))
        generation = await self._begin_generation(app)
        await self._forget_old_key(app)
        stored = _pack(_StoredApp(new.client_key, _digest(new.api_key), generation))
        if not await self._executor.command("HSETNX", Keys.apps, app, stored, key=Keys.apps):
            raise Invalid("app", f"there is an app {app} already; rotate it to get a new key")
        return new

    async def rotate(self, app: str, *, keep_old_for_s: int = 0) -> NewApp:
        """Give an app a new API key. Tokens stay. Raises Invalid.

        The present key ends within seconds, or after `keep_old_for_s` by the store's clock. An
        older key that was still accepted ends now.
        """
        known = await self._stored(app)
        new = NewApp(app, known.client_key, fresh_secret(32))
        if keep_old_for_s:
            key = Keys.old_api_key(app)
            await self._executor.command("SET", key, known.api_key_digest, "EX", keep_old_for_s, key=key)
        else:
            await self._forget_old_key(app)
        await self._set(Keys.apps, app, _pack(_StoredApp(new.client_key, _digest(new.api_key), known.generation)))
        return new

    async def end_tokens(self, app: str) -> None:
        """Make every present token of the app's users void within seconds, issued or bound.

        Raises Invalid.
        """
        await self.check(app)
        await self._begin_generation(app)

    async def check(self, app: str) -> None:
        """Raises Invalid when there is no such app."""
        if app != FIRST_APP:
            await self._stored(app)

    async def remove(self, app: str) -> None:
        """Remove an app; its data stays. Raises Invalid."""
        if app == FIRST_APP:
            raise Invalid(
                "app", f"{FIRST_APP} is the app of the settings, which every service has; it cannot be removed"
            )
        known = await self._stored(app)
        # So that the name is known as used, whichever version has added the app.
        await self._set(Keys.generations, app, b"%d" % known.generation, how="HSETNX")
        await self._executor.command("HDEL", Keys.apps, app, key=Keys.apps)
        await self._forget_old_key(app)

    async def _stored(self, app: str) -> _StoredApp:
        if app == FIRST_APP:
            raise Invalid(
                "app",
                f"the API key of {FIRST_APP} is in READSTATE_API_KEY, or in the file api_key of the data directory; "
                "docs/keys.md says how to change it",
            )
        stored = await self._executor.command("HGET", Keys.apps, app, key=Keys.apps)
        if stored is None:
            raise Invalid("app", f"there is no app {app}")
        return _stored_app(stored)

    async def _has_been(self, app: str) -> bool:
        """Whether there was an app of this name.

        An app that was removed before generations were stored is known by the data that it left.
        """
        if await self._executor.command("HEXISTS", Keys.generations, app, key=Keys.generations):
            return True
        async for _ in self._executor.scan(Keys.everything_of(app)):
            return True
        return False

    async def _begin_generation(self, app: str) -> int:
        """Store and return a new generation, which no token of the app has."""
        generation = 1 + secrets.randbelow(_GENERATIONS - 1)
        await self._set(Keys.generations, app, b"%d" % generation)
        return generation

    async def _set(self, key: str, app: str, value: bytes, how: str = "HSET") -> None:
        """Set a field, also when the store is full: an app that fills it must be locked out."""
        await self._executor.call(lua.set_hash_field(field=app, value=value, command=how), key)

    async def _forget_old_key(self, app: str) -> None:
        key = Keys.old_api_key(app)
        await self._executor.command("DEL", key, key=key)

    async def _hash(self, key: str) -> dict[str, bytes]:
        fields = by_field(await self._executor.command("HGETALL", key, key=key))
        return {name.decode(): value for name, value in fields.items()}

    async def _old_digests(self, apps: Sequence[App]) -> dict[bytes, App]:
        """The apps whose old key is still accepted, by its digest."""
        _, *others = apps  # the first one's is in the settings
        keys = [Keys.old_api_key(app.app) for app in others]
        found = await asyncio.gather(*(self._executor.command("GET", key, key=key) for key in keys))
        return {
            bytes.fromhex(digest.decode()): app for app, digest in zip(others, found, strict=True) if digest is not None
        }

    def _replace(self, apps: Sequence[App], old_digests: Mapping[bytes, App]) -> None:
        self._apps = {app.app: app for app in apps}
        self._by_client_key = {app.client_key.encode(): app for app in reversed(apps)}
        self._by_api_key = {**old_digests, **{bytes.fromhex(app.api_key_digest): app for app in reversed(apps)}}
        if self._old_client_key:
            self._by_client_key.setdefault(self._old_client_key.encode(), apps[0])
        if self._old_api_key:
            self._by_api_key.setdefault(_sha256(self._old_api_key.encode()), apps[0])


def _log_changes(before: Mapping[str, App], now: Sequence[App]) -> None:
    """Log what an administrator has changed, by whatever command and on whatever machine."""
    for app in now:
        known, extra = before.get(app.app), {"app": app.app}
        if known is None:
            admin_log.info("an app was added", extra=extra)
            continue
        if known.api_key_digest != app.api_key_digest:
            admin_log.info("the API key of an app was replaced", extra=extra)
        if known.generation != app.generation:
            admin_log.info("all tokens of an app were ended", extra=extra)
    for name in before.keys() - {app.app for app in now}:
        admin_log.info("an app was removed", extra={"app": name})


def _app(name: str, stored: bytes, generations: Mapping[str, bytes]) -> App:
    app = _stored_app(stored)
    return App(name, app.client_key, app.api_key_digest, int(generations.get(name, app.generation)))


def _digest(key: str) -> str:
    return _sha256(key.encode()).hex()


def _sha256(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()
