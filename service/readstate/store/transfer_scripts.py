# mypy: disable-error-code="empty-body"
"""The scripts of export and import as Python calls them; lua.py has all others."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from msgspec import Struct

from readstate.store.script_calls import script


class ExportedRoom(Struct, frozen=True):
    created_ms: int
    tags: tuple[str, ...]
    profile: dict[str, bytes]
    active: bool
    by_client: bool
    seq: int
    ordinal: int
    oldest: int
    floor_seq: int
    floor: int
    deleted: int
    invited: list[str]


class ExportedMessage(Struct, frozen=True):
    seq: int
    ordinal: int
    kind: int
    hidden: bool
    at_ms: int
    joined: int
    message: str
    sender: str
    acknowledged: list[tuple[str, int, int]]


class ExportedMember(Struct, frozen=True):
    member: str
    left: bool
    cursor: int
    ordinal: int
    read: int
    joined: int
    marked: int
    until_ms: int
    since_cursor: int
    since_ms: int
    moves: list[int]


class ExportedMembers(Struct, frozen=True):
    looked: int
    people: list[ExportedMember]


class ExportedStay(NamedTuple):
    member: str
    joined: int
    cursor: int
    ended_ms: int


@script
def export_room() -> ExportedRoom: ...
@script
def export_messages(*, first: int, last: int) -> list[ExportedMessage]: ...
@script
def export_members(*, head: int, ordinal: int, most: int, names: Sequence[bytes]) -> ExportedMembers: ...
@script
def export_stays(*, head: int, fields: Sequence[bytes]) -> list[ExportedStay]: ...


class Staged(Struct, frozen=True):
    """How far an import has come with a room."""

    state: int
    seq: int


@script
def import_room(
    *,
    source: str,
    created_ms: int,
    seq: int,
    ordinal: int,
    floor_seq: int,
    floor: int,
    deleted: int,
    active: bool,
    by_client: bool,
    tags: Sequence[str],
    profile: Sequence[tuple[str, bytes]],
    invited: Sequence[str],
) -> Staged: ...
@script
def import_messages(*, source: str, holes: Sequence[int], messages: Iterable[bytes]) -> int: ...
@script
def import_head(*, source: str) -> bool: ...
@script
def import_members(
    *, app: str, source: str, settings: str, members: Sequence[bytes], stays: Sequence[bytes]
) -> int: ...
