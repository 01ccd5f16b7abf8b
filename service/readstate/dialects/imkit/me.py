"""The caller: GET /me and POST /me/logout (docs.imkit.io, User)."""

from litestar import get, post

from readstate.dialects.access import costs
from readstate.dialects.base import ProblemError
from readstate.dialects.http.reply import Reply
from readstate.dialects.imkit.call import Access, Call
from readstate.dialects.imkit.errors import NO_TOKEN_TO_END
from readstate.dialects.imkit.operation import BY_TOKEN, operation
from readstate.dialects.imkit.reply import ok
from readstate.dialects.imkit.schemas.users import Empty, UserResult
from readstate.dialects.imkit.views import user_view


@get("/me", **operation("me", Access.CLIENT, UserResult, statuses=(404,)))
async def me(request: Call) -> Reply:
    """The caller's profile."""
    principal = request.auth
    return ok(user_view(principal.app, await request.services.directory.user(app=principal.app, user=principal.user)))


@post("/me/logout", **(operation("logout", Access.CLIENT, Empty, cost=costs.PROFILE) | {"security": BY_TOKEN}))
async def logout(request: Call) -> Reply:
    """Revoke the token this call was made with; its connections are closed. Not for API keys, which are no tokens."""
    session = request.auth.session
    if session is None:
        raise ProblemError(NO_TOKEN_TO_END)
    await request.services.tokens.end(session)
    return ok(Empty())
