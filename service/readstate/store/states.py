"""What the scripts and the store agree on besides keys; the other half is lua/lib/states.lua."""

from enum import IntEnum

SEPARATOR = "\x1f"  # joins a sorted tag set to one string


class State(IntEnum):
    """How a copy of a room stands on the user's side."""

    FROZEN = 0
    ACTIVE = 1
    DERIVED = 2
    GONE = 3
    NEWS_ONLY = 4
