# mypy: disable-error-code="empty-body"
"""The scripts of the audit as Python calls them; lua.py has all others."""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from readstate.store.script_calls import script

Difference = tuple[bytes, bytes, bytes]  # what, stored, expected


class Compared(Struct, frozen=True):
    """How many values were compared, and those that differ."""

    compared: int
    differences: list[Difference]


class ComparedTypes(Struct, frozen=True):
    compared: int
    there: list[bytes]
    differences: list[Difference]


class ComparedHead(Struct, frozen=True):
    compared: int
    exists: bool
    differences: list[Difference]


class ComparedMessages(Struct, frozen=True):
    compared: int
    below: int
    looked: int
    differences: list[Difference]


@script
def audit_types(*, repair: bool, types: Iterable[tuple[str, str]]) -> ComparedTypes: ...
@script
def audit_head(*, repair: bool) -> ComparedHead: ...
@script
def audit_messages(*, repair: bool, below: int, most: int) -> ComparedMessages: ...
@script
def audit_index(*, repair: bool, fields: Sequence[bytes]) -> Compared: ...
@script
def audit_chunks(*, repair: bool, fields: Sequence[bytes]) -> Compared: ...
@script
def audit_members(*, repair: bool, settings: str, members: Iterable[tuple[bytes, str]]) -> Compared: ...
@script
def audit_order(*, repair: bool, names: Sequence[bytes]) -> Compared: ...
@script
def audit_journals(*, repair: bool, chunks: Sequence[bytes]) -> Compared: ...
@script
def audit_stays(*, repair: bool, names: Sequence[bytes]) -> Compared: ...
@script
def audit_marks(*, repair: bool, fields: Sequence[bytes]) -> Compared: ...
@script
def audit_acknowledgements(*, repair: bool, seqs: Sequence[bytes]) -> Compared: ...
@script
def audit_holes(*, repair: bool, holes: Sequence[bytes], deleted: Sequence[bytes]) -> Compared: ...
@script
def audit_pending(*, repair: bool, members: Sequence[bytes]) -> Compared: ...
@script
def audit_copies(*, repair: bool, rooms: Sequence[str]) -> Compared: ...
@script
def audit_counters(*, repair: bool) -> Compared: ...
