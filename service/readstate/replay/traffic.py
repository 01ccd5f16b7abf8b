"""Traffic files: one event a line, as JSON, plain or gzipped."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta, Struct

from readstate.domain.limits import check_id
from readstate.errors import Invalid
from readstate.transfer.files import TransferError, lines_of

Kind = Literal["post", "join", "leave", "rename"]
KINDS: tuple[str, ...] = get_args(Kind)


class TrafficEvent(Struct, frozen=True):
    """What happened in one room.

    The order of lines is the order of events; `at` (RFC 3339) is often too coarse for it.
    """

    room: str
    at: str
    kind: Kind
    user: str
    text: str = ""  # of a post
    to: str = ""  # of a rename: the new name


_Time = Annotated[datetime, Meta(tz=True)]


class Skipped(Struct, frozen=True):
    """An event that the service cannot hold, and why."""

    number: int  # counted from 1
    reason: str


class TrafficError(Exception):
    """The file is not a traffic file; the message names the line."""


def read_traffic(path: Path, *, limit: int = 0) -> list[TrafficEvent]:
    """All events of `path` in order, or the first `limit`.

    Raises TrafficError for a line that is not an event, or when there is none, OSError.
    """
    with path.open("rb") as file:
        try:
            events = list(_decode(islice(lines_of(file), limit or None)))
        except TransferError as error:
            raise TrafficError(str(error)) from None
    if not events:
        raise TrafficError(f"{path} holds no events: each is one line of JSON")
    return events


def sift(events: Iterable[TrafficEvent], prefix: str) -> tuple[list[TrafficEvent], list[Skipped]]:
    """Put `prefix` before every id, and set apart events whose ids break limits of the service."""
    kept: list[TrafficEvent] = []
    skipped: list[Skipped] = []
    for number, event in enumerate(events, 1):
        named = msgspec.structs.replace(
            event,
            room=prefix + event.room,
            user=prefix + event.user,
            to=prefix + event.to if event.kind == "rename" else "",
        )
        try:
            _check(named)
        except Invalid as refused:
            skipped.append(Skipped(number, str(refused)))
        else:
            kept.append(named)
    return kept, skipped


def _check(event: TrafficEvent) -> None:
    check_id("room", event.room)
    check_id("user", event.user)
    if event.kind == "rename":
        check_id("to", event.to)


def _check_time(number: int, at: str) -> None:
    try:
        msgspec.convert(at, _Time)
    except msgspec.ValidationError:
        raise TrafficError(
            f"line {number}: `at` must be a time as of RFC 3339, such as 2031-03-02T10:00:00Z, not {at!r}"
        ) from None


def _decode(lines: Iterable[bytes]) -> Iterator[TrafficEvent]:
    decoder = msgspec.json.Decoder(TrafficEvent)
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            event = decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            kinds = f" (`kind` is one of {', '.join(KINDS)})" if "enum value" in str(error) else ""
            raise TrafficError(f"line {number} is not an event: {error}{kinds}") from None
        _check_time(number, event.at)
        if event.kind == "rename" and not event.to:
            raise TrafficError(f"line {number} renames {event.user!r} but does not say `to` what")
        yield event
