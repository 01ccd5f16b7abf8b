"""Receipts: who has read a message, and since when.

IMKit has no such calls. These are ours, in its envelope.
"""

from collections.abc import Sequence
from functools import partial
from typing import Annotated
from urllib.parse import unquote_plus

from litestar.params import FromPath, FromQuery, QueryParameter

from readstate.dialects.access import costs
from readstate.dialects.base import ProblemError
from readstate.dialects.http.reply import Reply
from readstate.dialects.imkit.access import check_member, known_since
from readstate.dialects.imkit.errors import INVALID_QUERY, MISSING_PARAMETER
from readstate.dialects.imkit.operation import Access, Call, operation
from readstate.dialects.imkit.reply import ok
from readstate.dialects.imkit.schemas import receipts as schemas
from readstate.domain.limits import MAX_RECEIPT_MESSAGES, MAX_RECEIPTS_PER_PAGE
from readstate.domain.receipts import Filter, Receipt
from readstate.domain.rooms import Room
from readstate.errors import Invalid
from readstate.times import iso

PAGE = 50
_FILTERS = frozenset(choice.value for choice in Filter)
_operation = partial(operation, problems={Invalid: INVALID_QUERY}, cost=costs.RECEIPTS)


@_operation(
    "GET /rooms/{room:str}/messages/{message:str}/receipts",
    Access.EITHER,
    schemas.ReceiptsResult,
    query=("filter", "limit", "page"),
)
async def receipts(
    request: Call,
    room: FromPath[str],
    message: FromPath[str],
    which: Annotated[str, QueryParameter(name="filter", enum=sorted(_FILTERS))] = "read",
    limit: Annotated[int, QueryParameter(ge=1, le=MAX_RECEIPTS_PER_PAGE)] = PAGE,
    page: FromQuery[str] = "",
) -> Reply:
    """Who has read a message and since when, or (`filter=unread`) who has not.

    For the backend, and for members since they joined.

    `page` is the `next` of the page before. A page may be short without being the last; the last
    has no `next`.
    """
    if which not in _FILTERS:
        raise Invalid("filter", "filter must be read or unread")
    principal, services = request.auth, request.services
    after = _after(request, await request.room(room))
    found = await services.receipts.page(
        app=principal.app, room=room, message=message, which=Filter(which), limit=limit, page=page or None, after=after
    )
    people = [*map(_reader, found.readers), *map(schemas.Member, found.non_readers)]  # one of them is empty
    posted = found.message
    counts = (found.read, found.unread, found.left)
    return ok(schemas.ReceiptsResult(room, message, posted.sender, iso(posted.at_ms), *counts, people, found.next))


@_operation(
    "GET /rooms/{room:str}/receipts",
    Access.EITHER,
    schemas.ReceiptCountsResult,
    needed=("messages",),
    query=("messages",),
)
async def receipt_counts(request: Call, room: FromPath[str], messages: FromQuery[Sequence[str]] = ()) -> Reply:
    """How many have read each of several messages.

    For the backend, and for members since they joined.

    Messages that are unknown or deleted are left out.
    """
    principal, services = request.auth, request.services
    asked = _ids(request.scope["query_string"])
    if not asked or not messages:
        raise ProblemError(MISSING_PARAMETER, "messages is required")
    after = _after(request, await request.room(room))
    counts = await services.receipts.receipt_counts(app=principal.app, room=room, messages=asked, after=after)
    data = [
        schemas.MessageReceipts(count.message, count.read, count.unread, count.left)
        for count in counts
        if count is not None
    ]
    return ok(schemas.ReceiptCountsResult(room, data))


def _after(call: Call, room: Room) -> int:
    """The seq at which the member joined. Messages up to it are unknown to them.

    Raises RoomUnknown.
    """
    check_member(call, room)
    return known_since(call, room)


def _reader(receipt: Receipt) -> schemas.Reader:
    return schemas.Reader(receipt.member, iso(receipt.at_ms), receipt.exact, receipt.left)


def _ids(query: bytes) -> list[str]:
    """The distinct ids in `messages`. They are split at commas before they are decoded, so that an
    id may contain a comma.

    Raises Invalid.
    """
    given = [
        pair.removeprefix("messages=") for pair in query.decode("latin-1").split("&") if pair.startswith("messages=")
    ]
    names = dict.fromkeys(name for names in given for name in names.split(",") if name)
    if len(names) > MAX_RECEIPT_MESSAGES:
        raise Invalid("messages", f"messages must name at most {MAX_RECEIPT_MESSAGES} messages")
    return list(dict.fromkeys(map(unquote_plus, names)))
