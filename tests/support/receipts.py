"""Receipts as a client collects them, page by page, and what is certain after the journal was
trimmed.
"""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from msgspec.structs import replace

from readstate.domain.receipts import Filter, Receipt, ReceiptsPage
from readstate.store.redis_store import RedisStore
from tests.support.model import ModelStore
from tests.support.model_room import Message, ModelRoom

MAX_PAGES = 1000  # far more than any test has people


async def pages(
    store: RedisStore | ModelStore, app: str, room: str, message: str, which: Filter = Filter.READ, limit: int = 1000
) -> AsyncIterator[ReceiptsPage]:
    """Page after page, as long as there is a next one."""
    page: str | None = None
    for _ in range(MAX_PAGES):
        answer = await store.receipts.page(app=app, room=room, message=message, which=which, limit=limit, page=page)
        assert len(answer.readers) + len(answer.non_readers) <= limit, "a page holds more than was asked for"
        yield answer
        page = answer.next
        if not page:
            return
    raise AssertionError("the pages do not end")


async def whole_list(
    store: RedisStore | ModelStore, app: str, room: str, message: str, which: Filter = Filter.READ, limit: int = 1000
) -> ReceiptsPage:
    """All pages as one answer, users in the order of their names."""
    found = [page async for page in pages(store, app, room, message, which, limit)]
    assert len({(page.message, page.read, page.unread, page.left) for page in found}) == 1, (
        "the pages disagree about the numbers"
    )
    return replace(
        found[0],
        readers=tuple(
            sorted((receipt for page in found for receipt in page.readers), key=lambda receipt: receipt.member)
        ),
        non_readers=tuple(sorted(member for page in found for member in page.non_readers)),
        next="",
    )


def check_receipts(
    real: ReceiptsPage, true: ReceiptsPage, *, certain: Callable[[Receipt], bool] = lambda _: True
) -> None:
    """`real` equals `true`, except for times that the trimmed journal no longer has: these are
    later, and not `exact`.

    `certain`: whether the journal must still have the time of a true receipt.
    """
    assert len(real.readers) == len(true.readers), f"{real.readers} instead of {true.readers}"
    for found, expected in zip(real.readers, true.readers, strict=True):
        if found.exact or certain(expected):
            assert found == expected
        else:
            assert found.at_ms >= expected.at_ms, f"{found} is earlier than {expected}"
            assert replace(found, at_ms=expected.at_ms, exact=expected.exact) == expected
    assert replace(real, readers=()) == replace(true, readers=())


def certainty(room: ModelRoom, message: Message, moves_kept: int) -> Callable[[Receipt], bool]:
    """Whether the move behind a true receipt is among the newest `moves_kept` of its member.

    Joining again after leaving counts as a move.
    """

    def certain(receipt: Receipt) -> bool:
        return moves_since(room, receipt.member, message.seq) <= moves_kept or was_acknowledged(
            room, receipt.member, message
        )

    return certain


def moves_since(room: ModelRoom, member: str, seq: int) -> int:
    """How many moves `member` has made from the first one that reached `seq` on."""
    stays = [stay for name, stay in room.ended if name == member]
    stays += [room.members[member]] if member in room.members else []
    rejoined = [(stay.baseline, stay.joined_ms) for stay in stays[1:]]
    return sum(1 for reached, _ in [move for stay in stays for move in stay.moves] + rejoined if reached >= seq)


def was_acknowledged(room: ModelRoom, member: str, message: Message) -> bool:
    stays = [stay for name, stay in [*room.ended, *room.members.items()] if name == member]
    return any(message.seq in stay.acknowledged for stay in stays)


async def page_while(
    store: RedisStore | ModelStore,
    app: str,
    room: str,
    message: str,
    which: Filter,
    limit: int,
    between: Sequence[Callable[[], Awaitable[None]]],
) -> Counter[str]:
    """How often each user comes in the pages, when one of `between` happens after each page."""
    seen: Counter[str] = Counter()
    waiting = iter(between)
    async for page in pages(store, app, room, message, which, limit):
        seen.update([*(receipt.member for receipt in page.readers), *page.non_readers])
        if happening := next(waiting, None):
            await happening()
    return seen
