"""Pages of receipts, in an order that reading on cannot break.

Members are walked in the order of their cursors, which is the order in which they can be found, but cursors move while somebody pages. So
a page's token remembers when each page was asked for and where it ended; from a member's journal it is known where they stood at those
moments, and so whether one of those pages has shown them. Whoever moves ahead of the walk is met again further on: nobody is left out.
"""

import asyncio
import base64
import itertools
from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from readstate.batches import in_batches
from readstate.domain.limits import MAX_RECEIPTS_PER_PAGE, check_many
from readstate.domain.messages import MessageRef
from readstate.domain.receipts import Filter, Receipt, ReceiptCount, ReceiptsPage
from readstate.errors import Invalid
from readstate.store import lua
from readstate.store.executor import Executor, all_or_raise
from readstate.store.keys import Keys
from readstate.store.lua_replies import Person

MOST_MARKS = (
    256  # pages between which something happened in the room; in longer walks somebody who reads on may come twice,
)
# and so may who has moved more often since than their journal remembers
RECEIPTS_COUNTED_AT_ONCE = 25  # messages in one script
MAX_TOKEN_BYTES = 48 * 1024
SURELY_LATER_S = (
    0.002  # so that a page's millisecond is told from that of what was answered before it or is asked after it
)
_END = 2**53

Place = Annotated[int, Meta(ge=-1, le=_END)]
Name = Annotated[str, Meta(max_length=512)]


class Mark(Struct, frozen=True, array_like=True):
    """The walk had come to (place, last) when a page was asked for at `at` on the room's clock."""

    at: Annotated[int, Meta(ge=0, le=_END)]
    place: Place
    last: Name


class Token(Struct, frozen=True, array_like=True):
    """Where the next page begins, and what the pages before have shown."""

    part: Literal["q", "c", "y", ""]
    place: Place
    last: Name
    revision: Annotated[int, Meta(ge=0, le=_END)]  # of the room at the last page
    marks: Annotated[list[Mark], Meta(max_length=MOST_MARKS)]  # of the walk over members by cursor


_decode = msgspec.msgpack.Decoder(Token).decode
_encode = msgspec.msgpack.Encoder().encode


class RedisReceipts:
    """Implements domain.receipts.Receipts."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    async def page(
        self,
        *,
        app: str,
        room: str,
        message: str,
        which: Filter = Filter.READ,
        limit: int = 50,
        page: str | None = None,
        after: int = 0,
    ) -> ReceiptsPage:
        if not 1 <= limit <= MAX_RECEIPTS_PER_PAGE:
            raise Invalid("limit", f"limit must be 1 to {MAX_RECEIPTS_PER_PAGE}")
        return await receipts_page(self._executor, Keys.room(app, room), message, which, limit, page, after)

    async def receipt_counts(
        self, *, app: str, room: str, messages: Sequence[str], after: int = 0
    ) -> list[ReceiptCount | None]:
        check_many("messages", messages)
        key = Keys.room(app, room)
        batches = in_batches(messages, RECEIPTS_COUNTED_AT_ONCE) if messages else [()]
        calls = [(key, lua.receipt_counts(after=after, messages=batch)) for batch in batches]
        counts = itertools.chain.from_iterable(all_or_raise(await self._executor.call_each(calls)))
        return [
            ReceiptCount(message, count.read, count.unread, count.left) if count else None
            for message, count in zip(messages, counts, strict=True)
        ]


async def receipts_page(
    executor: Executor, room_key: str, message: str, which: Filter, limit: int, page: str | None, after: int
) -> ReceiptsPage:
    """See domain.receipts.Receipts.page."""
    token = read_token(page) if page else Token("q" if which is Filter.READ else "c", -1, "", 0, [])
    if which is Filter.UNREAD and token.part != "c":
        raise Invalid("page", "page belongs to the other list")
    since = -1
    if token.marks:
        since = token.marks[0].at
        await asyncio.sleep(SURELY_LATER_S)
    call = lua.receipts(
        message=message,
        which=which.value,
        limit=limit,
        part=token.part,
        place=token.place,
        last=token.last,
        since=since,
        after=after,
    )
    reply = await executor.call(call, room_key)
    next_token = Token(reply.part, reply.place, reply.last, reply.revision, token.marks)
    first = reply.seq if which is Filter.READ else 0
    shown = [one for one in reply.people if not was_shown(one, token.marks, first)]
    readers = [Receipt(one.member, reply.created_ms + one.at, one.exact, one.left_at >= 0) for one in shown]
    if reply.part and token.part != "y":
        next_token = replace(next_token, marks=_marked(token, reply.now, next_token))
        await asyncio.sleep(SURELY_LATER_S)
    return ReceiptsPage(
        message=MessageRef(message, reply.seq, reply.sender, reply.at_ms),
        read=reply.read,
        unread=reply.unread,
        left=reply.left,
        readers=tuple(readers) if which is Filter.READ else (),
        non_readers=tuple(one.member for one in readers) if which is Filter.UNREAD else (),
        next=make_token(next_token) if reply.part else "",
    )


def was_shown(one: Person, marks: Sequence[Mark], first: int) -> bool:
    """Whether a page before has shown somebody: at its moment they stood between where it began and where it ended.

    `first`: the cursor at which the walk began. A move in the very millisecond of a page may have been before or after it; then they are
    shown again rather than left out.
    """
    began = (first - 1, "")
    for mark in marks:
        ended = (mark.place, mark.last)
        if 0 <= one.left_at <= mark.at or not one.trail:
            return False
        if all(began < (place, one.member) <= ended for place in _places(one.trail, mark.at)):
            return True
        began = ended
    return False


def _places(trail: Sequence[int], at: int) -> list[int]:
    """Where somebody with this trail may have stood at `at`."""
    steps = list(zip(trail[::2], trail[1::2], strict=True))
    before = [place for place, since in steps if since < at] or [trail[0]]
    return [before[-1], *(place for place, since in steps if since == at)]


def _marked(before: Token, at: int, token: Token) -> list[Mark]:
    """The marks with one more, for a page that ended where `token` goes on."""
    marks = before.marks
    mark = Mark(at, token.place, token.last) if token.part != "y" else Mark(at, _END, "")
    if marks and token.revision == before.revision:
        # Nothing has happened in the room between the two pages, so they are as one.
        return [*marks[:-1], replace(mark, at=marks[-1].at)]
    return [*marks, mark] if len(marks) < MOST_MARKS else [*marks[:-1], mark]


def read_token(page: str) -> Token:
    """Raises Invalid."""
    try:
        if len(page) > MAX_TOKEN_BYTES:
            raise ValueError
        token = _decode(base64.b64decode(page + "=" * (-len(page) % 4), altchars=b"-_", validate=True))
    except (ValueError, msgspec.DecodeError, RecursionError):
        raise Invalid("page", "page must be empty or the `next` of an answer before") from None
    return token


def make_token(token: Token) -> str:
    return base64.urlsafe_b64encode(_encode(token)).decode().rstrip("=")
