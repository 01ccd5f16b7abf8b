"""Webhook requests, and the forms that make them from events.

A dialect may bring a form of its own.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from msgspec import Struct

from readstate.domain.events import ReadEvent

# Makes the signature headers from a webhook's id, its body and the Unix second.
SignHeaders = Callable[[str, bytes, int], dict[str, str]]


class WebhookRequest(Struct, frozen=True):
    """One request to the receiver, made anew for every attempt."""

    body: bytes  # JSON
    headers: dict[str, str]
    query: str = ""  # appended to the receiver's URL
    wants_json: bool = False  # only status 200 with JSON is a success; otherwise any 2xx is one


class Answer(Struct, frozen=True):
    """How the receiver answered a request."""

    reason: str  # why it was not accepted, one of a short fixed list of words; "": it was accepted
    detail: str = ""  # the same for people; never the body
    retry_after_s: float = 0.0  # what the receiver asked for, at most an hour
    is_busy: bool = False  # the receiver asked for a pause of all requests (429, 503), not only of this one
    is_gone: bool = False  # the receiver wants no more requests (410)


Send = Callable[[WebhookRequest], Awaitable[Answer]]


class Form(Protocol):
    """A way to put an event into a request."""

    name: str

    async def request(self, event: ReadEvent, now_s: int) -> WebhookRequest | None:
        """The request for an event at Unix second `now_s`; None when the form has none.

        Raises Unavailable.
        """


class DialectForm(Form, Protocol):
    """A dialect's form, which covers some events only."""

    async def covers(self, event: ReadEvent) -> bool:
        """Whether the event is one that the dialect's own clients know."""

    async def run(self, send: Send, may_send: Callable[[], bool], stop: asyncio.Event) -> None:
        """Send what the dialect has to send beside events, until `stop` is set.

        `may_send` says whether the receiver takes requests now.
        """


Choice = Callable[[ReadEvent], Awaitable[Sequence[Form]]]


def choice_of(wanted: str, native: Form, dialect: DialectForm | None) -> Choice:
    """How the forms of an event are chosen. `wanted` is the name of a form, or one of these:

    auto      the dialect's form for the events that it covers, the native form for the others
    both      the native form for every event, and the dialect's form as well
    """
    always: list[Form] = [] if dialect is not None and wanted == dialect.name else [native]
    if dialect is not None and wanted in (dialect.name, "both"):
        always.append(dialect)

    async def choose(event: ReadEvent) -> Sequence[Form]:
        if wanted == "auto" and dialect is not None and await dialect.covers(event):
            return [dialect]
        return always

    return choose
