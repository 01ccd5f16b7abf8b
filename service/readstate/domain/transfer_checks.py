"""What the lines of an import must be, so that what they make holds together."""

from readstate.domain.limits import check_id, check_room_tags, check_tags
from readstate.domain.profiles import check_profile
from readstate.domain.transfer import HolesLine, MemberLine, MessageLine, OfRoom, RoomLine, StayLine, UserLine
from readstate.errors import Invalid

MAX_MOVES = 20_000  # of one member
MAX_INVITED = 1000


def check_user(line: UserLine) -> UserLine:
    """Raises Invalid."""
    check_id("user", line.user)
    check_profile({name: bytes(value) for name, value in line.profile.items()})
    return line


class RoomChecks:
    """The lines of one room, in their order. Each method raises Invalid for what cannot be."""

    def __init__(self, room: RoomLine) -> None:
        check_id("room", room.room)
        check_room_tags("tags", check_tags("tags", room.tags))
        check_profile({name: bytes(value) for name, value in room.profile.items()})
        for user in room.invited[: MAX_INVITED + 1]:
            check_id("invited", user)
        _check(len(room.invited) <= MAX_INVITED, "invited", f"at most {MAX_INVITED} users may be invited")
        _check(room.ordinal <= room.seq, "ordinal", "ordinal must be at most seq")
        _check(room.floor <= room.floor_seq, "floor", "floor must be at most floor_seq")
        _check(room.deleted <= room.seq, "deleted", "deleted must be at most seq")
        self.seq = room.seq  # of the last message so far
        self.ordinal = room.ordinal
        self._room = room
        self._messages: set[str] = set()
        self._stage = 0

    def check(self, line: OfRoom) -> None:
        """The next line of the room."""
        stage = _STAGES[type(line)]
        _check(stage >= self._stage, "type", "holes, messages, members and stays must follow one another in this order")
        if stage > 1 and self._stage <= 1:
            self._check_floor()
        self._stage = stage
        if isinstance(line, MessageLine):
            self._check_message(line)
        elif isinstance(line, MemberLine):
            self._check_member(line)
        elif isinstance(line, StayLine):
            check_id("user", line.user)
            _check(line.joined <= line.cursor <= self.seq, "cursor", "cursor must be between joined and the last seq")
        else:
            self._check_holes(line)

    def end(self) -> None:
        """Behind the last line."""
        if self._stage <= 1:
            self._check_floor()

    def _check_floor(self) -> None:
        _check(self._room.floor_seq <= self.seq, "floor_seq", "floor_seq must be at most the last seq")
        _check(self._room.floor <= self.ordinal, "floor", "floor must be at most the ordinal of the last message")

    def _check_holes(self, line: HolesLine) -> None:
        for hole in line.ordinals:
            _check(
                self._room.floor < hole <= self._room.ordinal, "ordinals", "a hole must be above floor, up to ordinal"
            )

    def _check_message(self, line: MessageLine) -> None:
        check_id("id", line.id)
        if line.sender:
            check_id("sender", line.sender)
        _check(line.seq > self.seq, "seq", f"seq must rise, and {line.seq} is not above {self.seq}")
        _check(line.id not in self._messages, "id", f"message {line.id} comes twice")
        _check((line.joined or 0) <= line.seq, "joined", "joined must be at most seq")
        for user, joined, _ in line.acknowledged:
            check_id("acknowledged", user)
            _check(joined <= line.seq, "acknowledged", "a member acknowledges no message that came before they joined")
        self._messages.add(line.id)
        self.seq, self.ordinal = line.seq, self.ordinal + line.countable

    def _check_member(self, line: MemberLine) -> None:
        check_id("user", line.user)
        _check(len(line.moves) <= MAX_MOVES, "moves", f"a journal must have at most {MAX_MOVES} moves")
        cursor = line.since[0]
        for move in line.moves:
            _check(len(move) in (2, 3), "moves", "a move must be a seq, a time, and false when that is not exact")
            _check(type(move[0]) is int and type(move[1]) is int, "moves", "a move begins with a seq and a time")
            _check(move[0] >= cursor, "moves", "a cursor must not go back")
            cursor = move[0]
        _check(cursor <= self.seq, "moves", f"a cursor must be at most the last seq, {self.seq}")
        highest = max(line.joined, line.read)
        _check(highest <= cursor, "joined", "joined and read must be at most the cursor")
        _check(line.marked <= self.seq, "marked", "marked must be at most the last seq")
        _check((line.ordinal or 0) <= self.ordinal, "ordinal", "ordinal must be at most that of the last message")


_STAGES: dict[type[OfRoom], int] = {HolesLine: 0, MessageLine: 1, MemberLine: 2, StayLine: 3}


def _check(is_right: bool, field: str, otherwise: str) -> None:
    if not is_right:
        raise Invalid(field, otherwise)
