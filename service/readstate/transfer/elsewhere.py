"""What another product has stored of a room, as the lines of an import."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter

import msgspec

from readstate.domain.transfer import EndLine, Line, MemberLine, MessageLine, RoomLine

_by_time = itemgetter(0, 1)


@dataclass
class Member:
    """When a member joined, 0: with the room; and up to when they have seen it, 0: never, None: not
    known, in Unix ms. `reads`: when they had read up to which message, where that is known exactly.
    """

    joined_ms: int = 0
    seen_ms: int | None = 0
    reads: dict[int, int] = field(default_factory=dict)  # ms -> seq


@dataclass
class Conversation:
    """A room of another product. Its newest messages are kept, and how many were before them."""

    room: str
    history: int  # so many messages are kept
    tags: Sequence[str] = ()
    profile: Mapping[str, str] = field(default_factory=dict)
    created_ms: int = 0
    frozen: bool = False
    members: dict[str, Member] = field(default_factory=dict)
    _messages: list[tuple[int, str, str, bool, bool]] = field(default_factory=list)
    _before: int = 0  # messages that are no longer kept
    _counted_before: int = 0
    _seqs: dict[str, int] = field(default_factory=dict)

    def add(self, at_ms: int, message: str, sender: str, *, countable: bool = True, hidden: bool = False) -> None:
        """A message, in any order."""
        self._messages.append((at_ms, message, sender, countable, hidden))
        if len(self._messages) > 2 * self.history:
            self._keep_newest()

    def order(self) -> None:
        """All messages are there: they get their seqs."""
        self._keep_newest()
        self._seqs = {message[1]: self._before + number for number, message in enumerate(self._messages, 1)}

    def note_read(self, user: str, message: str, at_ms: int) -> None:
        """A member had read up to a message exactly then. After `order`."""
        seq, member = self._seqs.get(message), self.members.get(user)
        if seq and member:
            member.reads[at_ms] = max(member.reads.get(at_ms, 0), seq)

    def lines(self) -> Iterator[Line]:
        """After `order`."""
        times = [message[0] for message in self._messages]
        created_ms = min([one for one in (self.created_ms, *times[:1]) if one], default=0)
        yield RoomLine(
            room=self.room,
            created_ms=created_ms,
            tags=sorted(self.tags),
            profile=as_profile(self.profile),
            frozen=self.frozen,
            seq=self._before,
            ordinal=self._counted_before,
        )
        people = {user: self._person(user, member, times, created_ms) for user, member in self.members.items()}
        for seq, (at_ms, message, sender, countable, hidden) in enumerate(self._messages, self._before + 1):
            joined = people[sender].joined if sender in people and people[sender].joined < seq else None
            yield MessageLine(seq, message, at_ms, sender, joined=joined, countable=countable, hidden=hidden)
        yield from people.values()
        yield EndLine(self.room)

    def _person(self, user: str, member: Member, times: Sequence[int], created_ms: int) -> MemberLine:
        def seq_at(at_ms: int) -> int:
            """Of the newest message at a time."""
            return self._before + bisect_right(times, at_ms)

        if member.seen_ms is None:
            # As if they joined now: nothing is unread, and they have read nothing.
            head = self._before + len(times)
            return MemberLine(user, (head, max(times[-1:] or (created_ms,))), joined=head)
        # 0 for a member who joined before the oldest message that is kept.
        joined = seq_at(member.joined_ms) if member.joined_ms and times and member.joined_ms >= times[0] else 0
        end = max(seq_at(member.seen_ms), joined) if member.seen_ms else joined
        cursor, moves = joined, list[Sequence[int | bool]]()
        for at_ms, seq in sorted(member.reads.items()):
            if cursor < seq <= end:
                moves.append((seq, at_ms))
                cursor = seq
        if cursor < end:
            moves.append((end, member.seen_ms, False))
        # Where no message is kept, nothing else tells which ordinal this is.
        ordinal = self._counted_before if member.seen_ms else 0
        return MemberLine(
            user=user,
            since=(joined, max(member.joined_ms, created_ms)),
            moves=tuple(moves),
            ordinal=ordinal if self._before and end <= self._before else None,
            joined=joined,
            read=end if moves else 0,
        )

    def _keep_newest(self) -> None:
        self._messages.sort(key=_by_time)
        gone = self._messages[: max(len(self._messages) - self.history, 0)]
        self._before += len(gone)
        self._counted_before += sum(message[3] for message in gone)
        del self._messages[: len(gone)]


def as_profile(fields: Mapping[str, str]) -> dict[str, msgspec.Raw]:
    """Profile fields, without those that are empty."""
    return {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in fields.items() if value}
