"""POST /badges/: totals of several users in one call (api-doc of 2025-07, "Get total badges of
multiple users").

IMKit's form is for several accounts on one device: their tokens are in the body. A backend may name
users instead, to send badges with push messages.
"""

from collections.abc import Sequence

from litestar.params import JSONBody

from readstate.dialects.access import costs
from readstate.dialects.base import ProblemError
from readstate.dialects.http.client_address import client_address
from readstate.dialects.http.reply import Reply
from readstate.dialects.imkit import errors
from readstate.dialects.imkit.operation import Access, Call, operation
from readstate.dialects.imkit.reply import ok
from readstate.dialects.imkit.schemas.reading import BadgesAsked, BadgesResult, UserBadge
from readstate.domain.identity import Session
from readstate.domain.limits import check_id


@operation("POST /badges", Access.TOKENS, BadgesResult, query=())
async def badges(request: Call, data: JSONBody[BadgesAsked]) -> Reply:
    """The unread messages of several users, each one's total over all rooms.

    Clients give the `tokens` of up to 20 users, and need only the client key. One that is no longer
    valid is left out; without any valid one the answer is a 401. Backends give up to 200 `clients`,
    or `tokens`. A user whom the service does not know has 0. Who is named twice is answered once.
    """
    principal, services = request.auth, request.services
    if (data.clients is None) == (data.tokens is None):
        problem = errors.MISSING_PARAMETER if data.clients is None else errors.INVALID_BODY
        raise ProblemError(problem, "Give tokens, or as a backend clients, and not both")
    if data.tokens is not None:
        users = await _users_of(request, data.tokens)
    elif principal.backend:
        users = list(dict.fromkeys(check_id("clients", user) for user in data.clients or ()))
        request.charge(costs.of_reads(len(users)))
    else:
        raise ProblemError(errors.NO_API_KEY_FOR_CLIENTS)

    def charge(user: str, rooms: int) -> None:
        services.rate_limits.charge(principal.app, "" if principal.backend else user, costs.of_derived(rooms))

    counts = await services.badges.badge_each(app=principal.app, users=users, derived=charge)
    return ok(BadgesResult([UserBadge(user, count) for user, count in zip(users, counts, strict=True)], sum(counts)))


async def _users_of(request: Call, tokens: Sequence[str]) -> list[str]:
    """The users of the valid tokens. Each user pays for their own badge.

    Raises ProblemError when no token is valid, TooManyRequests.
    """
    app, services = request.services.apps.get(request.auth.app), request.services
    if app is None:
        raise ProblemError(errors.INVALID_TOKEN)
    users: dict[str, None] = {}
    for token in dict.fromkeys(tokens):
        session: Session | None = services.tokens.known(app.app, token)
        if session is None or not services.tokens.still_valid(session):
            session = await services.credentials.session((app,), token, client_address(request.scope))
        if session is not None and session.user not in users:
            services.rate_limits.take(app.app, session.user, costs.READ)
            users[session.user] = None
    if not users:
        raise ProblemError(errors.INVALID_TOKEN)
    return list(users)
