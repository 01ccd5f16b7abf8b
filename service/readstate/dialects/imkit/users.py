"""Users and their tokens, for the backend, and the caller's own profile (docs.imkit.io, User, User
Management and User Token).
"""

import asyncio
from functools import partial

import msgspec
from litestar.params import FromPath, JSONBody, RawBody

from readstate.dialects.access import costs
from readstate.dialects.base import ProblemError, Services
from readstate.dialects.http.reply import Reply
from readstate.dialects.imkit.administrators import tell
from readstate.dialects.imkit.body import by_plain_name, check_options, merged, user_profile
from readstate.dialects.imkit.errors import INVALID_REQUEST, NO_TOKEN_TO_END
from readstate.dialects.imkit.operation import BY_TOKEN, Access, Call, operation
from readstate.dialects.imkit.reply import ok
from readstate.dialects.imkit.schemas import users as schemas
from readstate.dialects.imkit.views import View, user_view
from readstate.domain.identity import IssuedToken, User
from readstate.domain.limits import check_id
from readstate.errors import Invalid
from readstate.times import iso, unix_ms

_operation = partial(operation, problems={Invalid: INVALID_REQUEST}, bad_body=INVALID_REQUEST)
_BINDING_OPTIONS = by_plain_name(["expirationDate"])


@_operation("POST /admin/clients", Access.BACKEND, schemas.UserResult, cost=costs.PROFILE, statuses=(409,))
async def upsert_user(request: Call, body: RawBody, data: JSONBody[schemas.NewUser]) -> Reply:
    """Create or update a user, and issue a token (`issueAccessToken`) or bind the backend's own
    (`token`, `expirationDate`).

    Without `expirationDate` the backend's own lives as long as an issued one.
    """
    app, services = request.auth.app, request.services
    user, profile = check_id("_id", data.id), user_profile(body)
    binds = data.token is not None and not data.issue_access_token
    expires_s = expiry(services, data.expiration_date) if binds else 0
    if binds:
        await services.tokens.check_bindable(app=app, user=user, token=data.token or "", expires_s=expires_s)
    view = await _upsert(services, app, user, profile)
    if data.issue_access_token:
        view |= _with_token(await services.tokens.issue(app=app, user=user))
    elif binds:
        view |= _with_token(await services.tokens.bind(app=app, user=user, token=data.token or "", expires_s=expires_s))
    return ok(view)


@_operation("POST /admin/clients/list", Access.BACKEND, schemas.UsersResult, cost=costs.LIST)
async def upsert_users(request: Call, body: RawBody, data: JSONBody[schemas.NewUsers]) -> Reply:
    """Create or update up to 500 users, in a body of up to 64 KiB.

    All of them are checked before the first is written.
    """
    app, services = request.auth.app, request.services
    raws = _decode_list(body).data
    users: dict[str, dict[str, bytes]] = {
        check_id("_id", given.id): user_profile(bytes(raw)) for given, raw in zip(data.data, raws, strict=True)
    }
    known = await services.directory.users(app=app, users=list(users))
    for user, before in known.items():
        merged("a user", before.profile, users[user])
    views = await asyncio.gather(*(_upsert(services, app, user, profile) for user, profile in users.items()))
    return ok({"totalCount": len(views), "data": views})


@_operation(
    "PUT /admin/clients/{user:str}/token", Access.BACKEND, schemas.TokenResult, cost=costs.PROFILE, statuses=(409,)
)
async def bind_token(request: Call, user: FromPath[str], body: RawBody, data: JSONBody[schemas.TokenBinding]) -> Reply:
    """Replace the user's custom tokens by another one, at once."""
    check_options(body, _BINDING_OPTIONS)
    expires_s = expiry(request.services, data.expiration_date)
    token = await request.services.tokens.bind(
        app=request.auth.app, user=user, token=data.token, expires_s=expires_s, replaces=True
    )
    return ok(schemas.TokenResult(token.token, user, iso(token.expires_s * 1000), token.expires_s * 1000))


@_operation("DELETE /admin/clients/{user:str}/token", Access.BACKEND, schemas.RevokedTokensResult)
async def revoke_tokens(
    request: Call, user: FromPath[str], data: JSONBody[schemas.TokenRevoking | None] = None
) -> Reply:
    """Revoke one token of the user, or all of them, for good."""
    token = (data.token if data else None) or None
    revoked = await request.services.tokens.revoke(app=request.auth.app, user=user, token=token)
    tell(request, "tokens of a user were ended", user=user, tokens=len(revoked))
    return ok(schemas.RevokedTokensResult([_revoked(one) for one in revoked]))


def expiry(services: Services, text: str | None) -> int:
    """`expirationDate`, an ISO-8601 time, as Unix seconds. Without one, the expiry of a token
    issued now.

    Raises Invalid.
    """
    if text is None:
        return services.tokens.usual_expiry_s()
    try:
        return unix_ms(text) // 1000
    except ValueError:
        raise Invalid("expirationDate", "expirationDate must be an ISO-8601 time") from None


async def _upsert(services: Services, app: str, user: str, profile: dict[str, bytes]) -> View:
    stored: User = await services.directory.upsert_user(app=app, user=user, profile=profile)
    services.people.changed(app, stored)
    return user_view(app, stored)


def _with_token(token: IssuedToken) -> View:
    return {"token": token.token, "expirationDate": iso(token.expires_s * 1000)}


def _revoked(token: IssuedToken) -> schemas.RevokedToken:
    created = iso(token.created_ms)
    return schemas.RevokedToken(token.token, created, created, iso(token.expires_s * 1000), token.expires_s * 1000)


class _RawList(msgspec.Struct, frozen=True):
    data: list[msgspec.Raw]


_decode_list = msgspec.json.Decoder(_RawList).decode


# The caller


@operation("GET /me", Access.CLIENT, schemas.UserResult, statuses=(404,))
async def me(request: Call) -> Reply:
    """The caller's profile."""
    principal = request.auth
    return ok(user_view(principal.app, await request.services.directory.user(app=principal.app, user=principal.user)))


@operation("POST /me/logout", Access.CLIENT, schemas.Empty, cost=costs.PROFILE, security=BY_TOKEN)
async def logout(request: Call) -> Reply:
    """Revoke the token this call was made with; its connections are closed.

    Not for API keys, which are no tokens.
    """
    session = request.auth.session
    if session is None:
        raise ProblemError(NO_TOKEN_TO_END)
    await request.services.tokens.end(session)
    return ok(schemas.Empty())
