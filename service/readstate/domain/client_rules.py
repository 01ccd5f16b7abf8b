"""What clients may do with rooms, unlike backends; the same in every dialect."""

from enum import Enum

from msgspec import Struct


class ClientRules(Struct, frozen=True):
    """What the operator lets clients do; see the settings of the same names."""

    rooms_open: bool = False  # every user may join a room by its id unless the room says otherwise
    invited_must_accept: bool = False  # users whom a client invites become members by joining
    tag_limit: int = 10  # tags of a room that a client makes or changes
    people_limit: int = 100  # users that one call of a client names


class Made(Enum):
    """Who must have made a room for a change to happen: a backend may have taken it over."""

    ANYHOW = ""
    BY_CLIENT = "1"
    NOT_BY_CLIENT = "0"
