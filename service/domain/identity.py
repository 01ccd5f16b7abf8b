"""Apps, users and tokens: who may ask. The same in every dialect."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct


class App(Struct, frozen=True):
    """A tenant. Secrets are kept only as SHA-256 digests, except in the settings of the first app."""

    app: str  # [a-z0-9-]{1,32}
    client_key: str  # public, names the app in client calls
    api_key_digest: str  # hex SHA-256 of the backend's key
    generation: int  # raised by `rotate`: tokens of an earlier one are void


class Apps(Protocol):
    """The apps of this deployment, from memory; at most a few seconds behind what was added, rotated or removed."""

    def get(self, app: str) -> App | None: ...
    def all(self) -> Sequence[App]: ...
    def by_client_key(self, client_key: bytes) -> App | None: ...
    def by_api_key(self, api_key: bytes) -> App | None: ...


class User(Struct, frozen=True):
    """A user's small profile, as the backend gave it."""

    user: str
    profile: Mapping[str, bytes]  # field name -> JSON text
    updated_ms: int


class Session(Struct, frozen=True):
    """A token that was found valid."""

    app: str
    user: str
    token_id: str
    expires_s: int  # Unix seconds
    generation: int = 0  # of the app when the token was found valid


class IssuedToken(Struct, frozen=True):
    """A live token of a user. Custom tokens are known by digest only, so `token` is "" for them unless just given."""

    token: str
    token_id: str
    created_ms: int
    expires_s: int
    bound: bool = False  # a custom one


class Revocation(Struct, frozen=True):
    """A token that is void before its time. To be remembered until `expires_s`, when it would be void anyway."""

    user: str
    token_id: str
    expires_s: int
    at_ms: int


class Directory(Protocol):
    """Users and tokens as the store keeps them."""

    async def upsert_user(self, *, app: str, user: str, profile: Mapping[str, bytes]) -> User: ...
    async def user(self, *, app: str, user: str) -> User:
        """Raises UserUnknown."""

    async def users(self, *, app: str, users: Sequence[str]) -> dict[str, User]:
        """Those of `users` that are known, by id."""

    async def known(self, *, app: str, users: Sequence[str]) -> set[str]:
        """Those of `users` that there are."""

    async def remember_token(self, *, app: str, user: str, token_id: str, created_ms: int, expires_s: int) -> None: ...
    async def bind_token(
        self, *, app: str, user: str, digest: str, token_id: str, created_ms: int, expires_s: int, replaces: bool = False
    ) -> None:
        """Bind a custom token (hex SHA-256); `replaces`: the user's other custom tokens are revoked.

        Raises UserUnknown, TokenConflict.
        """

    async def bound_token(self, *, app: str, digest: str) -> Session | None: ...
    async def revoke_tokens(self, *, app: str, user: str, token_id: str) -> list[IssuedToken]:
        """Revoke one token or ("") all. Heard by every worker within 5 s. Raises UserUnknown, TokenUnknown."""

    async def revocations(self, *, app: str, since_ms: int) -> list[Revocation]:
        """What was revoked at or after `since_ms` (store's clock, Unix milliseconds) and would still be valid."""
