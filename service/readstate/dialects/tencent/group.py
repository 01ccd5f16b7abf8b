"""Groups: group_open_http_svc (Tencent Cloud Chat, RESTful API List).

A group is the room with its id.
"""

from typing import Literal

from readstate.dialects.access import costs
from readstate.dialects.tencent import errors, schemas
from readstate.dialects.tencent.group_types import MAX_RECEIPT_MEMBERS, given_type, has_receipts, has_unread
from readstate.dialects.tencent.naming import is_group, message_of_seq, room_of_group
from readstate.dialects.tencent.operation import Call, operation
from readstate.dialects.tencent.reply import Ok
from readstate.domain.limits import MAX_RECEIPTS_PER_PAGE
from readstate.domain.read_state import ReadState
from readstate.domain.receipts import Filter, ReceiptCount
from readstate.domain.rooms import Room
from readstate.errors import MessageUnknown, NotMember, RoomUnknown

_LAST_PAGE = "0"
_MAX_CURSOR_DIGITS = 320  # enough for the longest id


@operation(errors.GROUP)
async def set_unread_msg_num(request: Call, given: schemas.SetUnread) -> Ok:
    """Set a member's unread messages of a group, at most as many as it has; for migrations.

    What the member has read stays read.
    """
    room = await _room(request, given.group)
    if has_unread(given_type(room.profile)):
        try:
            await request.services.reading.set_unread(
                app=request.auth, room=room.room, user=given.member, count=given.count
            )
        except NotMember:
            raise errors.ProblemError(
                errors.ILLEGAL_PARAMETER, "Member_Account must be a member of the group"
            ) from None
    return Ok()


@operation(errors.GROUP, cost=costs.RECEIPTS)
async def get_group_msg_receipt(request: Call, given: schemas.GetReceipts) -> schemas.GroupReceiptCounts:
    """How many members have read each of up to 50 messages of a group, and how many have not; the
    sender is in neither number.
    """
    room = await _room(request, given.group)
    seqs = [message.seq for message in given.messages]
    counts: dict[int, ReceiptCount | None] = {}
    if _has_receipts(room):
        distinct = list(dict.fromkeys(seqs))
        found = await request.services.receipts.receipt_counts(
            app=request.auth, room=room.room, messages=[message_of_seq(seq) for seq in distinct]
        )
        counts = dict(zip(distinct, found, strict=True))
    return schemas.GroupReceiptCounts(GroupMsgReceiptList=[_counts(seq, counts.get(seq)) for seq in seqs])


@operation(errors.GROUP, cost=costs.RECEIPTS)
async def get_group_msg_receipt_detail(
    request: Call, given: schemas.GetReceiptDetail
) -> schemas.ReadPage | schemas.UnreadPage:
    """Who has read a message of a group (`Filter` 0), or has not (1): in the order of their names,
    up to 200 at once.
    """
    after = _read_cursor(given.cursor)
    room = await _room(request, given.group)
    if not _has_receipts(room):
        raise errors.ProblemError(errors.NO_RECEIPT)
    which = Filter.UNREAD if given.unread else Filter.READ
    members = await _members(request.services, request.auth, room.room, message_of_seq(given.seq), which)
    rest = sorted(member for member in members if member > after)
    page = rest[: given.count]
    is_last: Literal[0, 1] = 1 if len(rest) == len(page) else 0
    cursor = _LAST_PAGE if is_last else _make_cursor(page[-1])
    if given.unread:
        unread = [schemas.NonReader(member) for member in page]
        return schemas.UnreadPage(
            IsFinish=is_last, IsFinished=is_last, MsgSeq=given.seq, Cursor=cursor, UnreadList=unread
        )
    read = [schemas.Reader(member) for member in page]
    return schemas.ReadPage(IsFinish=is_last, IsFinished=is_last, MsgSeq=given.seq, Cursor=cursor, ReadList=read)


@operation(errors.GROUP)
async def group_msg_receipt(request: Call, given: schemas.SendReceipts) -> Ok:
    """Record that a member has read up to 50 messages of a group. What is unread does not change.

    Passed over are the member's own messages, those read already, those that are unknown or have no
    receipts.
    """
    room = await _room(request, given.group, given.member)
    if room.me is None:
        raise errors.ProblemError(errors.NOT_IN_GROUP)
    if _has_receipts(room):
        messages = [message_of_seq(message.seq) for message in given.messages]
        await request.services.reading.acknowledge(
            app=request.auth, room=room.room, user=given.member, messages=messages
        )
    return Ok()


async def _room(request: Call, group: str, member: str = "") -> Room:
    """The room of a group. Raises ProblemError."""
    if not is_group(group):
        raise errors.ProblemError(
            errors.ILLEGAL_GROUP, "GroupId must have 1 to 95 characters of printable ASCII, and not be . or .."
        )
    try:
        return await request.services.rooms.room(app=request.auth, room=room_of_group(group), user=member)
    except RoomUnknown:
        raise errors.ProblemError(errors.NO_SUCH_GROUP) from None


def _has_receipts(room: Room) -> bool:
    """Whether messages of the group have receipts, which depends on its type.

    Raises ProblemError for a group that is too large.
    """
    if not has_receipts(given_type(room.profile)):
        return False
    if room.member_count > MAX_RECEIPT_MEMBERS:
        raise errors.ProblemError(errors.GROUP_TOO_LARGE)
    return True


def _counts(seq: int, counts: ReceiptCount | None) -> schemas.ReceiptCounts:
    if counts is None:
        return schemas.ReceiptCounts(errors.NO_RECEIPT.code, seq, 0, 0)
    return schemas.ReceiptCounts(0, seq, counts.read, counts.unread)


async def _members(read_state: ReadState, app: str, room: str, message: str, which: Filter) -> set[str]:
    """The present members that have, or have not, read a message. Raises ProblemError."""
    found: set[str] = set()
    page = None
    while True:
        try:
            receipts = await read_state.receipts.page(
                app=app, room=room, message=message, which=which, limit=MAX_RECEIPTS_PER_PAGE, page=page
            )
        except MessageUnknown:
            raise errors.ProblemError(errors.NO_RECEIPT) from None
        found.update(receipts.non_readers, (receipt.member for receipt in receipts.readers if not receipt.left))
        page = receipts.next
        # After the present members come former ones, perhaps many.
        if not page or len(found) >= (receipts.read if which is Filter.READ else receipts.unread):
            return found


def _make_cursor(member: str) -> str:
    """The cursor of the page after `member`: a decimal number, as clients know it."""
    return str(int.from_bytes(b"\x01" + member.encode()))


def _read_cursor(cursor: str | None) -> str:
    """The member after which the page begins; "" for the first page. Raises ProblemError."""
    if cursor in (None, "", _LAST_PAGE):
        return ""
    try:
        number = int(cursor) if len(cursor) <= _MAX_CURSOR_DIGITS and cursor.isascii() and cursor.isdecimal() else 0
        packed = number.to_bytes((number.bit_length() + 7) // 8)
        if packed[:1] != b"\x01" or len(packed) == 1:
            raise ValueError
        return packed[1:].decode()
    except ValueError:
        raise errors.ProblemError(
            errors.ILLEGAL_PARAMETER, "Cursor must be empty or the one answered with the page before"
        ) from None
