"""Who has read a message, and since when (apidocs/get-message-read-receipts).

The sender comes first, with the message's own time; the others in the order of the time at which
they had read it, then of their ids. A member that left after reading keeps the receipt; one that
joined later has none and sees none. Without `offset` and `count` all receipts come in one answer,
up to MAX_RECEIPTS.
"""

from msgspec import UNSET, UnsetType

from readstate.dialects.access import costs
from readstate.dialects.base import Services
from readstate.dialects.rocketchat.errors import MESSAGE_REQUIRED
from readstate.dialects.rocketchat.operation import Call, operation
from readstate.dialects.rocketchat.rooms import message_problems, room_of_message
from readstate.dialects.rocketchat.schemas import MessageReceipt, MessageReceipts, MessageReceiptsAnswer
from readstate.dialects.rocketchat.views import person
from readstate.domain.identity import Session, User
from readstate.domain.limits import MAX_RECEIPTS_PER_PAGE
from readstate.domain.receipts import ReceiptsPage
from readstate.times import iso

# Compared at for one answer, without the sender's; of more readers the first in the domain's order.
MAX_RECEIPTS = 10_000
DEFAULT_COUNT = 50
MAX_COUNT = 100

Read = tuple[str, int]  # a reader, and since when (Unix ms)


@operation(
    "GET /chat.getMessageReadReceipts",
    problems=message_problems("getReadReceipts"),
    empty={"messageId": MESSAGE_REQUIRED},
    cost=costs.RECEIPTS,
)
async def receipts(request: Call, given: MessageReceipts) -> MessageReceiptsAnswer:
    """Who has read a message that came into a room of the caller since they joined, and since when.

    With neither `offset` nor `count` all of them, up to 10,000; `count` is at most 100, and 0 means
    all from `offset` on.
    """
    services, session = request.services, request.auth
    room, me = await room_of_message(services, session, given.message)
    request.charge(costs.of_members(room.member_count, at_most=MAX_RECEIPTS))
    page = _page(await _all(services, session, room.room, given.message, me.joined), given.offset, given.count)
    people = await services.people.find(session.app, {reader for reader, _ in page})
    return MessageReceiptsAnswer([_receipt(room.room, given.message, read, people.get(read[0])) for read in page])


async def _all(services: Services, session: Session, room: str, message: str, after: int) -> list[Read]:
    """All readers of the message, if its seq is above `after`, in the order of this dialect."""
    found: dict[str, int] = {}
    page: ReceiptsPage | None = None
    while page is None or (page.next and len(found) < MAX_RECEIPTS):
        page = await services.receipts.page(
            app=session.app,
            room=room,
            message=message,
            limit=MAX_RECEIPTS_PER_PAGE,
            page=page.next if page else None,
            after=after,
        )
        for receipt in page.readers:
            # A message may have the time of its sender's clock; no receipt is older than the
            # message.
            found.setdefault(receipt.member, max(receipt.at_ms, page.message.at_ms))
    sender = page.message.sender
    if sender is not None:
        found.pop(sender, None)
    readers = sorted(found.items(), key=lambda read: (read[1], read[0]))[:MAX_RECEIPTS]
    return [(sender, page.message.at_ms), *readers] if sender else readers


def _page(reads: list[Read], offset: int | UnsetType, count: int | UnsetType) -> list[Read]:
    if offset is UNSET and count is UNSET:
        return reads
    start = 0 if offset is UNSET else offset
    size = DEFAULT_COUNT if count is UNSET else min(count, MAX_COUNT) or len(reads)
    return reads[start : start + size]


def _receipt(room: str, message: str, read: Read, known: User | None) -> MessageReceipt:
    reader, at_ms = read
    return MessageReceipt(
        id=message + reader,
        room=room,
        user_id=reader,
        message=message,
        ts=iso(at_ms),
        updated_at=iso(at_ms),
        user=person(reader, known) if known else UNSET,
    )
