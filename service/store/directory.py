"""Users, tokens and apps as Redis keeps them. Plain commands: nothing here has to change together with read state.

Where several keys change, the order of the writes says what a crash in between leaves: something that is right, and that the
same call repeated completes.
"""

import asyncio
import hashlib
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from service.domain.identity import App, IssuedToken, Revocation, Session, User
from service.domain.limits import MAX_PROFILE_FIELDS
from service.domain.notices import TokensRevoked, encode_notice
from service.errors import Invalid, TokenConflict, TokenUnknown, UserUnknown
from service.store.connect import Caller
from service.store.keys import Keys

FIRST_APP = "default"  # the app of the settings
MAX_LIVE_TOKENS = 256  # per user; the one that ends soonest goes first
SOCKET_LIFE_S = 8 * 86_400  # how long a revoked custom token is remembered: above the life of any connection that used it

_UPDATED = "#updated"  # beside the profile fields, whose names never begin like this
_APP_NAME = re.compile(r"[a-z0-9-]{1,32}")


class _Issued(Struct, frozen=True, array_like=True):
    """One entry of a user's tokens."""

    created_ms: int
    expires_s: int
    digest: str  # of a custom token, else ""


class _Bound(Struct, frozen=True, array_like=True):
    """What a custom token's key holds."""

    user: str
    token_id: str
    expires_s: int


class _Revoked(Struct, frozen=True, array_like=True):
    """A member of the revocations."""

    user: str
    token_id: str
    expires_s: int


class _StoredApp(Struct, frozen=True, array_like=True):
    """A value of the apps hash."""

    client_key: str
    api_key_digest: str
    generation: int


_pack = msgspec.msgpack.Encoder().encode
_issued = msgspec.msgpack.Decoder(_Issued).decode
_bound = msgspec.msgpack.Decoder(_Bound).decode
_revoked = msgspec.msgpack.Decoder(_Revoked).decode
_stored_app = msgspec.msgpack.Decoder(_StoredApp).decode


