"""What is sent: an event in one of the forms."""

from typing import Protocol

from msgspec import Struct

from readstate.domain.events import ReadEvent


class Letter(Struct, frozen=True):
    """One request, made anew for every attempt."""

    body: bytes  # JSON
    headers: dict[str, str]
    query: str = ""  # appended to the receiver's URL
    wants_json: bool = False  # the answer is a success only with status 200 and JSON; otherwise any 2xx is one


class Form(Protocol):
    """A way to tell an event."""

    name: str

    async def letter(self, event: ReadEvent, now_s: int) -> Letter | None:
        """The event as told at Unix second `now_s`; None when this form has nothing to tell of it. Raises Unavailable."""
