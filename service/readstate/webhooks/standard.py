"""The native form: an event `read` as Standard Webhooks describes it (https://www.standardwebhooks.com, specification 1.0)."""

from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from readstate.domain.events import ReadEvent
from readstate.webhooks.letters import Letter
from readstate.webhooks.signing import Signer


class ReadData(Struct, frozen=True):
    """`member` has read `room` up to `message`. Only ever the newest such fact: a receiver keeps the highest `revision`."""

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


class Standard:
    """Every event as `{"type":"read","timestamp":...,"data":{...}}`."""

    name = "standard"

    def __init__(self, signer: Signer) -> None:
        self._signer = signer

    async def letter(self, event: ReadEvent, now_s: int) -> Letter | None:
        data = ReadData(
            app=event.app,
            room=event.room,
            member=event.member,
            message=event.message,
            seq=event.seq,
            before=event.before,
            unread=event.unread,
            revision=event.revision,
        )
        body = msgspec.json.encode(ReadMessage("read", _iso(event.at_ms), data))
        return Letter(body, self._signer.headers(event.id, body, now_s))


def _iso(at_ms: int) -> str:
    at = datetime.fromtimestamp(at_ms // 1000, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}Z"
