"""GET /me/readState: what a device has missed (ours; docs/sync.md)."""

from typing import Annotated

from litestar.params import QueryParameter

from readstate.dialects.access import costs
from readstate.dialects.http.reply import Reply
from readstate.dialects.imkit.errors import INVALID_QUERY
from readstate.dialects.imkit.operation import Access, Call, operation
from readstate.dialects.imkit.reply import ok
from readstate.dialects.imkit.schemas import rooms as schemas
from readstate.dialects.imkit.views import unread_view
from readstate.domain.changes import MAX_CHANGES
from readstate.errors import Invalid


@operation(
    "GET /me/readState",
    Access.CLIENT,
    schemas.ChangesResult,
    problems={Invalid: INVALID_QUERY},
    cost=costs.TAGS,
    query=("since", "limit"),
)
async def changes(
    request: Call,
    since: Annotated[str, QueryParameter(max_length=64)] = "",
    limit: Annotated[int, QueryParameter(ge=1, le=MAX_CHANGES)] = MAX_CHANGES,
) -> Reply:
    """The caller's rooms whose read state has changed after the version `since`, the `version` of
    an earlier answer.

    Without `since`, or when it is unknown or too old, `snapshot` is true and all active rooms
    follow: forget what you knew. `more`: ask again at once with the new `version`. `removed`: rooms
    that the caller is no longer in, or that are frozen. Values are absolute and those of now, so a
    room may come again; none is missing.
    """
    principal = request.auth
    answer = await request.services.changes.changes(
        app=principal.app,
        user=principal.user,
        since=since,
        limit=limit,
        derived=request.charge_derived,
        looked_at=lambda rooms: request.charge(costs.of_list(rooms)),
    )
    rooms = [unread_view(room) for room in answer.rooms]
    return ok(schemas.ChangesResult(answer.version, answer.badge, answer.snapshot, answer.more, rooms, answer.removed))
