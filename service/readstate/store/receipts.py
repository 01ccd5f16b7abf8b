"""Pages of receipts, in an order that reading on cannot break.

Members are walked in the order of their cursors, the order in which they can be found. But cursors
move while a client pages. So a page token remembers when each page was asked for and where it
ended. A member's journal says where their cursor stood at those moments, and so whether one of
those pages has shown them. Members who move ahead of the walk are met again further on: none is
left out.
"""

import asyncio
import itertools
from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import replace

from readstate.batches import in_batches
from readstate.domain.limits import MAX_RECEIPTS_PER_PAGE, check_many
from readstate.domain.receipts import Filter, Receipt, ReceiptCount, ReceiptsPage
from readstate.errors import Invalid
from readstate.store import lua, page_tokens
from readstate.store.executor import Executor, all_or_raise
from readstate.store.keys import Keys
from readstate.store.lua import Person

# Pages of a walk between which something happened in the room. In a longer walk a member who reads
# on may come twice; so may a member who has moved more often since than their journal remembers.
MOST_POSITIONS = 256
RECEIPTS_COUNTED_AT_ONCE = 25  # messages in one script
# A pause, so that a page has another millisecond than the answers before and after it.
SURELY_LATER_S = 0.002
_END = 2**53

Place = Annotated[int, Meta(ge=-1, le=_END)]
Name = Annotated[str, Meta(max_length=512)]


class PagePosition(Struct, frozen=True, array_like=True):
    """Where the list was, (place, last), when a page was asked for; `at_ms` is the room's time."""

    at_ms: Annotated[int, Meta(ge=0, le=_END)]
    place: Place
    last: Name


class PageToken(Struct, frozen=True, array_like=True):
    """Where the next page begins, and what the pages before have shown."""

    section: Annotated[str, Meta(pattern=r"\A[qcy]?\Z")]
    place: Place
    last: Name
    revision: Annotated[int, Meta(ge=0, le=_END)]  # of the room at the last page
    positions: Annotated[list[PagePosition], Meta(max_length=MOST_POSITIONS)]  # of the walk over members by cursor


_decode = msgspec.msgpack.Decoder(PageToken).decode


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
        token = (
            page_tokens.read(page, _decode) if page else PageToken("q" if which is Filter.READ else "c", -1, "", 0, [])
        )
        if which is Filter.UNREAD and token.section != "c":
            raise Invalid("page", "page belongs to the other list")
        since = -1
        if token.positions:
            since = token.positions[0].at_ms
            await asyncio.sleep(SURELY_LATER_S)
        call = lua.receipts(
            message=message,
            which=which.value,
            limit=limit,
            section=token.section,
            place=token.place,
            last=token.last,
            since=since,
            after=after,
        )
        reply = await self._executor.call(call, Keys.room(app, room))
        next_token = PageToken(reply.section, reply.place, reply.last, reply.revision, token.positions)
        first = reply.message.seq if which is Filter.READ else 0
        shown = [one for one in reply.people if not _was_shown(one, token.positions, first)]
        readers = [Receipt(one.member, reply.created_ms + one.at, one.exact, one.left_at >= 0) for one in shown]
        if reply.section and token.section != "y":
            next_token = replace(next_token, positions=_positions_after(token, reply.now, next_token))
            await asyncio.sleep(SURELY_LATER_S)
        return ReceiptsPage(
            message=reply.message,
            read=reply.read,
            unread=reply.unread,
            left=reply.left,
            readers=tuple(readers) if which is Filter.READ else (),
            non_readers=tuple(one.member for one in readers) if which is Filter.UNREAD else (),
            next=page_tokens.written(next_token) if reply.section else None,
        )

    async def receipt_counts(
        self, *, app: str, room: str, messages: Sequence[str], after: int = 0
    ) -> list[ReceiptCount | None]:
        check_many("messages", messages)
        key = Keys.room(app, room)
        batches = in_batches(messages, RECEIPTS_COUNTED_AT_ONCE) if messages else [()]
        calls = [(key, lua.receipt_counts(after=after, messages=batch)) for batch in batches]
        return list(itertools.chain.from_iterable(all_or_raise(await self._executor.call_each(calls))))


def _was_shown(one: Person, positions: Sequence[PagePosition], first: int) -> bool:
    """Whether a page before has shown a user: at its moment their cursor stood between its
    beginning and its end.

    `first`: the cursor at which the walk began. A move in the millisecond of a page may have been
    before or after it; then the user is shown again, so that none is left out.
    """
    began = (first - 1, "")
    for position in positions:
        ended = (position.place, position.last)
        if 0 <= one.left_at <= position.at_ms or not one.trail:
            return False
        if all(began < (place, one.member) <= ended for place in _places(one.trail, position.at_ms)):
            return True
        began = ended
    return False


def _places(trail: Sequence[int], at_ms: int) -> list[int]:
    """Where the cursor of a user with this trail may have stood at `at_ms`."""
    steps = list(zip(trail[::2], trail[1::2], strict=True))
    before = [place for place, since in steps if since < at_ms] or [trail[0]]
    return [before[-1], *(place for place, since in steps if since == at_ms)]


def _positions_after(before: PageToken, at_ms: int, token: PageToken) -> list[PagePosition]:
    """The positions with one more, for a page that ended where `token` goes on."""
    positions = before.positions
    last = PagePosition(at_ms, _END, "") if token.section == "y" else PagePosition(at_ms, token.place, token.last)
    if positions and token.revision == before.revision:
        # Nothing has happened in the room between the two pages, so they are as one.
        return [*positions[:-1], replace(last, at_ms=positions[-1].at_ms)]
    return [*positions, last] if len(positions) < MOST_POSITIONS else [*positions[:-1], last]