class RedisDirectory:
    """`domain.identity.Directory` on Redis."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    # Users

    async def upsert_user(self, *, app: str, user: str, profile: Mapping[str, bytes]) -> User:
        """Set some profile fields; the others stay. Raises Invalid when there would be more than MAX_PROFILE_FIELDS."""
        key, now_ms = Keys.user_profile(app, user), time.time_ns() // 1_000_000
        before = await self._profile(key)
        merged = {**(before.profile if before else {}), **profile}
        if len(merged) > MAX_PROFILE_FIELDS:
            raise Invalid("profile", f"a user must have at most {MAX_PROFILE_FIELDS} profile fields")
        fields = [part for field in profile.items() for part in field]
        await self._caller.command("HSET", key, _UPDATED, now_ms, *fields, key=key)
        return User(user, merged, now_ms)

    async def user(self, *, app: str, user: str) -> User:
        found = await self._profile(Keys.user_profile(app, user))
        if found is None:
            raise UserUnknown(user)
        return msgspec.structs.replace(found, user=user)

    async def users(self, *, app: str, users: Sequence[str]) -> dict[str, User]:
        profiles = await asyncio.gather(*(self._profile(Keys.user_profile(app, user)) for user in users))
        return {user: msgspec.structs.replace(found, user=user) for user, found in zip(users, profiles, strict=True) if found}

    async def known(self, *, app: str, users: Sequence[str]) -> set[str]:
        keys = [Keys.user_profile(app, user) for user in users]
        there = await asyncio.gather(*(self._caller.command("EXISTS", key, key=key) for key in keys))
        return {user for user, exists in zip(users, there, strict=True) if exists}

    async def _profile(self, key: str) -> User | None:
        fields = _pairs(await self._caller.command("HGETALL", key, key=key))
        if not fields:
            return None
        updated_ms = int(fields.pop(_UPDATED.encode(), b"0"))
        return User("", {name.decode(): value for name, value in fields.items()}, updated_ms)

    # Tokens

    async def remember_token(self, *, app: str, user: str, token_id: str, created_ms: int, expires_s: int) -> None:
        await self._remember(app, user, token_id, _Issued(created_ms, expires_s, ""))
        await self._keep_few(app, user)

    async def bind_token(
        self, *, app: str, user: str, digest: str, token_id: str, created_ms: int, expires_s: int, replaces: bool = False
    ) -> None:
        await self._check_known(app, user)
        earlier = await self._tokens(app, user) if replaces else {}
        key, value = Keys.bound_token(app, digest), _pack(_Bound(user, token_id, expires_s))
        # Remembered first: should we crash now, the user's list names a token that nobody can use, which revoking cleans up.
        await self._remember(app, user, token_id, _Issued(created_ms, expires_s, digest))
        if not await self._caller.command("SET", key, value, "PXAT", expires_s * 1000, "NX", key=key):
            await self._rebind(app, user, digest, token_id, value, expires_s)
        await self._revoke(app, user, {known: one for known, one in earlier.items() if one.digest}, keep=digest)

    async def _rebind(self, app: str, user: str, digest: str, token_id: str, value: bytes, expires_s: int) -> None:
        """The custom token is bound already: to this user it gets its new end, to another it stays."""
        key, mine = Keys.bound_token(app, digest), Keys.user_tokens(app, user)
        held = await self._caller.command("GET", key, key=key)
        if held is not None and (owner := _bound(held)).user != user:
            await self._caller.command("HDEL", mine, token_id, key=mine)
            raise TokenConflict(f"the token belongs to {owner.user}")
        await self._caller.command("SET", key, value, "PXAT", expires_s * 1000, key=key)
        if held is not None:
            await self._caller.command("HDEL", mine, _bound(held).token_id, key=mine)

    async def bound_token(self, *, app: str, digest: str) -> Session | None:
        key = Keys.bound_token(app, digest)
        held = await self._caller.command("GET", key, key=key)
        if held is None:
            return None
        bound = _bound(held)
        return Session(app, bound.user, bound.token_id, bound.expires_s)

    async def revoke_tokens(self, *, app: str, user: str, token_id: str) -> list[IssuedToken]:
        await self._check_known(app, user)
        live = await self._tokens(app, user)
        if token_id:
            if token_id not in live:
                raise TokenUnknown("no such token of this user")
            live = {token_id: live[token_id]}
        await self._revoke(app, user, live)
        return [IssuedToken("", known, one.created_ms, one.expires_s, bool(one.digest)) for known, one in live.items()]

    async def revocations(self, *, app: str, since_ms: int) -> list[Revocation]:
        key, now = Keys.revocations(app), int(time.time())
        found = await self._caller.command("ZRANGE", key, since_ms, "+inf", "BYSCORE", "WITHSCORES", key=key)
        entries = [(_revoked(member), int(float(score))) for member, score in _pairs(found).items()]
        return [Revocation(one.user, one.token_id, one.expires_s, at_ms) for one, at_ms in entries if one.expires_s > now]

    async def _check_known(self, app: str, user: str) -> None:
        key = Keys.user_profile(app, user)
        if not await self._caller.command("EXISTS", key, key=key):
            raise UserUnknown(user)

    async def _remember(self, app: str, user: str, token_id: str, token: _Issued) -> None:
        key = Keys.user_tokens(app, user)
        await self._caller.command("HSET", key, token_id, _pack(token), key=key)
        # Never sooner than its longest token; NX for the first, since GT takes a key without an end for an endless one.
        await self._caller.command("EXPIREAT", key, token.expires_s, "NX", key=key)
        await self._caller.command("EXPIREAT", key, token.expires_s, "GT", key=key)

    async def _keep_few(self, app: str, user: str) -> None:
        key = Keys.user_tokens(app, user)
        if await self._caller.command("HLEN", key, key=key) <= MAX_LIVE_TOKENS:
            return
        live = await self._tokens(app, user)
        oldest_first = sorted(live.items(), key=lambda entry: entry[1].expires_s)
        await self._revoke(app, user, dict(oldest_first[: max(0, len(live) - MAX_LIVE_TOKENS)]))

    async def _tokens(self, app: str, user: str) -> dict[str, _Issued]:
        """The user's tokens that have not ended; those that have are forgotten on the way."""
        key, now = Keys.user_tokens(app, user), int(time.time())
        tokens = {name.decode(): _issued(value) for name, value in _pairs(await self._caller.command("HGETALL", key, key=key)).items()}
        ended = [token_id for token_id, token in tokens.items() if token.expires_s <= now]
        if ended:
            await self._caller.command("HDEL", key, *ended, key=key)
        return {token_id: token for token_id, token in tokens.items() if token.expires_s > now}

    async def _revoke(self, app: str, user: str, tokens: Mapping[str, _Issued], keep: str = "") -> None:
        """Make `tokens` void: first for everybody who checks, then by notice for open connections; forgotten last.

        The custom token with the digest `keep` has been bound again and stays.
        """
        if not tokens:
            return
        now_ms, now = time.time_ns() // 1_000_000, int(time.time())
        key, mine = Keys.revocations(app), Keys.user_tokens(app, user)
        members: list[int | bytes] = []
        for token_id, token in tokens.items():
            expires_s = min(token.expires_s, now + SOCKET_LIFE_S) if token.digest else token.expires_s
            members += [now_ms, _pack(_Revoked(user, token_id, expires_s))]
        for digest in {token.digest for token in tokens.values()} - {"", keep}:
            await self._forget_bound(app, user, digest)
        await self._caller.command("ZADD", key, *members, key=key)
        for token_id in tokens:
            notice = encode_notice(TokensRevoked(user, token_id, now))
            await self._caller.command("PUBLISH", Keys.notices(app), notice, key=key)
        await self._caller.command("HDEL", mine, *tokens, key=mine)
        await self._forget_ended(key, now)

    async def _forget_bound(self, app: str, user: str, digest: str) -> None:
        key = Keys.bound_token(app, digest)
        held = await self._caller.command("GET", key, key=key)
        if held is not None and _bound(held).user == user:
            await self._caller.command("DEL", key, key=key)

    async def _forget_ended(self, key: str, now: int) -> None:
        """Drop the oldest revocations whose tokens have ended by themselves; a few at each revocation keep the set small."""
        oldest = await self._caller.command("ZRANGE", key, 0, 19, key=key)
        ended = [member for member in oldest if _revoked(member).expires_s <= now]
        if ended:
            await self._caller.command("ZREM", key, *ended, key=key)


