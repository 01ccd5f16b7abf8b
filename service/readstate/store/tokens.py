"""Tokens as Redis keeps them, and what was revoked.

Plain commands, because nothing here has to change together with read state. Where several keys
change, the order of the writes makes sure that a crash in between leaves something valid, which the
same call completes when it is repeated.
"""

from collections.abc import Mapping

import msgspec
from msgspec import Struct

from readstate.domain.identity import FIRST_APP, IssuedToken, Revocation, Revocations, Session
from readstate.domain.notices import TokensRevoked, encode_notice
from readstate.errors import TokenConflict, TokenUnknown, UserUnknown
from readstate.store import lua
from readstate.store.executor import Executor, by_field
from readstate.store.keys import Keys

MAX_LIVE_TOKENS = 256  # per user; the one that ends soonest goes first
# How long a revoked custom token is remembered: above the life of any connection that used it.
SOCKET_LIFE_S = 8 * 86_400
# A host whose clock is behind the store's by less still hears of every revocation that counts
# there.
MARGIN_S = 3600


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
    # Of its binding. None: it was bound before generations were stored, and counts only in an app
    # whose tokens never ended.
    generation: int | None = None


_pack = msgspec.msgpack.Encoder().encode
_issued = msgspec.msgpack.Decoder(_Issued).decode
_bound = msgspec.msgpack.Decoder(_Bound).decode


