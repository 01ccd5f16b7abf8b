"""Devices that ask for changes only, and so must know all that the server knows."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from readstate.domain.changes import ChangedRooms
from readstate.domain.read_state import ReadState
from readstate.domain.rooms import Status
from tests.support.attention import Bounds
from tests.support.copies import USERS, Copies
from tests.support.model_room import ModelRoom


@dataclass
class Device:
    """What a device of one user knows."""

    version: str = ""
    rooms: dict[str, tuple[int, tuple[str, ...]]] = field(default_factory=dict)  # unread and tags
    badge: int = 0

    async def ask(self, store: ReadState, app: str, user: str, limit: int) -> tuple[bool, set[str]]:
        """Ask until there is no more. Returns whether it began anew, and what was listed."""
        anew, listed = False, set[str]()
        while True:
            answer = await store.changes.changes(app=app, user=user, since=self.version, limit=limit)
            anew = anew or answer.snapshot
            listed |= {room.room for room in answer.rooms} | set(answer.removed)
            self._take(answer)
            if not answer.more:
                return anew, listed

    def _take(self, answer: ChangedRooms) -> None:
        if answer.snapshot:
            self.rooms.clear()
        for room in answer.removed:
            self.rooms.pop(room, None)
        self.rooms.update((room.room, (room.me.unread, room.tags)) for room in answer.rooms)
        self.version, self.badge = answer.version, answer.badge


class Followers:
    """A device of each user, and the users' versions as they were seen last."""

    def __init__(self, copies: Copies) -> None:
        self._copies = copies
        self._devices = {user: Device() for user in USERS}
        self._versions: dict[str, tuple[int, int]] = {}  # of users, with the number of changes up to it

    async def follow(
        self, store: ReadState, app: str, user: str, there: Mapping[str, ModelRoom], bounds: Bounds, limit: int
    ) -> None:
        """A device asks for changes: it is told what has changed and nothing else; then it knows
        the active rooms of its user as they are. A second question finds nothing new.
        """
        device = self._devices[user]
        mine = {
            name: (room.unread(user), room.tags)
            for name, room in there.items()
            if user in room.members and room.status is Status.ACTIVE
        }
        for _ in range(2):
            self._copies.ask(user, there, bounds, follow=True)
            anew, listed = await device.ask(store, app, user, limit)
            assert anew or listed <= self._copies.changed.get(user, set())
            self._copies.changed.pop(user, None)
            assert device.rooms == mine
            assert device.badge == sum(unread for unread, _ in mine.values())

    def check_version(self, user: str, version: int) -> None:
        """A version rises with each change of a copy, and with nothing else."""
        changes = self._copies.changes.get(user, 0)
        before, changes_before = self._versions.get(user, (0, 0))
        assert version >= before + changes - changes_before, "a version did not rise with each change"
        assert (version > before) == (changes > changes_before), "a version rose without a change"
        self._versions[user] = version, changes

    def forget(self, user: str) -> None:
        """The user's side has ended."""
        self._versions.pop(user, None)
