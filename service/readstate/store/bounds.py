"""How much is kept of a room and of a user, and how much a member is told."""

from msgspec import Struct

DAY_MS = 86_400_000


class Bounds(Struct, frozen=True):
    """The settings of these names."""

    fanout_limit: int = 256  # attentive members; a room of more is derived
    attention_posts: int = 4  # countable posts of which a member is told after they last paid attention
    message_history: int = 10_000  # messages remembered of a room
    journal_moves: int = 1024  # of one member in one room
    journal_days: int = 90
    user_room_limit: int = 2000  # rooms that a backend may bring a user into; clients half of them
    user_tag_limit: int = 1000  # distinct tags on a user's rooms, the same

    def as_settings(self) -> str:
        """Those that scripts are given, as lua/lib/settings.lua takes them."""
        return (
            f"{self.journal_moves} {self.journal_days * DAY_MS} {self.attention_posts} {self.fanout_limit}"
            f" {self.message_history}"
        )


DEFAULTS = Bounds()
