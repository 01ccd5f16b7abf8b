"""The level of durability that a request asks for: `Prefer: durability=replicated` (RFC 7240)."""

from collections.abc import Callable
from typing import Any

from litestar.types import ASGIApp, HTTPScope, Message, Receive, Send

from readstate.dialects.http.reply import Reply
from readstate.domain.durability import Confirmation, Durability
from readstate.errors import Invalid, NotConfirmed

PREFER = b"prefer"
APPLIED = b"preference-applied"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})  # they change nothing
_LEVELS = tuple(level.value for level in Durability)


async def serve_durably(
    app: ASGIApp,
    confirmation: Confirmation,
    answer: Callable[[Any, Exception], Reply],
    scope: HTTPScope,
    receive: Receive,
    send: Send,
) -> None:
    """Serve a request by `app`, and send its answer when what it has changed is durable.

    `answer` is the dialect's. A level that the request asked for, and that was reached, is said in
    the header Preference-Applied.
    """
    try:
        asked = _asked_level(scope)
    except Invalid as error:
        await answer(scope, error)(scope, receive, send)
        return
    level = asked or confirmation.default
    if level is Durability.FAST or scope["method"] in _SAFE_METHODS:
        await app(scope, receive, send)
        return
    messages: list[Message] = []

    async def keep(message: Message) -> None:
        messages.append(message)

    try:
        await confirmation.confirmed(level, app(scope, receive, keep))
    except NotConfirmed as error:
        await answer(scope, error)(scope, receive, send)
        return
    for message in messages:
        if asked and message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (APPLIED, f"durability={level}".encode())]
        await send(message)


def _asked_level(scope: HTTPScope) -> Durability | None:
    """The level in the header Prefer, None without one. Other preferences are ignored.

    Raises Invalid for an unknown level.
    """
    for name, value in scope["headers"]:
        if name != PREFER:
            continue
        for preference in value.decode("latin-1").split(","):
            word, _, level = preference.partition(";")[0].partition("=")
            if word.strip().lower() != "durability":
                continue
            wanted = level.strip().strip('"').lower()
            if wanted not in _LEVELS:
                raise Invalid("Prefer", f"The durability in the header Prefer must be one of {', '.join(_LEVELS)}")
            return Durability(wanted)
    return None
