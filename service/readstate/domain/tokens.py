"""User tokens: issued by us (signed, so that a check needs no round trip) or bound by the backend
(looked up by digest).

A token is checked at every use for its expiry, its app's generation and its revocation. Workers
poll for revocations: a revoked token is refused by every worker within `POLL_S` plus one round
trip, and at once by the worker that revoked it. How far a worker has read the revocations is a
position of the store, so a wrong clock of a host loses none.
"""

import asyncio
import hashlib
import hmac
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from functools import lru_cache
from typing import Annotated

import jwt
import msgspec
from cachetools import FIFOCache, TTLCache
from msgspec import Meta, Struct

from readstate.domain.identity import App, Apps, IssuedToken, Session, TokenStore
from readstate.domain.limits import check_id, new_id
from readstate.errors import Invalid, TokenConflict, TokenUnknown

POLL_S = 2.0  # between two questions for revocations
OVERLAP_MS = 10_000  # read again: after a failover positions go on by another node's clock
BOUND_CACHE_S = 4.0  # how long a custom token found valid is believed
CACHED_TOKENS = 50_000  # per worker; the oldest goes first
MIN_BOUND_CHARS = 16
MAX_TOKEN_CHARS = 4096
MAX_ISSUED_CHARS = 2048  # the longest user id, every byte escaped, and the rest
MAX_EXPIRY_S = 253_402_300_799  # the end of the year 9999

_DAY_S = 86_400
_ALGORITHM = "HS256"
_JWS = jwt.PyJWS(algorithms=[_ALGORITHM])


class _Claims(Struct, frozen=True):
    """What an issued token says. Others may be signed with the same key, so it is checked."""

    id: str
    jti: Annotated[str, Meta(pattern=r"\A[\x21-\x7e]{1,64}\Z")]
    exp: Annotated[int, Meta(ge=0, le=MAX_EXPIRY_S)]  # Unix seconds
    nbf: Annotated[int, Meta(ge=0, le=MAX_EXPIRY_S)] = 0


_decode_claims = msgspec.json.Decoder(_Claims).decode


