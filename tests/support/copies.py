"""The users' sides of the stateful tests: which copies there are, when they have changed, and which
of them may lag.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from readstate.domain.messages import Posted
from readstate.domain.rooms import Status
from tests.support.attention import Attention, Bounds
from tests.support.model_room import ModelRoom

USERS = ("ann", "bob", "cid", "dan", "1e15")
ROOMS = ("r1", "r:2", "0x10")
LIMIT = 3

READS = ("mark_read", "mark_read_until")


class Copy(NamedTuple):
    """What a user's side holds of a room, and the room's revision at that time."""

    revision: int
    cursor: int
    unread: int
    state: str
    tags: tuple[str, ...]


GONE = Copy(0, 0, 0, "gone", ())


@dataclass
class Copies:
    """What the users' sides should hold: a user's version rises with each copy that changed.

    A copy lags only while its room is on the user's list of rooms with news.
    """

    rooms: dict[str, Attention] = field(default_factory=dict)
    seen: dict[tuple[str, str], Copy] = field(default_factory=dict)
    news: dict[str, set[str]] = field(default_factory=dict)  # user -> rooms
    changes: dict[str, int] = field(default_factory=dict)  # of a user's copies, so many so far
    changed: dict[str, set[str]] = field(default_factory=dict)  # rooms whose copies did, since the user followed
    changed_ms: dict[tuple[str, str], int] = field(default_factory=dict)  # when the room changed for a user
    _true: dict[tuple[str, str], object] = field(default_factory=dict)

    def follow(
        self,
        method: str,
        arguments: Mapping[str, Any],
        answer: Any,
        there: Mapping[str, ModelRoom],
        *,
        revision: int,
        bounds: Bounds,
        now_ms: int,
    ) -> int:
        """The rooms are as an operation has left them: so is the users' side. `revision`: that of
        its room. Returns how many counters and lists of other users it moved, if it is a post.
        """
        name = arguments["room"]
        room, moved = there.get(name), 0
        if room is None:
            self._delete(name, revision)
        else:
            known = self.rooms.setdefault(name, Attention())
            changed = revision != known.revision
            known.revision = revision
            if changed:
                moved = self._change(name, room, known, method, arguments, answer, bounds)
            known.tags, known.status, known.by_client = room.tags, room.status, room.by_client
        if method in READS and answer is not None and not isinstance(answer, type):
            self.ask(arguments["user"], there, bounds)
        self._note_changes(name, room, now_ms)
        return moved

    def ask(self, user: str, there: Mapping[str, ModelRoom], bounds: Bounds, *, follow: bool = False) -> None:
        """A user asks for a badge, and so visits the rooms that they are not told of.

        `follow`: they ask for changes, so the copies of derived rooms are brought up to date, too.
        """
        news = self.news.pop(user, set())
        for name in ROOMS:
            if name in news or self.copy(name, user).state == "derived":
                room, known = there[name], self.rooms[name]
                if not known.derived:
                    known.attend(room, user, bounds)
                if name in news or follow or known.state(room, user) != "derived":
                    self._apply(name, user, self._up_to_date(room, known, user))

    def copy(self, name: str, user: str) -> Copy:
        return self.seen.get((name, user), GONE)

    def lagging(self, user: str) -> set[str]:
        return self.news.get(user, set())

    def derived_rooms(self, user: str) -> set[str]:
        return {name for name in ROOMS if self.copy(name, user).state == "derived"}

    def changed_since(self, user: str, since_ms: int) -> set[str]:
        """Rooms that have changed for the user after that, those included that they left."""
        return {name for (name, who), at_ms in self.changed_ms.items() if who == user and at_ms > since_ms}

    def forget(self, user: str) -> None:
        self.changes.pop(user, None)
        for pairs in (self.seen, self.changed_ms):
            for pair in [pair for pair in pairs if pair[1] == user]:
                del pairs[pair]

    def _change(
        self,
        name: str,
        room: ModelRoom,
        known: Attention,
        method: str,
        arguments: Mapping[str, Any],
        answer: Any,
        bounds: Bounds,
    ) -> int:
        """The room has a new revision."""
        if method == "post":
            return self._post(name, room, known, arguments, answer, bounds)
        if method in (*READS, "mark_unread", "set_unread"):
            known.attend(room, arguments["user"], bounds)
            self._tell(name, room, known, [arguments["user"]])
        elif method in ("create_room", "add_members", "remove_members"):
            self._members(name, room, known, bounds)
        elif method == "set_tags":
            self._tell_attentive(name, room, known, crossed=known.cross(room, bounds.limit))
        elif method == "set_status":
            self._tell_attentive(name, room, known)
        elif method in ("delete_message", "recall_message"):
            message = room.find(arguments["message"])
            if message.countable and not (method == "delete_message" and message.recalled):
                self._tell_attentive(name, room, known, before=message.ordinal)
        elif method == "delete_messages":
            self._tell_attentive(name, room, known, before=room.floor)
        return 0

    def _post(
        self,
        name: str,
        room: ModelRoom,
        known: Attention,
        arguments: Mapping[str, Any],
        posted: Posted,
        bounds: Bounds,
    ) -> int:
        countable = room.find(posted.message).countable
        moves = arguments.get("move_cursor")
        reads = arguments["sender"] in known.attentive_until and (arguments["countable"] if moves is None else moves)
        room.ordinal -= countable  # the room is large or small by those who were attentive before
        known.become_large_or_small(room, bounds.limit)
        room.ordinal += countable
        crossed = False
        if countable:
            known.cross_back(room, bounds.limit)
            crossed = known.cross(room, bounds.limit)
        if reads:
            known.attend(room, arguments["sender"], bounds)
        told, ended = known.audience(room) if crossed or (countable and not known.derived) else ([], [])
        for member in ended:
            self.news.setdefault(member, set()).add(name)
        self._tell(name, room, known, [*told, *([arguments["sender"]] if reads else [])])
        return len(told) * (2 + len(room.tags)) + len(ended)

    def _members(self, name: str, room: ModelRoom, known: Attention, bounds: Bounds) -> None:
        """Members have come or gone; a room that is taken over may have other tags, too."""
        left = [member for member in known.attentive_until if member not in room.members]
        joined = [member for member in room.members if member not in known.attentive_until]
        known.leave(left)
        known.join(room, joined, bounds)
        taken_over = known.by_client and not room.by_client
        crossed = False
        if taken_over:
            crossed = known.cross(room, bounds.limit)
        else:
            known.become_large_or_small(room, bounds.limit)
        for member in left:
            self._apply(name, member, GONE._replace(revision=known.revision))
        self._tell(name, room, known, joined)
        if taken_over and (crossed or (room.tags, room.status) != (known.tags, known.status)):
            self._tell_attentive(name, room, known, crossed=crossed)

    def _delete(self, name: str, revision: int) -> None:
        known = self.rooms.pop(name, None)
        for member in known.attentive_until if known else ():
            self._apply(name, member, GONE._replace(revision=revision))

    def _tell_attentive(
        self, name: str, room: ModelRoom, known: Attention, *, before: int | None = None, crossed: bool = False
    ) -> None:
        """`before`: those alone whose count begins before that ordinal."""
        if not known.derived or crossed:
            attentive = known.attentive(room)
            self._tell(
                name, room, known, [one for one in attentive if before is None or room.members[one].ordinal < before]
            )

    def _tell(self, name: str, room: ModelRoom, known: Attention, members: Iterable[str]) -> None:
        for member in members:
            self._apply(name, member, self._up_to_date(room, known, member))

    def _up_to_date(self, room: ModelRoom, known: Attention, user: str) -> Copy:
        state = known.state(room, user)
        return Copy(
            known.revision,
            room.members[user].cursor,
            room.unread(user),
            state,
            _update_tags(room) if state in ("active", "derived") else (),
        )

    def _apply(self, name: str, user: str, new: Copy) -> None:
        """A newer copy replaces an older one. In between, attention can only have begun."""
        old = self.copy(name, user)
        self.news.get(user, set()).discard(name)
        if new.revision > old.revision or (new.revision == old.revision and old.state == "derived"):
            self.seen[name, user] = new
            if old[1:] != new[1:]:
                self.changes[user] = self.changes.get(user, 0) + 1
                self.changed.setdefault(user, set()).add(name)

    def _note_changes(self, name: str, room: ModelRoom | None, now_ms: int) -> None:
        for user in USERS:
            now: object = None
            if room and user in room.members:
                active = room.status is Status.ACTIVE
                now = (room.members[user].cursor, room.unread(user), active, room.tags if active else ())
            if self._true.get((name, user)) != now:
                self._true[name, user] = now
                self.changed_ms[name, user] = now_ms


def _update_tags(room: ModelRoom) -> tuple[str, ...]:
    """The tags of a frozen room end with a separator."""
    return room.tags if room.status is Status.ACTIVE else (*(room.tags or ("",)), "")