class RedisTokens:
    """`domain.identity.TokenStore` on Redis."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    async def remember_token(self, *, app: str, user: str, token_id: str, created_ms: int, expires_s: int) -> None:
        await self._remember(app, user, token_id, _Issued(created_ms, expires_s, ""))
        await self._keep_few(app, user)

    async def bind_token(
        self, *, app: str, user: str, digest: str, token: IssuedToken, generation: int, replaces: bool = False
    ) -> None:
        await self._check_known(app, user)
        mine, key = Keys.user_tokens(app, user), Keys.bound_token(app, digest)
        now_s = await self._now_s(mine)
        earlier = await self._tokens(app, user, now_s) if replaces else {}
        bound = _Bound(user, token.token_id, token.expires_s, generation)
        # Remembered first: after a crash here the list names a token without use, which revoking
        # removes.
        await self._remember(app, user, token.token_id, _Issued(token.created_ms, token.expires_s, digest))
        if not await self._executor.command("SET", key, _pack(bound), "PXAT", bound.expires_s * 1000, "NX", key=key):
            await self._rebind(app, digest, bound)
        await self._revoke(app, user, {known: one for known, one in earlier.items() if one.digest}, now_s, keep=digest)

    async def _rebind(self, app: str, digest: str, bound: _Bound) -> None:
        """Bind a custom token that is bound already.

        One of this user gets its new end. One of another user stays, unless it is void.
        """
        key, mine = Keys.bound_token(app, digest), Keys.user_tokens(app, bound.user)
        held = await self._executor.command("GET", key, key=key)
        if (
            held is not None
            and (owner := _bound(held)).user != bound.user
            and _generation(app, owner) == bound.generation
        ):
            await self._executor.command("HDEL", mine, bound.token_id, key=mine)
            raise TokenConflict(f"the token belongs to {owner.user}")
        await self._executor.command("SET", key, _pack(bound), "PXAT", bound.expires_s * 1000, key=key)
        if held is not None:
            await self._executor.command("HDEL", mine, _bound(held).token_id, key=mine)

    async def bound_token(self, *, app: str, digest: str) -> Session | None:
        key = Keys.bound_token(app, digest)
        held = await self._executor.command("GET", key, key=key)
        if held is None:
            return None
        bound = _bound(held)
        return Session(app, bound.user, bound.token_id, bound.expires_s, _generation(app, bound))

    async def revoke_tokens(self, *, app: str, user: str, token_id: str | None) -> list[IssuedToken]:
        await self._check_known(app, user)
        now_s = await self._now_s(Keys.user_tokens(app, user))
        live = await self._tokens(app, user, now_s)
        if token_id is not None:
            if token_id not in live:
                raise TokenUnknown("no such token of this user")
            live = {token_id: live[token_id]}
        await self._revoke(app, user, live, now_s)
        return _listed(live)

    async def tokens(self, *, app: str, user: str) -> list[IssuedToken]:
        """The user's tokens that have not ended, without their texts."""
        live = await self._tokens(app, user, await self._now_s(Keys.user_tokens(app, user)))
        return _listed(live)

    async def revocations(self, *, app: str, since: int) -> Revocations:
        return await self._executor.call(lua.revocations(since=since), Keys.revocations(app))

    async def _now_s(self, key: str) -> int:
        """The clock of the store, at `key`.

        What is void or over must not depend on a host's clock.
        """
        seconds, _ = await self._executor.command("TIME", key=key)
        return int(seconds)

    async def _check_known(self, app: str, user: str) -> None:
        key = Keys.user_profile(app, user)
        if not await self._executor.command("EXISTS", key, key=key):
            raise UserUnknown(user)

    async def _remember(self, app: str, user: str, token_id: str, token: _Issued) -> None:
        key = Keys.user_tokens(app, user)
        await self._executor.command("HSET", key, token_id, _pack(token), key=key)
        # Never sooner than its longest token. NX for the first: GT takes a key without an end for
        # an endless one.
        await self._executor.command("EXPIREAT", key, token.expires_s, "NX", key=key)
        await self._executor.command("EXPIREAT", key, token.expires_s, "GT", key=key)

    async def _keep_few(self, app: str, user: str) -> None:
        key = Keys.user_tokens(app, user)
        if await self._executor.command("HLEN", key, key=key) <= MAX_LIVE_TOKENS:
            return
        now_s = await self._now_s(key)
        live = await self._tokens(app, user, now_s)
        oldest_first = sorted(live.items(), key=lambda entry: entry[1].expires_s)
        await self._revoke(app, user, dict(oldest_first[: max(0, len(live) - MAX_LIVE_TOKENS)]), now_s)

    async def _tokens(self, app: str, user: str, now_s: int) -> dict[str, _Issued]:
        """The user's tokens that have not ended; those that have are forgotten on the way."""
        key = Keys.user_tokens(app, user)
        tokens = {
            name.decode(): _issued(value)
            for name, value in by_field(await self._executor.command("HGETALL", key, key=key)).items()
        }
        ended = [token_id for token_id, token in tokens.items() if token.expires_s <= now_s]
        if ended:
            await self._executor.command("HDEL", key, *ended, key=key)
        return {token_id: token for token_id, token in tokens.items() if token.expires_s > now_s}

    async def _revoke(self, app: str, user: str, tokens: Mapping[str, _Issued], now_s: int, keep: str = "") -> None:
        """Make `tokens` void: first for all checks, then by notice for open connections.

        Forget them last. The custom token with the digest `keep` has been bound again and stays.
        """
        if not tokens:
            return
        key, mine = Keys.revocations(app), Keys.user_tokens(app, user)
        for digest in {token.digest for token in tokens.values()} - {"", keep}:
            await self._forget_bound(app, user, digest)
        ends = {
            known: min(one.expires_s, now_s + SOCKET_LIFE_S) if one.digest else one.expires_s
            for known, one in tokens.items()
        }
        revoked = [_pack(Revocation(user, token_id, expires_s)) for token_id, expires_s in ends.items()]
        await self._executor.call(lua.revoke(margin_s=MARGIN_S, revoked=revoked), key)
        channel = Keys.user(app, user)
        for token_id in tokens:
            notice = encode_notice(TokensRevoked(user, token_id, now_s))
            await self._executor.command("SPUBLISH", channel, notice, key=channel)
        await self._executor.command("HDEL", mine, *tokens, key=mine)

    async def _forget_bound(self, app: str, user: str, digest: str) -> None:
        key = Keys.bound_token(app, digest)
        held = await self._executor.command("GET", key, key=key)
        if held is not None and _bound(held).user == user:
            await self._executor.command("DEL", key, key=key)


def _listed(tokens: Mapping[str, _Issued]) -> list[IssuedToken]:
    """Without their texts."""
    return [IssuedToken("", known, one.created_ms, one.expires_s, bool(one.digest)) for known, one in tokens.items()]


def _generation(app: str, bound: _Bound) -> int:
    """Of a custom token's binding.

    Before it was stored, the first app began with 0, the others with 1.
    """
    return bound.generation if bound.generation is not None else int(app != FIRST_APP)