class Tokens:
    """Issues and checks tokens for all apps.

    `secret`: the deployment's token secret. Every app's signing key is derived from it and from the
        app's generation, so that a token is void in another app and in another generation.
    `old_secret`: tokens that were signed with it are valid as well; no new ones are ("" for none).
    `life_days`: how long an issued token lives.
    `now`: gives Unix seconds.
    """

    def __init__(
        self,
        store: TokenStore,
        apps: Apps,
        *,
        secret: str,
        old_secret: str = "",
        life_days: int = 7,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._apps = apps
        self._secret = secret.encode()
        self._accepted = [given.encode() for given in (secret, old_secret) if given]
        self._life_s = life_days * _DAY_S
        self._now = now
        self._issued: FIFOCache[tuple[str, str], Session] = FIFOCache(CACHED_TOKENS)
        self._bound: TTLCache[tuple[str, str], Session] = TTLCache(CACHED_TOKENS, BOUND_CACHE_S, timer=now)
        self._revoked: dict[tuple[str, str], int] = {}
        self._polled_to: dict[str, int] = {}  # the newest position, by app
        self.bindings = 0  # how often a custom token was bound through this worker

    def usual_expiry_s(self) -> int:
        """When a token ends unless its expiry is given (Unix seconds): after `life_days`."""
        return int(self._now()) + self._life_s

    async def issue(self, *, app: str, user: str) -> IssuedToken:
        """A new signed token for `user`, valid for `life_days`. The user's other tokens stay."""
        created_ms = int(self._now() * 1000)
        token = IssuedToken("", new_id(), created_ms, created_ms // 1000 + self._life_s)
        await self._store.remember_token(
            app=app, user=user, token_id=token.token_id, created_ms=created_ms, expires_s=token.expires_s
        )
        return self.signed(app=app, user=user, token=token)

    async def check_bindable(self, *, app: str, user: str, token: str, expires_s: int) -> None:
        """Whether `bind` would succeed, once the user exists. Raises Invalid, TokenConflict."""
        check_bound_token(token)
        if not self._now() < expires_s <= MAX_EXPIRY_S:
            raise Invalid("expirationDate", "expirationDate must be in the future")
        held = await self._store.bound_token(app=app, digest=_digest(token))
        if held is not None and held.user != user and held.generation == self._generation(app):
            raise TokenConflict("the token belongs to another user")

    async def bind(self, *, app: str, user: str, token: str, expires_s: int, replaces: bool = False) -> IssuedToken:
        """Let the backend's own `token` stand for `user` until `expires_s` (Unix seconds).

        `replaces`: the user's earlier custom tokens become void.
        Raises Invalid, UserUnknown, TokenConflict.
        """
        await self.check_bindable(app=app, user=user, token=token, expires_s=expires_s)
        bound = IssuedToken(token, new_id(), int(self._now() * 1000), expires_s, bound=True)
        await self._store.bind_token(
            app=app,
            user=user,
            digest=_digest(token),
            token=bound,
            generation=self._generation(app),
            replaces=replaces,
        )
        # It may have changed custom tokens that this worker has cached.
        self._bound.clear()
        self.bindings += 1
        return bound

    async def verify(self, app: str, token: str) -> Session | None:
        """The session that `token` stands for in `app`; None when it is unknown, expired, revoked
        or of another app.

        An issued token costs no round trip; a custom one costs one every `BOUND_CACHE_S`.
        """
        session = self.known(app, token) or await self.look_up(app, token)
        if session is None or not self.still_valid(session):
            return None
        return session

    def known(self, app: str, token: str) -> Session | None:
        """What `token` stands for, as far as this worker knows: it was issued here, or looked up
        within BOUND_CACHE_S.

        It may have ended meanwhile: see still_valid.
        """
        key = app, token
        try:
            return self._issued[key]
        except KeyError:
            return self._read_issued(app, token) or self._bound.get(key)

    def still_valid(self, session: Session) -> bool:
        """Whether a session that was found valid is valid now, as far as this worker knows."""
        app = self._apps.get(session.app)
        return (
            app is not None
            and app.generation == session.generation
            and session.expires_s > self._now()
            and (session.app, session.token_id) not in self._revoked
        )

    async def revoke(
        self, *, app: str, user: str, token: str | None = None, token_id: str | None = None
    ) -> list[IssuedToken]:
        """Revoke the token given as text or by id; without either, all of the user's. In this
        worker it takes effect at once.

        Returns what was revoked, issued tokens with their text. Raises UserUnknown, TokenUnknown.
        """
        if token is not None:
            token_id = await self._token_id_of(app, user, token)
        revoked = await self._store.revoke_tokens(app=app, user=user, token_id=token_id)
        for one in revoked:
            self._revoked[app, one.token_id] = one.expires_s
        self._bound.clear()
        if token is not None:
            return [IssuedToken(token, one.token_id, one.created_ms, one.expires_s) for one in revoked]
        return [one if one.bound else self.signed(app=app, user=user, token=one) for one in revoked]

    async def end(self, session: Session) -> None:
        """Revoke the token of a session, even one that the store no longer knows."""
        try:
            await self.revoke(app=session.app, user=session.user, token_id=session.token_id)
        except TokenUnknown:
            now_ms = int(self._now() * 1000)
            await self._store.remember_token(
                app=session.app,
                user=session.user,
                token_id=session.token_id,
                created_ms=now_ms,
                expires_s=session.expires_s,
            )
            await self.revoke(app=session.app, user=session.user, token_id=session.token_id)

    async def refresh_revocations(self) -> None:
        """Ask for what was revoked since the last call. Call it every `POLL_S`."""
        store_now_s = await asyncio.gather(*(self._refresh(app.app) for app in self._apps.all()))
        # A host's clock may be ahead, and set right later: what still counts must not be forgotten.
        now_s = min([self._now(), *store_now_s])
        self._revoked = {key: expires_s for key, expires_s in self._revoked.items() if expires_s > now_s}

    async def _refresh(self, app: str) -> int:
        """Take over what was revoked in one app since the last time. Returns the store's time."""
        known = self._polled_to.get(app, 0)
        revoked = await self._store.revocations(app=app, since=max(0, known - OVERLAP_MS))
        if revoked.newest < known:  # the store has lost some, so newer ones may have any position
            revoked = await self._store.revocations(app=app, since=0)
        for revocation in revoked.entries:
            self._revoked[app, revocation.token_id] = revocation.expires_s
        self._polled_to[app] = revoked.newest
        return revoked.now_s

    def signed(self, *, app: str, user: str, token: IssuedToken) -> IssuedToken:
        """The same token with its text: an HS256 JWT of `id`, `iat`, `exp` and `jti`.

        The same facts give the same text.
        """
        claims = {"id": user, "iat": token.created_ms // 1000, "exp": token.expires_s, "jti": token.token_id}
        text = jwt.encode(claims, _key(self._secret, app, self._generation(app)), algorithm=_ALGORITHM)
        return IssuedToken(text, token.token_id, token.created_ms, token.expires_s)

    def _generation(self, app: str) -> int:
        known = self._apps.get(app)
        return known.generation if known else 0

    def _read_issued(self, app: str, token: str) -> Session | None:
        """Check the signature; not the expiry, which is checked at every use of a session."""
        known = self._apps.get(app)
        if known is None or token.count(".") != 2 or len(token) > MAX_ISSUED_CHARS:
            return None
        for secret in self._accepted:
            session = self._signed_with(secret, known, token)
            if session is not None:
                self._issued[app, token] = session
                return session
        return None

    def _signed_with(self, secret: bytes, app: App, token: str) -> Session | None:
        """The session of a token that was signed with `secret`; None if it is malformed."""
        key = _key(secret, app.app, app.generation)
        if not _is_signed(key, token):
            return None
        try:
            payload = _JWS.decode(token, key, algorithms=[_ALGORITHM])
            claims = _decode_claims(payload)
            user = check_id("id", claims.id)
        except (jwt.InvalidTokenError, msgspec.DecodeError, Invalid, ValueError, TypeError, RecursionError):
            return None
        return Session(app.app, user, claims.jti, claims.exp, app.generation) if claims.nbf <= self._now() else None

    async def look_up(self, app: str, token: str) -> Session | None:
        """Ask for a custom token. It may have ended meanwhile: see still_valid."""
        known = self._apps.get(app)
        if known is None or not 1 <= len(token) <= MAX_TOKEN_CHARS:
            return None
        found = await self._store.bound_token(app=app, digest=_digest(token))
        if found is None:
            self._bound.pop((app, token), None)
            return None
        self._bound[app, token] = found
        return found

    async def _token_id_of(self, app: str, user: str, token: str) -> str:
        session = self._read_issued(app, token) or await self._store.bound_token(app=app, digest=_digest(token))
        if session is None or session.user != user:
            raise TokenUnknown("no such token of this user")
        return session.token_id


def check_bound_token(token: str) -> None:
    """A custom token is 16 to 4096 printable ASCII characters without spaces.

    It travels in a header, and must not be guessed. Raises Invalid.
    """
    if not MIN_BOUND_CHARS <= len(token) <= MAX_TOKEN_CHARS or not all(0x21 <= ord(char) < 0x7F for char in token):
        raise Invalid(
            "token", f"token must have {MIN_BOUND_CHARS} to {MAX_TOKEN_CHARS} printable ASCII characters without spaces"
        )


def _is_signed(key: bytes, token: str) -> bool:
    """Whether the signature of a JWT fits its text.

    It is compared before anything is decoded, because a token may have to be tried with every app.
    """
    text, _, signature = token.rpartition(".")
    right = urlsafe_b64encode(hmac.digest(key, text.encode("utf-8", "surrogatepass"), "sha256"))
    return hmac.compare_digest(right.rstrip(b"="), signature.rstrip("=").encode("utf-8", "surrogatepass"))


@lru_cache(maxsize=4096)
def _key(secret: bytes, app: str, generation: int) -> bytes:
    """The key that an app's tokens of a generation are signed with."""
    return hmac.digest(secret, f"{app}:{generation}".encode(), "sha256")


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
