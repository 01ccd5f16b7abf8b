"""What an operator lets clients do with rooms, the same in every dialect. Backends are not bound by it."""

from enum import Enum

from msgspec import Struct


class ClientRules(Struct, frozen=True):
    """See the settings of the same names."""

    rooms_open: bool = False  # every user may join a room by its id unless the room says otherwise
    invited_must_accept: bool = False  # people whom a client invites become members by joining
    tag_limit: int = 10  # tags of a room that a client makes or changes
    people_limit: int = 100  # people that one call of a client names


class Made(Enum):
    """Who must have made a room for a change to happen. A backend may have taken it over meanwhile."""

    ANYHOW = ""
    BY_CLIENT = "1"
    NOT_BY_CLIENT = "0"
