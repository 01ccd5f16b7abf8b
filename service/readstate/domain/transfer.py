"""The lines of an export, which an import reads: docs/export-and-import.md describes them.

Times are Unix ms. A line leaves out fields that have their default.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

VERSION = 1  # of the format; an import refuses a higher one

Seq = Annotated[int, Meta(ge=0, lt=2**39)]  # of a message, or an ordinal
Ms = Annotated[int, Meta(ge=0, lt=2**43)]  # Unix time, up to the year 2248


class Header(Struct, frozen=True, tag="readstate", omit_defaults=True):
    """The first line. `id` tells imports apart: of two files, and of one file and no other."""

    version: int
    id: str
    app: str
    exported_ms: Ms
    source: str = ""  # "" for this service, or whose data they were


class UserLine(Struct, frozen=True, tag="user", omit_defaults=True):
    """A user who was created, with their profile."""

    user: str
    profile: Mapping[str, msgspec.Raw] = {}
    updated_ms: Ms = 0


class RoomLine(Struct, frozen=True, tag="room", omit_defaults=True):
    """A room begins: what follows up to its end is of it. One without an end is passed over.

    `seq` and `ordinal` are those before its first message; `floor_seq` and `floor` those up to
    which messages were deleted together. `deleted`: places behind floor_seq and up to `seq` that
    have no message.
    """

    room: str
    created_ms: Ms
    tags: Sequence[str] = ()
    profile: Mapping[str, msgspec.Raw] = {}
    frozen: bool = False
    by_client: bool = False
    invited: Sequence[str] = ()
    seq: Seq = 0
    ordinal: Seq = 0
    floor_seq: Seq = 0
    floor: Seq = 0
    deleted: Seq = 0


class HolesLine(Struct, frozen=True, tag="holes"):
    """Ordinals, before that of the first message, of messages that were deleted or recalled."""

    ordinals: Sequence[Seq]


class MessageLine(Struct, frozen=True, tag="message", omit_defaults=True):
    """A message. Seqs rise; those between two lines were left out.

    `joined`: the seq at which its sender had joined, None: was no member. `hidden`: it is never the
    last message of its room. `acknowledged`: (user, where they had joined, when) of those who
    acknowledged it without reading up to it.
    """

    seq: Seq
    id: str
    at_ms: Ms
    sender: str = ""
    joined: Seq | None = None
    countable: bool = True
    deleted: bool = False
    recalled: bool = False
    hidden: bool = False
    acknowledged: Sequence[tuple[str, Seq, Ms]] = ()


# Cursor, when, and false when that is the latest it can have been.
Move = Sequence[Ms | bool]


class MemberLine(Struct, frozen=True, tag="member", omit_defaults=True):
    """A member, or with `left` someone who has left and of whom receipts tell.

    `since`: cursor and time at which their journal begins; `moves`: how the cursor moved behind
    that. `ordinal`: after which unread is counted, None: that of the cursor. `joined`: the seq at
    which they joined; `read`: the seq up to which they have really read, 0: never; `marked`: the
    seq from which they marked the room as unread, 0: not; `until_ms`: up to when they said they
    had read, in a room of two.
    """

    user: str
    since: tuple[Seq, Ms]
    moves: Sequence[Move] = ()
    ordinal: Seq | None = None
    joined: Seq = 0
    read: Seq = 0
    marked: Seq = 0
    until_ms: Ms = 0
    left: bool = False

    @property
    def cursor(self) -> int:
        """Where their cursor is at the end of the journal."""
        return self.moves[-1][0] if self.moves else self.since[0]


class StayLine(Struct, frozen=True, tag="stay"):
    """A membership that has ended, of a user who has a MemberLine before."""

    user: str
    joined: Seq
    cursor: Seq
    ended_ms: Ms


class EndLine(Struct, frozen=True, tag="end"):
    """The room of this id is whole."""

    room: str


class WholeLine(Struct, frozen=True, tag="whole"):
    """The last line: the export was not broken off."""

    users: int
    rooms: int


OfRoom = HolesLine | MessageLine | MemberLine | StayLine
Line = Header | UserLine | RoomLine | OfRoom | EndLine | WholeLine

encode_line = msgspec.json.Encoder().encode  # also of lines that no import reads
decode_line = msgspec.json.Decoder(Line).decode
