"""The caller: GET /me and POST /me/logout (docs.imkit.io, User)."""

from litestar import get, post

from readstate.wire import costs
from readstate.wire.imkit.call import Call, Who
from readstate.wire.imkit.errors import NO_TOKEN_TO_END, Refused
from readstate.wire.imkit.messages import Empty, UserResult
from readstate.wire.imkit.operation import BY_TOKEN, operation
from readstate.wire.imkit.reply import ok
from readstate.wire.imkit.views import user_view
from readstate.wire.reply import Reply


@get("/me", **operation("me", Who.CLIENT, UserResult, statuses=(404,)))
async def me(request: Call) -> Reply:
    """The caller's profile."""
    principal = request.auth
    return ok(user_view(principal.app, await request.services.directory.user(app=principal.app, user=principal.user)))


@post("/me/logout", **(operation("logout", Who.CLIENT, Empty, cost=costs.PROFILE) | {"security": BY_TOKEN}))
async def logout(request: Call) -> Reply:
    """Revoke the token this call was made with; its connections are closed. Not for API keys, which are no tokens."""
    session = request.auth.session
    if session is None:
        raise Refused(NO_TOKEN_TO_END)
    await request.services.tokens.end(session)
    return ok(Empty())
