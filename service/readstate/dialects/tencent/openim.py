"""One-to-one conversations: openim (Tencent Cloud Chat, RESTful API List).

This service keeps no accounts, so unknown accounts and messages are not refused: a conversation
that has not begun is empty.
"""

import asyncio
import re
from time import time_ns

from msgspec import UNSET

from readstate.dialects.http.body import decode, raw_fields
from readstate.dialects.http.hints import nearest, unknown
from readstate.dialects.tencent import errors, schemas
from readstate.dialects.tencent.naming import is_account, is_message_key, message_key, time_ms
from readstate.dialects.tencent.operation import Call, operation
from readstate.dialects.tencent.reply import Ok
from readstate.domain.direct import DIRECT_TAGS, direct_room
from readstate.domain.read_state import ReadState
from readstate.domain.rooms import Status
from readstate.errors import NotMember, RoomUnknown

MAX_TIME_S = 10**11  # a larger number is in milliseconds

_UNREAD_FIELDS = ("To_Account", "Peer_Account")
_DECIMAL = re.compile(r"\d{0,20}", re.ASCII)


@operation(
    errors.OPENIM,
    field_problems={"Report_Account": errors.FROM_ACCOUNT_MISSING, "Peer_Account": errors.TO_ACCOUNT_MISSING},
)
async def admin_set_msg_read(request: Call, given: schemas.SetMsgRead) -> Ok:
    """Mark a conversation read for one of its two accounts, up to and including a second; without
    one altogether.
    """
    until_ms = read_until_ms(given.read_time)
    if given.reader != given.peer:
        try:
            room = direct_room(given.reader, given.peer)
            await request.services.reading.mark_read_until(
                app=request.auth, room=room, user=given.reader, until_ms=until_ms, with_badge=False
            )
        except (RoomUnknown, NotMember):
            pass  # empty, so everything in it is read
    return Ok()


@operation(
    errors.OPENIM, field_problems={"To_Account": errors.TO_ACCOUNT_MISSING, "Peer_Account": errors.TOO_MANY_ACCOUNTS}
)
async def get_c2c_unread_msg_num(
    request: Call, given: schemas.GetUnread
) -> schemas.UnreadTotal | schemas.UnreadOfPeers:
    """An account's unread messages with each of up to 10 peers, or without peers in all one-to-one
    conversations.
    """
    app, read_state = request.auth, request.services
    peers = list(dict.fromkeys([given.peers] if isinstance(given.peers, str) else given.peers or ()))
    if not peers:
        _check_no_peers_meant(await request.body())
        return schemas.UnreadTotal(
            AllC2CUnreadMsgNum=await read_state.badges.badge(app=app, user=given.account, tags=DIRECT_TAGS)
        )
    known = [peer for peer in peers if is_account(peer)]
    counts = await asyncio.gather(*(_unread(read_state, app, given.account, peer) for peer in known))
    unread = [schemas.PeerUnread(peer, count) for peer, count in zip(known, counts, strict=True)]
    failures = [schemas.PeerFailure(peer, errors.NO_SUCH_ACCOUNT.code) for peer in peers if peer not in known]
    return schemas.UnreadOfPeers(C2CUnreadMsgNumList=unread, ErrorList=failures or UNSET)


@operation(
    errors.OPENIM,
    field_problems={
        "Operator_Account": errors.PARTNER_MISSING,
        "Peer_Account": errors.PARTNER_MISSING,
        **dict.fromkeys(("MsgKey", "MsgSeq", "MsgRandom", "MsgTime"), errors.MESSAGE_KEY_ILLEGAL),
    },
)
async def c2c_msg_read_receipt(request: Call, given: schemas.ReceiptMessages) -> Ok:
    """Record that an account has read single messages of its peer.

    What is unread does not change; unknown messages are passed over.
    """
    for message in given.messages:
        if (message.sender, message.receiver) != (given.peer, given.reader):
            raise errors.ProblemError(
                errors.ILLEGAL_REQUEST, "From_Account must be the Peer_Account, and To_Account the Operator_Account"
            )
    keys = [_key(message) for message in given.messages]
    try:
        room = direct_room(given.reader, given.peer)
        await request.services.reading.acknowledge(app=request.auth, room=room, user=given.reader, messages=keys)
    except (RoomUnknown, NotMember):
        pass  # no message of it is known
    return Ok()


def read_until_ms(given: float | str | None) -> int | None:
    """`MsgReadTime` as Unix ms for mark_read_until; None when there is none, or it is not over yet.

    Clients send an integer, an integral float or a decimal string, and 0 or "" for none.
    Raises ProblemError.
    """
    seconds = float(given or 0) if not isinstance(given, str) or _DECIMAL.fullmatch(given) else -1.0
    if seconds < 0 or not seconds.is_integer():
        raise errors.ProblemError(errors.ILLEGAL_REQUEST, "MsgReadTime must be Unix time in whole seconds")
    if seconds > MAX_TIME_S:
        raise errors.ProblemError(
            errors.ILLEGAL_REQUEST, "MsgReadTime must be Unix time in seconds, not in milliseconds"
        )
    until_ms = time_ms(int(seconds))
    return until_ms if seconds and until_ms < time_ns() // 1_000_000 else None


def _check_no_peers_meant(body: bytes) -> None:
    """Refuse a body with Peer_Account misspelt: the total would look like the right answer.

    Other unknown fields are ignored. Raises ProblemError.
    """
    for name in decode(raw_fields, body):
        if name not in _UNREAD_FIELDS and nearest(name, _UNREAD_FIELDS) == "Peer_Account":
            raise errors.ProblemError(errors.ILLEGAL_REQUEST, unknown("field", name, _UNREAD_FIELDS))


async def _unread(read_state: ReadState, app: str, account: str, peer: str) -> int:
    try:
        room = await read_state.rooms.room(app=app, room=direct_room(account, peer), user=account)
    except RoomUnknown:
        return 0
    return room.me.unread if room.me and room.status is Status.ACTIVE else 0


def _key(message: schemas.ReadMessage) -> str:
    """The id of a message, from its key or from the three numbers that older clients send.

    Raises ProblemError.
    """
    if message.key is not None:
        if is_message_key(message.key):
            return message.key
    elif message.seq is not None and message.random is not None and message.time_s is not None:
        return message_key(message.seq, message.random, message.time_s)
    raise errors.ProblemError(errors.MESSAGE_KEY_ILLEGAL, "MsgKey must be {MsgSeq}_{MsgRandom}_{MsgTime}")
