"""One room of the model: its messages, and every stay of every member with all that they did in it.

The full record is kept: unread and receipts are worked out from it each time.
"""

from dataclasses import dataclass, field

from readstate.domain.messages import MessageRef
from readstate.domain.receipts import Receipt, ReceiptCount
from readstate.domain.rooms import MemberState, Status
from readstate.errors import MessageUnknown


@dataclass
class Message:
    """A message of a room. A deleted one stays, so that its id can still be read up to."""

    id: str
    seq: int
    ordinal: int
    sender: str
    countable: bool
    at_ms: int
    deleted: bool = False
    recalled: bool = False  # shown as recalled, and not counted
    hidden: bool = False  # never the room's last message

    @property
    def whole(self) -> bool:
        """Neither deleted nor recalled."""
        return not self.deleted and not self.recalled


@dataclass
class Stay:
    """A member's time in a room, from joining to leaving.

    `baseline`: the head when they joined. `read`: the seq of their latest real read, 0 for none.
    `ordinal`: later messages are unread. It is the cursor's, unless the count was set by hand.
    """

    baseline: int
    ordinal: int
    joined_ms: int
    read: int = 0
    marked_ms: int = 0
    moves: list[tuple[int, int]] = field(default_factory=list)  # (seq reached, when) of every move of the cursor
    late: set[int] = field(default_factory=set)  # seqs of the moves that are only known to have happened by then
    acknowledged: dict[int, int] = field(default_factory=dict)  # seq -> when

    @property
    def cursor(self) -> int:
        return max(self.baseline, self.read)

    @property
    def moved_ms(self) -> int:
        return self.moves[-1][1] if self.moves else self.joined_ms

    def read_up_to(self, message: Message, at_ms: int, *, late: bool = False) -> None:
        """Move on if `message` lies ahead. A count that was set too low stays: reading never raises
        one.

        `late`: the move was reported late, so that it happened at the latest at `at_ms`.
        """
        if message.seq > self.cursor:
            self.moves.append((message.seq, at_ms))
            self.late.update({message.seq} if late else ())
        self.read = max(self.read, message.seq)
        self.ordinal = max(self.ordinal, message.ordinal)
        self.marked_ms = 0

    def concerned(self, message: Message) -> bool:
        return self.baseline < message.seq

    def read_ms(self, message: Message) -> tuple[int, bool] | None:
        """When the member had first read the message, and whether that time is exact (else: at the
        latest then). None: never, or it does not concern them.
        """
        times = [(at_ms, True) for seq, at_ms in self.acknowledged.items() if seq == message.seq]
        times += [(at_ms, seq not in self.late) for seq, at_ms in self.moves if seq >= message.seq]
        return min(times, key=lambda time: time[0]) if times and self.concerned(message) else None


@dataclass
class ModelRoom:
    created_ms: int
    head: int = 0  # goes on counting when a deleted room is created again
    ordinal: int = 0
    tags: tuple[str, ...] = ()
    profile: dict[str, bytes] = field(default_factory=dict)
    status: Status = Status.ACTIVE
    floor: int = 0  # ordinal up to which all messages were deleted together
    floor_seq: int = 0  # and the seq
    messages: list[Message] = field(default_factory=list)
    members: dict[str, Stay] = field(default_factory=dict)
    ended: list[tuple[str, Stay]] = field(default_factory=list)  # of those who left, whether or not they came back
    invited: set[str] = field(default_factory=set)  # no members yet
    by_client: bool = False  # made by a client, and taken over by no backend
    # Up to what time a member has read, as they said while the room had at most two.
    until: dict[str, int] = field(default_factory=dict)
    term: int | None = None  # of the server, when the head last rose; None: not known

    def begin_term(self, term: int) -> None:
        """Before the head rises: in another term it jumps (lua/lib/terms.lua)."""
        if self.term not in (None, term):
            self.head = -(-self.head // 128) * 128 + 1024
        self.term = term

    def find(self, message: str) -> Message:
        for known in self.messages:
            if known.id == message:
                return known
        raise MessageUnknown(message)

    def find_whole(self, message: str) -> Message:
        """One that has receipts."""
        known = self.find(message)
        if not known.whole:
            raise MessageUnknown(message)
        return known

    def at(self, seq: int) -> Message:
        return next(message for message in self.messages if message.seq == seq)

    def newest(self) -> Message | None:
        """The newest message that is neither deleted nor hidden."""
        return next(
            (message for message in reversed(self.messages) if not message.deleted and not message.hidden), None
        )

    def first_to_stay(self, before: str, before_ms: int) -> Message | None:
        """The first message to stay when all before a message or a time are deleted."""
        if before and any(known.id == before for known in self.messages):
            return self.find(before)
        if before_ms:
            return next(
                (known for known in self.messages if known.seq > self.floor_seq and known.at_ms >= before_ms), None
            )
        return self.find(before) if before else None

    def unread(self, member: str) -> int:
        """Countable messages after the member's cursor that were neither deleted nor recalled."""
        return sum(1 for ordinal in self._counting() if ordinal > self.members[member].ordinal)

    def set_unread(self, member: str, count: int) -> None:
        """Let the newest `count` that can count be unread, or all of them."""
        counting = self._counting()
        if count > len(counting):
            self.members[member].ordinal = self.floor
        elif count != self.unread(member):
            self.members[member].ordinal = counting[-count] - 1 if count else self.ordinal

    def _counting(self) -> list[int]:
        """Ordinals of the messages that can be unread."""
        return [message.ordinal for message in self.messages if message.countable and message.whole]

    def was_read_before(self, sender: str, sent_ms: int) -> bool:
        """Whether in a room of two the others have read up to a later time than that."""
        others = [self.until.get(member, 0) for member in self.members if member != sender]
        return sent_ms > 0 and self.is_of_two and len(others) > 0 and min(others) > sent_ms

    @property
    def is_of_two(self) -> bool:
        """Whether the room has at most two members, so that one member's read says it for both."""
        return len(self.members) <= 2

    def leave(self, member: str) -> bool:
        stay = self.members.pop(member, None)
        if stay:
            self.ended.append((member, stay))
        return stay is not None

    def state(self, member: str) -> MemberState:
        stay = self.members[member]
        return MemberState(
            member,
            stay.cursor,
            self.unread(member),
            self.at(stay.read).id if stay.read else None,
            stay.moved_ms,
            stay.read > 0,
            stay.marked_ms or None,
            stay.baseline,
        )

    def readers(self, message: Message) -> list[Receipt]:
        """The users who have read the message, also those who left; never its sender."""
        stays = [(member, stay, False) for member, stay in self.members.items()] + [
            (member, stay, True) for member, stay in self.ended
        ]
        found = [(member, stay.read_ms(message), left) for member, stay, left in stays if member != message.sender]
        return [Receipt(member, *read, left=left) for member, read, left in found if read is not None]

    def non_readers(self, message: Message) -> list[str]:
        """Members since before it was posted who have not read it."""
        here = [
            (member, stay)
            for member, stay in self.members.items()
            if member != message.sender and stay.concerned(message)
        ]
        return [member for member, stay in here if stay.read_ms(message) is None]

    def receipt_count(self, message: Message) -> ReceiptCount:
        readers = self.readers(message)
        left = sum(receipt.left for receipt in readers)
        return ReceiptCount(message.id, len(readers) - left, len(self.non_readers(message)), left)


def ref(message: Message) -> MessageRef:
    return MessageRef(message.id, message.seq, message.sender or None, message.at_ms)
