"""Marking a room read or unread (apidocs/mark-channel-as-read, mark-channel-as-unread).

To show a room as unread, the original moves the cursor back. Here cursors never go back, and
receipts are never taken back. Instead a mark is kept beside the cursor, until the caller reads
again. While it is set, `alert` is true and `ls` is the time of the message; `unread` does not
change.

Threads are not kept here: a reply counts in its room like any message, and is read with the room.
So chat.readThread (since 8.8.0) changes nothing. It exists for clients that call it whenever a
thread is opened, and refuses a thread that the caller cannot see.
"""

from readstate.dialects.base import ProblemError, Services
from readstate.dialects.rocketchat.errors import INVALID_SUBSCRIPTION
from readstate.dialects.rocketchat.operation import Call, operation
from readstate.dialects.rocketchat.reply import Problem
from readstate.dialects.rocketchat.rooms import message_problems, room_of_message
from readstate.dialects.rocketchat.schemas import Done, ReadRid, ReadRoomId, ReadThread, UnreadFrom, UnreadRoom
from readstate.dialects.rocketchat.views import last_seen_ms
from readstate.domain.identity import Session
from readstate.domain.messages import MessageRef
from readstate.domain.rooms import MemberState
from readstate.errors import MessageUnknown, NotMember, RoomUnknown

_WHERE = {"method": "unreadMessages", "action": "Unread_messages"}

NO_MESSAGE = Problem.coded("error-no-message-for-unread", "There are no messages to mark unread", **_WHERE)
NOT_ALLOWED = Problem.coded("error-action-not-allowed", "Not allowed", **_WHERE)
NO_SUBSCRIPTION = Problem.coded("error-subscription-not-found", "Subscription not found")


@operation(
    "POST /subscriptions.read",
    problems={RoomUnknown: INVALID_SUBSCRIPTION, NotMember: INVALID_SUBSCRIPTION},
)
async def read(request: Call, given: ReadRid | ReadRoomId) -> Done:
    """The caller has read the whole room.

    `readThreads` is accepted: replies are read with their room in any case.
    """
    session = request.auth
    await request.services.reading.mark_read_until(
        app=session.app, room=given.room, user=session.user, with_badge=False
    )
    return Done()


@operation("POST /chat.readThread", problems=message_problems("readThreads"))
async def read_thread(request: Call, given: ReadThread) -> Done:
    """Accepted for a thread in a room of the caller, and changes nothing: replies are read with
    their room.
    """
    room, me = await room_of_message(request.services, request.auth, given.message)
    await request.services.messages.message(
        app=request.auth.app, room=room.room, message=given.message, after=me.joined
    )
    return Done()


@operation(
    "POST /subscriptions.unread",
    problems=dict.fromkeys((RoomUnknown, NotMember, MessageUnknown), NO_MESSAGE),
)
async def unread(request: Call, given: UnreadRoom | UnreadFrom) -> Done:
    """Show a room as unread, from its newest message on or from `firstUnreadMessage` on, until the
    caller reads it again.
    """
    services, session = request.services, request.auth
    if isinstance(given, UnreadRoom):
        await services.reading.mark_unread(app=session.app, room=given.room, user=session.user)
    else:
        await _unread_from(services, session, given.first.message)
    return Done()


async def _unread_from(services: Services, session: Session, message: str) -> None:
    """Mark a room unread from a message on.

    Raises ProblemError for a message that the caller cannot see or has sent, and for a caller that
    has never read the room.
    """
    try:
        room, me = await room_of_message(services, session, message)
        found = await services.receipts.page(app=session.app, room=room.room, message=message, limit=1, after=me.joined)
    except (RoomUnknown, NotMember, MessageUnknown):
        raise ProblemError(NOT_ALLOWED) from None
    if found.message.sender == session.user:
        raise ProblemError(NOT_ALLOWED)
    if not last_seen_ms(me):
        raise ProblemError(NO_SUBSCRIPTION)
    if not _is_unread(found.message, me):
        await services.reading.mark_unread(app=session.app, room=room.room, user=session.user, message=message)


def _is_unread(message: MessageRef, me: MemberState) -> bool:
    """Whether the message is unread for the caller already."""
    return message.seq > me.cursor or (me.marked_ms is not None and me.marked_ms <= message.at_ms)
