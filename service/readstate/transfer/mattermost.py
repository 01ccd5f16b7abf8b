"""Mattermost's bulk export: JSON Lines of teams, channels, users, posts and direct messages.

It says when members last viewed a channel, and no ids of posts or users: users are told apart by
their names, and posts by their time and author. Receipts have the time of the last view as the
latest possible. Where there is no such time, nothing is unread, and no receipt is made.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence

import msgspec
from msgspec import Struct

from readstate.domain import direct
from readstate.domain.transfer import VERSION, Header, Line, UserLine
from readstate.transfer.elsewhere import Conversation, Member, as_profile
from readstate.transfer.files import TransferError

SOURCE = "mattermost"
_SYSTEM = "system_"  # what the types of posts begin with that tell who has come and gone


class _Reply(Struct):
    user: str
    create_at: int
    type: str | None = None


class _Post(Struct):
    user: str
    create_at: int
    team: str | None = None
    channel: str | None = None
    channel_members: Sequence[str] | None = None
    type: str | None = None
    replies: Sequence[_Reply] | None = None


class _Channel(Struct):
    team: str
    name: str
    display_name: str | None = None
    type: str | None = None
    deleted_at: int | None = None


class _Participant(Struct):
    username: str
    last_viewed_at: int | None = None


class _DirectChannel(Struct):
    members: Sequence[str] | None = None
    participants: Sequence[_Participant] | None = None


class _Membership(Struct):
    name: str
    last_viewed_at: int | None = None


class _Team(Struct):
    name: str
    channels: Sequence[_Membership] | None = None


class _User(Struct):
    username: str
    nickname: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    teams: Sequence[_Team] | None = None


class _Line(Struct):
    type: str
    version: int | None = None
    channel: _Channel | None = None
    user: _User | None = None
    post: _Post | None = None
    direct_channel: _DirectChannel | None = None
    direct_post: _Post | None = None


_decode = msgspec.json.Decoder(_Line).decode


def read_mattermost(lines: Iterable[bytes], app: str, history: int) -> Iterator[Line]:
    """The lines of an import. `history`: so many messages of each room are kept.

    Everything is read before the first room comes. Raises TransferError.
    """
    export = _Export(history)
    digest = hashlib.sha256()
    for number, text in enumerate(lines, 1):
        digest.update(text)
        try:
            export.add(_decode(text))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise TransferError(f"line {number} is no line of a bulk export: {error}") from None
    yield Header(VERSION, digest.hexdigest()[:32], app, 0, SOURCE)
    yield from export.users
    for room in export.rooms.values():
        room.order()
        yield from room.lines()


class _Export:
    """What was read so far."""

    def __init__(self, history: int) -> None:
        self.users: list[UserLine] = []
        self.rooms: dict[str, Conversation] = {}
        self._history = history

    def add(self, line: _Line) -> None:
        if line.version not in (None, 1):
            raise TransferError(f"this is version {line.version} of the bulk export; version 1 can be read")
        if line.channel:
            self._channel(line.channel)
        elif line.user:
            self._user(line.user)
        elif line.post and line.post.channel:
            self._post(self._room(_name(line.post.team, line.post.channel)), line.post)
        elif line.direct_channel:
            self._direct_channel(line.direct_channel)
        elif line.direct_post:
            self._post(self._direct(line.direct_post.channel_members or ()), line.direct_post)

    def _room(self, room: str, tags: Sequence[str] = ()) -> Conversation:
        return self.rooms.setdefault(room, Conversation(room, self._history, tags))

    def _direct(self, members: Sequence[str]) -> Conversation:
        """Of two members, or one alone, or a group."""
        names = sorted(set(members))
        if len(names) <= 2 and names:
            room = self._room(direct.direct_room(names[0], names[-1]), direct.DIRECT_TAGS)
        else:
            digest = hashlib.sha256("\n".join(names).encode()).hexdigest()
            room = self._room(f"group:{digest[:32]}", ["group"])
        for name in names:
            room.members.setdefault(name, Member(seen_ms=None))
        return room

    def _channel(self, channel: _Channel) -> None:
        room = self._room(_name(channel.team, channel.name))
        room.tags = [channel.team]
        room.profile = {"name": channel.display_name or channel.name}
        room.frozen = bool(channel.deleted_at)

    def _user(self, user: _User) -> None:
        name = " ".join(part for part in (user.first_name, user.last_name) if part) or user.nickname or ""
        self.users.append(UserLine(user.username, as_profile({"username": user.username, "name": name})))
        for team in user.teams or ():
            for channel in team.channels or ():
                room = self._room(_name(team.name, channel.name))
                room.members[user.username] = Member(seen_ms=channel.last_viewed_at)

    def _direct_channel(self, channel: _DirectChannel) -> None:
        participants = channel.participants or ()
        room = self._direct(channel.members or [one.username for one in participants])
        for one in participants:
            room.members[one.username] = Member(seen_ms=one.last_viewed_at)

    def _post(self, room: Conversation, post: _Post) -> None:
        written: list[_Post | _Reply] = [post, *(post.replies or ())]
        for one in written:
            room.add(
                one.create_at,
                # Posts have no id in the export, and no user posts twice in a millisecond.
                f"{SOURCE}:{one.create_at}:{hashlib.sha256(one.user.encode()).hexdigest()[:16]}",
                one.user,
                countable=not (one.type or "").startswith(_SYSTEM),
            )


def _name(team: str | None, channel: str) -> str:
    return f"{team}:{channel}"