class NewApp(Struct, frozen=True):
    """An app just added or rotated, with the secret that is shown only now."""

    app: str
    client_key: str
    api_key: str


class AppRegistry:
    """`domain.identity.Apps`: the first app from the settings, the others from Redis, looked at again by `refresh`.

    A key is found by its digest, so the time that takes says nothing about how much of a guess was right. Also what adds, rotates
    and removes apps.
    """

    def __init__(self, caller: Caller, *, client_key: str, api_key: str) -> None:
        self._caller = caller
        self._first = App(FIRST_APP, client_key, _sha256(api_key.encode()).hex(), 0)
        self._apps: dict[str, App] = {}
        self._by_client_key: dict[bytes, App] = {}
        self._by_api_key: dict[bytes, App] = {}
        self._take([])

    # domain.identity.Apps

    def get(self, app: str) -> App | None:
        return self._apps.get(app)

    def all(self) -> Sequence[App]:
        return list(self._apps.values())

    def by_client_key(self, client_key: bytes) -> App | None:
        return self._by_client_key.get(_sha256(client_key))

    def by_api_key(self, api_key: bytes) -> App | None:
        return self._by_api_key.get(_sha256(api_key))

    async def refresh(self) -> None:
        """Take over what was added, rotated or removed; to be called every two seconds."""
        self._take(await self._stored())

    # What `readstate apps` does

    async def list(self) -> Sequence[App]:
        """All apps, the first one first."""
        return [self._first, *await self._stored()]

    async def add(self, app: str) -> NewApp:
        """Add an app under a name that is free; its secret is known only from the answer. Raises Invalid."""
        if not _APP_NAME.fullmatch(app):
            raise Invalid("app", "an app's name must be 1 to 32 lower-case letters, digits and hyphens")
        new = NewApp(app, secrets.token_urlsafe(24), secrets.token_urlsafe(32))
        stored = _pack(_StoredApp(new.client_key, _sha256(new.api_key.encode()).hex(), 1))
        if app == FIRST_APP or not await self._caller.command("HSETNX", Keys.apps, app, stored, key=Keys.apps):
            raise Invalid("app", f"there is an app {app} already; rotate it to get a new key")
        return new

    async def rotate(self, app: str) -> NewApp:
        """A new API key for an app; the old one and every user token of the app are void within seconds. Raises Invalid."""
        known = await self._known(app)
        new = NewApp(app, known.client_key, secrets.token_urlsafe(32))
        stored = _pack(_StoredApp(new.client_key, _sha256(new.api_key.encode()).hex(), known.generation + 1))
        await self._caller.command("HSET", Keys.apps, app, stored, key=Keys.apps)
        return new

    async def remove(self, app: str) -> None:
        """Shut an app out; what it stored stays. Raises Invalid."""
        await self._known(app)
        await self._caller.command("HDEL", Keys.apps, app, key=Keys.apps)

    async def _known(self, app: str) -> App:
        if app == FIRST_APP:
            raise Invalid("app", f"the keys of {FIRST_APP} are in the settings; change READSTATE_API_KEY and restart")
        stored = await self._caller.command("HGET", Keys.apps, app, key=Keys.apps)
        if stored is None:
            raise Invalid("app", f"there is no app {app}")
        return _app(app, stored)

    async def _stored(self) -> Sequence[App]:
        stored = _pairs(await self._caller.command("HGETALL", Keys.apps, key=Keys.apps))
        return [_app(name.decode(), value) for name, value in sorted(stored.items())]

    def _take(self, stored: Sequence[App]) -> None:
        apps = [self._first, *stored]
        self._apps = {app.app: app for app in apps}
        self._by_client_key = {_sha256(app.client_key.encode()): app for app in reversed(apps)}
        self._by_api_key = {bytes.fromhex(app.api_key_digest): app for app in reversed(apps)}


def _app(name: str, stored: bytes) -> App:
    app = _stored_app(stored)
    return App(name, app.client_key, app.api_key_digest, app.generation)


def _sha256(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()


def _pairs(reply: Any) -> dict[Any, Any]:
    """A reply of names and values in turn, as a dict."""
    return dict(zip(reply[::2], reply[1::2], strict=True))
