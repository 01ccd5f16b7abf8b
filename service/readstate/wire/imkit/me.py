"""The caller: GET /me and POST /me/logout (docs.imkit.io, User)."""

from litestar import get, post

from readstate.wire import costs
from readstate.wire.imkit.call import Call, Who
from readstate.wire.imkit.documented import BY_TOKEN, documented
from readstate.wire.imkit.errors import NO_TOKEN_TO_END, Refused
from readstate.wire.imkit.messages import Empty, UserResult
from readstate.wire.imkit.reply import ok
from readstate.wire.imkit.views import user_view
from readstate.wire.reply import Reply


@get("/me", **documented("me", Who.CLIENT, UserResult, statuses=(404,)))
async def me(request: Call) -> Reply:
    """The caller's profile."""
    caller = request.auth
    return ok(user_view(caller.app, await request.desk.directory.user(app=caller.app, user=caller.user)))


@post("/me/logout", **(documented("logout", Who.CLIENT, Empty, cost=costs.PROFILE) | {"security": BY_TOKEN}))
async def logout(request: Call) -> Reply:
    """Revoke the token this call was made with; its connections are closed. Not for API keys, which are no tokens."""
    session = request.auth.session
    if session is None:
        raise Refused(NO_TOKEN_TO_END)
    await request.desk.tokens.end(session)
    return ok(Empty())
