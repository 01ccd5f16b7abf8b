"""The native form: an event `read` as Standard Webhooks has it. And the signatures of that
standard, which every form sends.

https://www.standardwebhooks.com, specification 1.0.
"""

import base64
import hmac

import msgspec
from msgspec import Struct

from readstate.domain.events import ReadEvent
from readstate.times import iso
from readstate.webhook_keys import secret_of
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


class Signer:
    """Signs with the present token and, while the receiver changes to it, with the old one too."""

    def __init__(self, token: str, old_token: str | None = None) -> None:
        self._secrets = [secret_of(one) for one in (token, old_token) if one]

    def headers(self, message_id: str, body: bytes, now_s: int) -> dict[str, str]:
        """The three headers of Standard Webhooks; one signature per secret, the present first."""
        signed = b"%b.%d.%b" % (message_id.encode(), now_s, body)
        signatures = [base64.b64encode(hmac.digest(secret, signed, "sha256")).decode() for secret in self._secrets]
        return {
            "webhook-id": message_id,
            "webhook-timestamp": str(now_s),
            "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
        }
