"""Apps, users and tokens: callers, the same in every dialect."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

FIRST_APP = "default"  # the app of the settings


class App(Struct, frozen=True):
    """A tenant. Only digests of its secrets are kept, except in the settings of the first app."""

    app: str  # [a-z0-9-]{1,32}
    client_key: str  # public, names the app in client calls
    api_key_digest: str  # hex SHA-256 of the backend's key
    # Tokens of another generation are void. It is random, so that none comes twice; that of the
    # first app is 0 until its tokens are ended.
    generation: int


class Apps(Protocol):
    """The apps of this deployment, from memory: changes arrive within a few seconds."""

    def get(self, app: str) -> App | None: ...
    def all(self) -> Sequence[App]: ...
    def several(self) -> bool:
        """Whether there is more than one."""

    def by_client_key(self, client_key: bytes) -> App | None: ...
    def by_api_key(self, api_key: bytes) -> App | None: ...


class User(Struct, frozen=True):
    """A user's small profile, as the backend gave it."""

    user: str
    profile: Mapping[str, bytes]  # field name -> JSON text
    updated_ms: int


class Session(Struct, frozen=True):
    """What a valid token says."""

    app: str
    user: str
    token_id: str
    expires_s: int  # Unix seconds
    generation: int = 0  # of the app when the token was issued or bound


class IssuedToken(Struct, frozen=True):
    """A live token of a user. `token` is "" for a custom token that is known by its digest only."""

    token: str
    token_id: str
    created_ms: int
    expires_s: int
    bound: bool = False  # a custom one


class Revocation(Struct, frozen=True, array_like=True):
    """A token that is void before `expires_s`; until then it has to be remembered."""

    user: str
    token_id: str
    expires_s: int


class Revocations(Struct, frozen=True):
    """What was revoked from some position on. Positions and time are those of the store."""

    now_s: int  # Unix seconds
    newest: int  # position; 0 when nothing was ever revoked
    entries: Sequence[Revocation]


class Directory(Protocol):
    """Users as the store keeps them."""

    async def upsert_user(self, *, app: str, user: str, profile: Mapping[str, bytes]) -> User: ...
    async def user(self, *, app: str, user: str) -> User:
        """Raises UserUnknown."""

    async def users(self, *, app: str, users: Sequence[str]) -> dict[str, User]:
        """Those of `users` that exist, by id."""

    async def known(self, *, app: str, users: Sequence[str]) -> set[str]:
        """Those of `users` that exist."""


class TokenStore(Protocol):
    """Tokens as the store keeps them."""

    async def remember_token(self, *, app: str, user: str, token_id: str, created_ms: int, expires_s: int) -> None: ...
    async def bind_token(
        self, *, app: str, user: str, digest: str, token: IssuedToken, generation: int, replaces: bool = False
    ) -> None:
        """Bind a custom token, given by its hex SHA-256, in the app's generation.

        `replaces`: the user's other custom tokens are revoked. Raises UserUnknown, TokenConflict.
        """

    async def bound_token(self, *, app: str, digest: str) -> Session | None:
        """The session of a custom token, in the generation of its binding."""

    async def revoke_tokens(self, *, app: str, user: str, token_id: str | None) -> list[IssuedToken]:
        """Revoke one token, or all (None).

        Every worker knows within 5 s. Raises UserUnknown, TokenUnknown.
        """

    async def revocations(self, *, app: str, since: int) -> Revocations:
        """What was revoked from the position `since` (ms) on, without long expired tokens."""
