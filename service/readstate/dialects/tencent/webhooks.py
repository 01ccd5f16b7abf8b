"""Tencent's form of webhooks (protocol: document 1047/34354).

C2C.CallbackAfterMsgReport      for one-to-one rooms (1047/43465)
Group.CallbackAfterReadReceipt  for groups (1047/60395)
Alert.RequestOverLimit          for commands called nearly too often (1047/60256)

Numbers are those at the time of delivery. The signature headers of Standard Webhooks are sent too,
because `Sign` does not cover the body.
"""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from urllib.parse import quote

import msgspec
from msgspec import Struct

from readstate.dialects.tencent.alerts import SERVICES, Alerts, nearly
from readstate.dialects.tencent.group_types import MAX_RECEIPT_MEMBERS, given_type, has_receipts
from readstate.domain.direct import DIRECT_TAGS, peers_of
from readstate.domain.events import ReadEvent
from readstate.domain.identity import FIRST_APP
from readstate.domain.limits import MAX_RECEIPT_MESSAGES
from readstate.domain.messages import MessageRef
from readstate.domain.read_state import ReadState
from readstate.domain.receipts import ReceiptCount
from readstate.errors import MessageUnknown, RoomUnknown
from readstate.settings import Settings
from readstate.webhooks.forms import Send, SignHeaders, WebhookRequest

MSG_REPORT = "C2C.CallbackAfterMsgReport"
READ_RECEIPT = "Group.CallbackAfterReadReceipt"
OVER_LIMIT = "Alert.RequestOverLimit"
MAX_MESSAGES = 50  # in one GroupMsgReceiptList; the newest


class MsgReport(Struct, frozen=True):
    """`Report_Account` has read the conversation with `Peer_Account` up to `LastReadTime`."""

    CallbackCommand: str
    Report_Account: str
    Peer_Account: str
    LastReadTime: int  # seconds; what was sent until then is read
    UnreadMsgNum: int  # of the reader, over all one-to-one conversations
    EventTime: int  # ms


class Reader(Struct, frozen=True):
    Member_Account: str


class MsgReceipt(Struct, frozen=True):
    """How many members have read one message, and which have read it now."""

    MsgSeq: int
    ReadNum: int
    UnreadNum: int
    ReadReceiptMembers: list[Reader]


class ReadReceipt(Struct, frozen=True):
    """A member of a group has read some messages."""

    CallbackCommand: str
    GroupId: str
    Type: str
    GroupMsgReceiptList: list[MsgReceipt]
    EventTime: int  # ms


class RequestOverLimit(Struct, frozen=True):
    """A command of the server API was called `Request` times in a second."""

    CallbackCommand: str
    ServiceName: str
    Command: str
    Request: int
    Limit: int


