"""Login and logout with tokens (apidocs/login-with-username-and-password).

No passwords are kept: the backend gives its users tokens, and a client that has to send a password
sends such a token. Login answers the very token that was sent, so it gives no user more time than
the backend meant; logout revokes it.
"""

from collections.abc import Collection

from readstate.dialects.access import costs
from readstate.dialects.base import ProblemError
from readstate.dialects.http.client_address import client_address
from readstate.dialects.rocketchat import schemas
from readstate.dialects.rocketchat.errors import LOGIN_FAILED
from readstate.dialects.rocketchat.operation import Call, operation
from readstate.dialects.rocketchat.views import person
from readstate.domain.identity import Session, User
from readstate.domain.profiles import text_of


@operation("POST /login", signed_in=False, mismatch=LOGIN_FAILED, cost=costs.PROFILE)
async def login(request: Call, given: schemas.Login) -> schemas.LoginAnswer:
    """Prove a token: as `resume`, or as the `password` of a user named by `user`, `username` or
    `email`. Answers whose it is.
    """
    services, token, address = request.services, given.resume or given.password, client_address(request.scope)
    if not token:
        services.credentials.absent(address)
    found = await services.credentials.sessions(services.apps.all(), token, address) if token else ()
    for session in found:
        services.rate_limits.take(session.app, session.user, costs.PROFILE)
        # Not from the cache: a name that was given a moment ago must do.
        known = (await services.directory.users(app=session.app, users=[session.user])).get(session.user)
        if given.resume or _is_named(given, session, known):
            return schemas.LoginAnswer(data=schemas.LoggedIn(session.user, token, person(session.user, known)))
    if found:  # a valid token with the wrong user
        services.credentials.missed(address)
    raise ProblemError(LOGIN_FAILED)


@operation("POST /logout", cost=costs.PROFILE)
async def logout(request: Call, _: schemas.Nothing) -> schemas.LogoutAnswer:
    """Revoke the token that this call was made with; the user's other tokens stay."""
    return await _end(request)


@operation("GET /logout", cost=costs.PROFILE)
async def logout_by_get(request: Call, _: schemas.Nothing) -> schemas.LogoutAnswer:
    """The same as POST, for clients that log out by GET.

    A browser does not send the two headers by itself.
    """
    return await _end(request)


async def _end(request: Call) -> schemas.LogoutAnswer:
    await request.services.tokens.end(request.auth)
    return schemas.LogoutAnswer(data=schemas.LoggedOut())


def _is_named(given: schemas.Login, session: Session, known: User | None) -> bool:
    """Whether the login names the user whose token it gives."""
    profile = known.profile if known else {}
    username, email = text_of(profile, "username"), text_of(profile, "email")
    if isinstance(given.user, str) and _is_one_of(given.user, (session.user, username, email)):
        return True
    named: list[schemas.Login | schemas.LoginName] = [given] if isinstance(given.user, str) else [given, given.user]
    return any(_is_one_of(one.username, (session.user, username)) or _is_one_of(one.email, (email,)) for one in named)


def _is_one_of(name: str, names: Collection[str]) -> bool:
    return bool(name) and name in names
