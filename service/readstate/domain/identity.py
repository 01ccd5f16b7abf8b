"""Apps, users and tokens: who may ask. The same in every dialect."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from msgspec import Struct

FIRST_APP = "default"  # the app of the settings


class App(Struct, frozen=True):
    """A tenant. Secrets are kept only as SHA-256 digests, except in the settings of the first app."""

    app: str  # [a-z0-9-]{1,32}
    client_key: str  # public, names the app in client calls
    api_key_digest: str  # hex SHA-256 of the backend's key
    generation: int  # of its tokens: those of another are void. Random, so none comes twice; 0: the first app's, until they were ended


class Apps(Protocol):
    """The apps of this deployment, from memory; at most a few seconds behind what was added, rotated or removed."""

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
    """A token that was found valid."""

    app: str
    user: str
    token_id: str
    expires_s: int  # Unix seconds
    generation: int = 0  # of the app when the token was issued or bound


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


class Revocations(Struct, frozen=True):
    """What was revoked from some position on. Positions and time are the store's, whatever the hosts' clocks say."""

    now_s: int  # Unix seconds
    newest: int  # position; 0 when nothing was ever revoked
    entries: Sequence[Revocation]


class Directory(Protocol):
    """Users as the store keeps them."""

    async def upsert_user(self, *, app: str, user: str, profile: Mapping[str, bytes]) -> User: ...
    async def user(self, *, app: str, user: str) -> User:
        """Raises UserUnknown."""

    async def users(self, *, app: str, users: Sequence[str]) -> dict[str, User]:
        """Those of `users` that are known, by id."""

    async def known(self, *, app: str, users: Sequence[str]) -> set[str]:
        """Those of `users` that there are."""


class TokenStore(Protocol):
    """Tokens as the store keeps them."""

    async def remember_token(self, *, app: str, user: str, token_id: str, created_ms: int, expires_s: int) -> None: ...
    async def bind_token(
        self, *, app: str, user: str, digest: str, token: IssuedToken, generation: int, replaces: bool = False
    ) -> None:
        """Bind a custom token (hex SHA-256) in the app's present generation; `replaces`: the user's other custom tokens are revoked.

        Raises UserUnknown, TokenConflict.
        """

    async def bound_token(self, *, app: str, digest: str) -> Session | None:
        """Whose custom token that is, in the generation of its binding."""

    async def revoke_tokens(self, *, app: str, user: str, token_id: str) -> list[IssuedToken]:
        """Revoke one token or ("") all. Heard by every worker within 5 s. Raises UserUnknown, TokenUnknown."""

    async def revocations(self, *, app: str, since: int) -> Revocations:
        """What was revoked at the position `since` (ms) or later; what has long ended by itself may be left out."""
