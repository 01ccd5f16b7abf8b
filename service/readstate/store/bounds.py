"""How much is kept, and to how many members a room tells what happens."""

from msgspec import Struct

from readstate.store import lua
from readstate.store.script_calls import Call


class Bounds(Struct, frozen=True):
    """How much is kept, and how large a room may be."""

    fanout_limit: int  # attentive members; a room of more is derived
    attention: int  # countable posts until a member is no longer told
    history: int  # messages
    journal: str  # as journal_kept says it


def restore_cursor(bounds: Bounds, app: str, user: str, cursor: int) -> Call[bool]:
    """For a member whose copy knows a higher cursor than the room, which a failover set back."""
    return lua.restore_cursor(
        app=app,
        user=user,
        cursor=cursor,
        journal=bounds.journal,
        attention=bounds.attention,
        limit=bounds.fanout_limit,
    )
