"""What the scripts and the store agree on besides keys; the other half is lua/lib/states.lua."""

from enum import IntEnum
from typing import NamedTuple

SEPARATOR = "\x1f"  # joins a sorted tag set to one string


class Journal(NamedTuple):
    """How much of each member's journal is kept."""

    moves: int
    ms: int


class State(IntEnum):
    """How a copy of a room stands on the user's side."""

    FROZEN = 0
    ACTIVE = 1
    DERIVED = 2
    GONE = 3
