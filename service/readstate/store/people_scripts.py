# mypy: disable-error-code="empty-body"
"""The scripts that erase a user as Python calls them; lua.py has all others."""

from collections.abc import Sequence

from readstate.store.script_calls import script


@script
def erase_member(
    *, user: str, stand_in: str, chunks: Sequence[bytes], stays: Sequence[bytes], seqs: Sequence[bytes]
) -> bool: ...
@script
def erase_sender(*, user: str, stand_in: str, numbers: Sequence[str]) -> int: ...
@script
def erase_copy(*, room: str) -> bool: ...
