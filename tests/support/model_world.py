"""What the nouns of the model share: all rooms of all apps, and what was announced."""

from collections.abc import Callable, Sequence

from readstate.domain.client_rules import Made
from readstate.domain.notices import (
    Joined,
    Notice,
    RoomChanged,
)
from readstate.domain.rooms import Status
from readstate.errors import NotMember, RoomUnknown
from tests.support.model_room import ModelRoom, Stay


class World:
    """The state of the model, and what several operations do with it."""

    def __init__(self, now_ms: Callable[[], int], term_of: Callable[[str, str], int]) -> None:
        self.now_ms = now_ms
        self.term_of = term_of  # (app, room) -> the term of the room's server
        self.worlds: dict[str, dict[str, ModelRoom]] = {}  # app -> room -> its state
        self.buried: dict[tuple[str, str], ModelRoom] = {}
        self.notices: list[tuple[str, Notice]] = []
        self.changed: dict[tuple[str, str], int] = {}  # (app, room) -> when
        self.removed: dict[tuple[str, str, str], int] = {}  # (app, room, user) -> when they left it, or it was deleted
        self._ids = 0

    def rooms(self, app: str) -> dict[str, ModelRoom]:
        return self.worlds.setdefault(app, {})

    def room(self, app: str, room: str, made: Made = Made.ANYHOW) -> ModelRoom:
        there = self.rooms(app).get(room)
        if there is None or made is (Made.NOT_BY_CLIENT if there.by_client else Made.BY_CLIENT):
            raise RoomUnknown(room)
        return there

    def stay(self, app: str, room: str, user: str) -> tuple[ModelRoom, Stay]:
        there = self.room(app, room)
        if user not in there.members:
            raise NotMember(user)
        return there, there.members[user]

    def counted(self, app: str, user: str) -> list[ModelRoom]:
        return [there for there in self.rooms(app).values() if user in there.members and there.status is Status.ACTIVE]

    def join(self, there: ModelRoom, members: Sequence[str]) -> list[str]:
        now_ms = self.now_ms()
        joined = [member for member in dict.fromkeys(members) if member not in there.members]
        there.invited.difference_update(members)
        there.members.update({member: Stay(there.head, there.ordinal, now_ms) for member in joined})
        return joined

    def new_id(self) -> str:
        self._ids += 1
        return f"{self._ids:024x}"

    def publish(self, app: str, *notices: Notice) -> None:
        self.notices.extend((app, notice) for notice in notices)
        self.changed.update({(app, getattr(notice, "room", "")): self.now_ms() for notice in notices})

    def announce_join(self, app: str, room: str, joined: list[str]) -> None:
        """A room that is created empty has no members who could hear of it."""
        if joined:
            self.publish(app, Joined(room, joined), RoomChanged(room))

    def announce_change(self, app: str, room: str, changed: bool) -> None:
        if changed:
            self.publish(app, RoomChanged(room))
