"""Wire types of users and their tokens."""

from typing import Annotated

from msgspec import Meta, Struct, field

from readstate.dialects.imkit.schemas import NonEmpty
from readstate.dialects.imkit.schemas.rooms import Page, UserRef
from readstate.domain.limits import MAX_POSTS_PER_BATCH


class ListedUser(Struct, frozen=True):
    """One item of POST /admin/clients/list."""

    id: NonEmpty = field(name="_id")
    nickname: str | None = None
    avatar_url: str | None = field(name="avatarUrl", default=None)


class NewUser(ListedUser, frozen=True):
    """POST /admin/clients; whatever else is given becomes the user's profile."""

    issue_access_token: bool | None = field(name="issueAccessToken", default=None)
    token: str | None = None
    expiration_date: str | None = field(name="expirationDate", default=None)


class NewUsers(Struct, frozen=True):
    """POST /admin/clients/list"""

    data: Annotated[list[ListedUser], Meta(max_length=MAX_POSTS_PER_BATCH)]


class TokenBinding(Struct, frozen=True):
    """PUT /admin/clients/:id/token.

    Without `expirationDate` the token lives as long as an issued one.
    """

    token: NonEmpty
    expiration_date: NonEmpty | None = field(name="expirationDate", default=None)


class TokenRevoking(Struct, frozen=True, forbid_unknown_fields=True):
    """DELETE /admin/clients/:id/token; without `token` all of the user's."""

    token: NonEmpty | None = None


class UserResult(UserRef, frozen=True):
    """A user; profile fields of the backend's own are there too."""

    app_id: str = field(name="appID")
    mute: list[str]
    updated_at: str = field(name="updatedAt")


class TokenResult(Struct, frozen=True):
    """A token of a user."""

    token: str
    client: str
    expiration_date: str = field(name="expirationDate")
    expiration_date_ms: int = field(name="expirationDateMS")


class RevokedToken(Struct, frozen=True):
    """`token` is empty for a custom token that the call did not name: only its digest is kept."""

    token: str
    created_at: str = field(name="createdAt")
    updated_at: str = field(name="updatedAt")
    expiration_date: str = field(name="expirationDate")
    expiration_date_ms: int = field(name="expirationDateMS")


class RevokedTokensResult(Struct, frozen=True):
    """Tokens that ended."""

    data: list[RevokedToken]


class UsersResult(Page, frozen=True):
    """Users as they are now."""

    data: list[UserResult]


class Empty(Struct, frozen=True):
    """`{}`"""
