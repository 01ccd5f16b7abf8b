"""Users, tokens and apps in memory, so that tests of tokens need no server."""

from collections.abc import Mapping, Sequence

import msgspec

from readstate.domain.identity import App, IssuedToken, Revocation, Revocations, Session, User
from readstate.errors import TokenConflict, TokenUnknown, UserUnknown


class FixedApps:
    """`domain.identity.Apps` with the apps that were given."""

    def __init__(self, *apps: App) -> None:
        self.apps = {app.app: app for app in apps}

    def get(self, app: str) -> App | None:
        return self.apps.get(app)

    def all(self) -> Sequence[App]:
        return list(self.apps.values())

    def by_client_key(self, client_key: bytes) -> App | None:
        return next((app for app in self.apps.values() if app.client_key.encode() == client_key), None)

    def several(self) -> bool:
        return len(self.apps) > 1

    def by_api_key(self, api_key: bytes) -> App | None:
        return None


class ModelDirectory:
    """`domain.identity.Directory` and `TokenStore` in memory.

    `asked` counts the questions about custom tokens; `now_s` is the store's clock.
    """

    def __init__(self) -> None:
        self.now_s = 0
        self.people: dict[tuple[str, str], User] = {}
        self.tokens: dict[tuple[str, str], dict[str, tuple[IssuedToken, str]]] = {}
        self.bound: dict[tuple[str, str], Session] = {}
        self.revoked: dict[str, list[tuple[int, Revocation]]] = {}
        self.asked = 0

    async def upsert_user(self, *, app: str, user: str, profile: Mapping[str, bytes]) -> User:
        before = self.people.get((app, user))
        self.people[app, user] = User(user, {**(before.profile if before else {}), **profile}, 0)
        return self.people[app, user]

    async def user(self, *, app: str, user: str) -> User:
        if (app, user) not in self.people:
            raise UserUnknown(user)
        return self.people[app, user]

    async def users(self, *, app: str, users: Sequence[str]) -> dict[str, User]:
        return {user: self.people[app, user] for user in users if (app, user) in self.people}

    async def known(self, *, app: str, users: Sequence[str]) -> set[str]:
        return {user for user in users if (app, user) in self.people}

    async def remember_token(self, *, app: str, user: str, token_id: str, created_ms: int, expires_s: int) -> None:
        self._of(app, user)[token_id] = (IssuedToken("", token_id, created_ms, expires_s), "")

    async def bind_token(
        self, *, app: str, user: str, digest: str, token: IssuedToken, generation: int, replaces: bool = False
    ) -> None:
        await self.user(app=app, user=user)
        held = self.bound.get((app, digest))
        if held is not None and held.user != user and held.generation == generation:
            raise TokenConflict(digest)
        if replaces:
            self._revoke(app, user, [known for known, (_, custom) in self._of(app, user).items() if custom])
        self.bound[app, digest] = Session(app, user, token.token_id, token.expires_s, generation)
        self._of(app, user)[token.token_id] = (msgspec.structs.replace(token, token=""), digest)

    async def bound_token(self, *, app: str, digest: str) -> Session | None:
        self.asked += 1
        return self.bound.get((app, digest))

    async def revoke_tokens(self, *, app: str, user: str, token_id: str | None) -> list[IssuedToken]:
        await self.user(app=app, user=user)
        if token_id and token_id not in self._of(app, user):
            raise TokenUnknown(token_id)
        return self._revoke(app, user, [token_id] if token_id else list(self._of(app, user)))

    async def revocations(self, *, app: str, since: int) -> Revocations:
        noted = self.revoked.get(app, [])
        newest = max((position for position, _ in noted), default=0)
        return Revocations(self.now_s, newest, [one for position, one in noted if position >= since])

    def _of(self, app: str, user: str) -> dict[str, tuple[IssuedToken, str]]:
        return self.tokens.setdefault((app, user), {})

    def _revoke(self, app: str, user: str, token_ids: Sequence[str]) -> list[IssuedToken]:
        revoked = [self._of(app, user).pop(token_id) for token_id in token_ids]
        for token, digest in revoked:
            self.bound.pop((app, digest), None)
            noted = self.revoked.setdefault(app, [])
            noted.append(
                (
                    max([position for position, _ in noted] + [self.now_s * 1000 - 1]) + 1,
                    Revocation(user, token.token_id, token.expires_s),
                )
            )
        return [token for token, _ in revoked]