class TencentForm(Struct):
    """Puts events of `app`, Tencent's app, into Tencent's webhooks; it has none for other events.

    `rate_limit` is how often a command may be called in a second (0: any number). `token` makes
    `Sign`; `sign_headers` makes the headers that cover the body.
    """

    read_state: ReadState
    app: str
    sdkappid: int
    token: str
    sign_headers: SignHeaders
    rate_limit: int = 0
    name: str = "tencent"

    async def request(self, event: ReadEvent, now_s: int) -> WebhookRequest | None:
        if event.app != self.app:
            return None
        peers = _peers_of(event)
        try:
            content = await self._msg_report(event, peers) if peers else await self._read_receipt(event)
        except RoomUnknown:
            return None  # deleted since
        if content is None:
            return None
        body = msgspec.json.encode(content)
        # An id of its own: a receiver of both forms must not take one for a repeat of the other.
        headers = self.sign_headers(f"{event.id}_{self.name}", body, now_s)
        return WebhookRequest(body, headers, self._query(content.CallbackCommand, now_s), wants_json=True)

    async def covers(self, event: ReadEvent) -> bool:
        """Whether the event is of a one-to-one conversation or a group with receipts."""
        if event.app != self.app:
            return False
        try:
            return _peers_of(event) is not None or await self._group_type(event) != ""
        except RoomUnknown:
            return False

    async def _msg_report(self, event: ReadEvent, peers: tuple[str, str]) -> MsgReport:
        return MsgReport(
            CallbackCommand=MSG_REPORT,
            Report_Account=event.member,
            Peer_Account=peers[1] if event.member == peers[0] else peers[0],
            LastReadTime=await self._read_until_ms(event) // 1000,
            UnreadMsgNum=await self.read_state.badges.badge(app=event.app, user=event.member, tags=DIRECT_TAGS),
            EventTime=event.at_ms,
        )

    async def _read_until_ms(self, event: ReadEvent) -> int:
        """The time of reading when nothing is left unread, else the time of the message.

        What came after that message is not read.
        """
        stored = await self._stored(event, event.message) if event.unread else None
        return stored.at_ms if stored else event.at_ms

    async def _read_receipt(self, event: ReadEvent) -> ReadReceipt | None:
        group_type = await self._group_type(event)
        counts = await self._counts(event) if group_type else []
        if not counts:
            return None
        reader = [Reader(event.member)]
        listed = [MsgReceipt(int(count.message), count.read, count.unread, reader) for count in reversed(counts)]
        return ReadReceipt(READ_RECEIPT, event.room, group_type, listed, event.at_ms)

    async def _group_type(self, event: ReadEvent) -> str:
        """The type of a group whose messages have receipts; "" for other rooms."""
        if not _is_msg_seq(event.message):
            return ""
        room = await self.read_state.rooms.room(app=event.app, room=event.room)
        given = given_type(room.profile)
        return given if has_receipts(given) and room.member_count <= MAX_RECEIPT_MEMBERS else ""

    async def _counts(self, event: ReadEvent) -> list[ReceiptCount]:
        """The counts of the newest messages that the event covers, newest first.

        A message's id is its MsgSeq. These numbers may have gaps.
        """
        newest, covered = int(event.message), min(event.seq - event.before, MAX_MESSAGES)
        asked = [str(number) for number in range(newest, max(newest - MAX_RECEIPT_MESSAGES, 0), -1)]
        found = await self.read_state.receipts.receipt_counts(app=event.app, room=event.room, messages=asked)
        known = [count for count in found if count is not None][:covered]
        if None in found[:covered]:
            # Deleted messages and gaps look alike here, so a look-up finds the end of the event's
            # messages.
            known = known[: await self._how_many_after(event, known)]
        return known

    async def _how_many_after(self, event: ReadEvent, counts: Sequence[ReceiptCount]) -> int:
        """How many of `counts`, newest first, come after `event.before`."""
        first, last = 0, len(counts)
        while first < last:
            middle = (first + last) // 2
            stored = await self._stored(event, counts[middle].message)
            if stored and stored.seq > event.before:
                first = middle + 1
            else:
                last = middle
        return first

    async def _stored(self, event: ReadEvent, message: str) -> MessageRef | None:
        """What is kept of a message; None when it was deleted just now."""
        try:
            page = await self.read_state.receipts.page(app=event.app, room=event.room, message=message, limit=1)
        except MessageUnknown:
            return None
        return page.message

    async def run(self, send: Send, may_send: Callable[[], bool], stop: asyncio.Event) -> None:
        """Send alerts until `stop` is set."""
        if self.rate_limit:
            await Alerts(self.read_state, self.app, self._alert, send, may_send).run(stop)

    def _alert(self, command: str, now_s: int) -> WebhookRequest:
        """The warning that a command is called nearly too often."""
        limit = self.rate_limit
        body = msgspec.json.encode(RequestOverLimit(OVER_LIMIT, SERVICES[command], command, nearly(limit), limit))
        headers = self.sign_headers(f"alert_{command}_{now_s}", body, now_s)
        return WebhookRequest(body, headers, self._query(OVER_LIMIT, now_s), wants_json=True)

    def _query(self, command: str, now_s: int) -> str:
        """The query of the URL, in Tencent's order. The device that read is not known here."""
        parts = {
            "SdkAppid": str(self.sdkappid),
            "CallbackCommand": command,
            "contenttype": "json",
            **({} if command == OVER_LIMIT else {"ClientIP": "Unknown"}),
            "OptPlatform": "Unknown",
            "Sign": sign(self.token, str(now_s)),
            "RequestTime": str(now_s),
        }
        return "&".join(f"{name}={quote(value, safe='')}" for name, value in parts.items())


def _peers_of(event: ReadEvent) -> tuple[str, str] | None:
    """The two users of a conversation of which one has read; None for other events."""
    peers = peers_of(event.room)
    return peers if peers and event.member in peers else None


def _is_msg_seq(message: str) -> bool:
    return message.isascii() and message.isdecimal() and len(message) <= 15


def webhook_form(settings: Settings, read_state: ReadState, sign_headers: SignHeaders) -> TencentForm | None:
    """The form for Tencent's app, which is the first app here; None when it is not set up."""
    if settings.tencent_sdkappid is None or settings.webhook_token is None:
        return None
    return TencentForm(
        read_state,
        app=FIRST_APP,
        sdkappid=settings.tencent_sdkappid,
        token=settings.webhook_token,
        sign_headers=sign_headers,
        rate_limit=settings.tencent_rate_limit,
    )


def sign(token: str, request_time: str) -> str:
    """The `Sign` of a webhook sent at `request_time` (Unix seconds): lower-case hex SHA-256.

    It proves that the sender knows the token. It covers neither the body nor the rest of the URL.
    """
    return hashlib.sha256(f"{token}{request_time}".encode("utf-8", "surrogatepass")).hexdigest()
