"""How much is kept of a room, and how much a member is told."""

from msgspec import Struct

DAY_MS = 86_400_000


class Bounds(Struct, frozen=True):
    """The settings that scripts are given."""

    fanout_limit: int  # attentive members; a room of more is derived
    attention_posts: int  # countable posts of which a member is told after they last paid attention
    message_history: int  # messages remembered of a room
    journal_moves: int  # of one member in one room
    journal_days: int

    def as_settings(self) -> str:
        """As lua/lib/settings.lua takes them."""
        return (
            f"{self.journal_moves} {self.journal_days * DAY_MS} {self.attention_posts} {self.fanout_limit}"
            f" {self.message_history}"
        )
