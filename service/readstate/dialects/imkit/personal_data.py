"""What is stored of users, for operators: who there is, what is known of them, and how it is erased
(docs/people.md).

IMKit has no such calls. These are ours, in its envelope, and for backends alone.
"""

from functools import partial

from litestar.params import FromPath, FromQuery

from readstate.dialects.access import costs
from readstate.dialects.http.reply import Reply
from readstate.dialects.imkit.administrators import tell
from readstate.dialects.imkit.errors import INVALID_QUERY
from readstate.dialects.imkit.operation import Access, Call, operation
from readstate.dialects.imkit.reply import ok
from readstate.dialects.imkit.schemas import personal_data as schemas
from readstate.domain.limits import check_id
from readstate.domain.personal_data import CopyLine, check_name
from readstate.errors import Invalid

_operation = partial(operation, access=Access.BACKEND, problems={Invalid: INVALID_QUERY}, cost=costs.SCAN)


@_operation("GET /admin/people", result=schemas.PeopleResult, query=("page",))
async def people(request: Call, page: FromQuery[str] = "") -> Reply:
    """The ids of all users who were created or are in a room.

    `page` is the `next` of the page before. A page may be empty without being the last; the last
    has no `next`. A user may come twice.
    """
    found = await request.services.personal_data.users(app=request.auth.app, page=page)
    request.charge(costs.of_scan(found.looked_at))
    return ok(schemas.PeopleResult(found.users, found.next))


@_operation("GET /admin/people/{user:str}", result=schemas.PersonResult, cost=costs.LIST, query=())
async def person(request: Call, user: FromPath[str]) -> Reply:
    """What a user's side has: profile, tokens (never their text) and rooms, in lines as of an
    export.
    """
    check_id("client", user)
    lines = await request.services.personal_data.side(app=request.auth.app, user=user)
    request.charge(costs.of_list(sum(isinstance(line, CopyLine) for line in lines)))
    return ok(schemas.PersonResult(lines))


@_operation("GET /admin/people/{user:str}/export", result=schemas.PersonExportResult, query=("page",))
async def export_person(request: Call, user: FromPath[str], page: FromQuery[str] = "") -> Reply:
    """All that is stored of a user, for them to read.

    The `data` of all pages, one object in a line, is the file of `readstate people export`.

    `page` is the `next` of the page before. All rooms are looked at, so a page may be empty without
    being the last; the last has no `next`.
    """
    check_id("client", user)
    found = await request.services.personal_data.lines(app=request.auth.app, user=user, page=page)
    request.charge(costs.of_scan(found.looked_at))
    if not page:
        tell(request, "an export of a user has begun", user=user)
    return ok(schemas.PersonExportResult(found.lines, found.next))


@_operation("DELETE /admin/people/{user:str}", result=schemas.ErasureResult, query=("name", "page"))
async def erase_person(
    request: Call, user: FromPath[str], name: FromQuery[str] = "", page: FromQuery[str] = ""
) -> Reply:
    """Erase a user for good, a part in each call: repeat it with the `next` of the answer as `page`
    until there is none.

    Each call may be repeated, and so may all of them. A user whom the store does not know is erased
    without a change. Their tokens end with the first call. What rooms must keep so that the counts
    of others stay exact is kept under `name` with random digits behind it, which the answer has.
    """
    check_id("client", user)
    if name:
        check_name("name", name, user)
    if not page:
        tell(request, "an erasure of a user has begun", user=user)
    done = await request.services.personal_data.erase(app=request.auth.app, user=user, name=name or None, page=page)
    request.charge(costs.of_scan(done.looked_at) + costs.of_list(done.rooms))
    if done.next is None:
        tell(request, "a user was erased", user=user)
    return ok(schemas.ErasureResult(user, done.name, done.rooms, done.next))


@_operation("GET /admin/people/{user:str}/traces", result=schemas.TracesResult, query=("page",))
async def traces_of_person(request: Call, user: FromPath[str], page: FromQuery[str] = "") -> Reply:
    """Where the store still tells of a user: the proof of an erasure. After one no page has any.

    `page` is the `next` of the page before. The last page has no `next`.
    """
    check_id("client", user)
    found = await request.services.personal_data.remnants(app=request.auth.app, user=user, page=page)
    request.charge(costs.of_scan(found.looked_at))
    return ok(schemas.TracesResult(found.remnants, found.next))
