"""The native form: an event `read` as Standard Webhooks has it.

https://www.standardwebhooks.com, specification 1.0.
"""

import msgspec
from msgspec import Struct

from readstate.domain.events import ReadEvent
from readstate.times import iso
from readstate.webhooks.forms import SignHeaders, WebhookRequest


class ReadData(Struct, frozen=True):
    """`member` has read `room` up to `message`.

    A receiver keeps the data with the highest `revision`.
    """

    app: str
    room: str
    member: str
    message: str
    seq: int  # of `message` in its room
    before: int  # this covers the messages from before + 1 to seq
    unread: int  # of the member in this room after it
    revision: int  # rises with every change of the room


class ReadMessage(Struct, frozen=True):
    """The body."""

    type: str
    timestamp: str  # when it was read, UTC
    data: ReadData


class Standard(Struct):
    """Puts every event into `{"type":"read","timestamp":...,"data":{...}}`."""

    sign_headers: SignHeaders
    name: str = "standard"

    async def request(self, event: ReadEvent, now_s: int) -> WebhookRequest:
        data = msgspec.convert(event, ReadData, from_attributes=True)
        body = msgspec.json.encode(ReadMessage("read", iso(event.at_ms), data))
        return WebhookRequest(body, self.sign_headers(event.id, body, now_s))
