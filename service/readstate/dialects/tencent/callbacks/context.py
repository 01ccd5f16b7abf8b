"""What all callbacks work with.

A callback counts as the backend's word. So a room that a client has made under the id of a
conversation or group counts as missing, and is taken over when the room of that conversation or
group is made.
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from readstate.batches import in_batches
from readstate.domain.client_rules import Made
from readstate.domain.direct import DIRECT_TAGS, direct_room
from readstate.domain.limits import MAX_MEMBERS_PER_CALL, NO_TAGS, RoomTags, check_id, check_members
from readstate.domain.read_state import ReadState
from readstate.errors import RoomUnknown


class CallbackContext(Struct, frozen=True):
    """The operations on Tencent's app."""

    read_state: ReadState
    app: str
    admins: frozenset[str]  # the app's server sends in their names; they need not be in a group

    async def open_conversation(self, one: str, other: str) -> None:
        """The room of two accounts, made when it is first needed."""
        await self.create_room(direct_room(one, other), [one, other], {}, DIRECT_TAGS)

    async def create_room(
        self, room: str, members: Sequence[str], profile: Mapping[str, bytes], tags: RoomTags = NO_TAGS
    ) -> bool:
        """Make a room, or add `members` to it. Returns whether it is new."""
        return await self.read_state.rooms.create_room(
            app=self.app,
            room=check_id("room", room),
            tags=tags,
            profile=profile,
            members=check_members("members", members),
        )

    async def add_members(self, room: str, members: Sequence[str], profile: Mapping[str, bytes]) -> list[str]:
        """Add members to a room, which is made with `profile` when it is first needed.

        Returns those that are new to a room that was there, since they may have missed something.
        """
        joined: list[str] = []
        for some in in_call_batches(members):
            try:
                joined += await self.read_state.rooms.add_members(
                    app=self.app, room=room, members=check_members("members", some), made=Made.NOT_BY_CLIENT
                )
            except RoomUnknown:
                await self.create_room(room, some, profile)
        return joined

    async def is_there(self, room: str) -> bool:
        """Whether the room of a conversation or group was made by the backend."""
        try:
            return not (await self.read_state.rooms.room(app=self.app, room=room)).by_client
        except RoomUnknown:
            return False


def in_call_batches(members: Sequence[str]) -> list[Sequence[str]]:
    """`members` in batches that an operation takes; one empty batch when there are none."""
    return list(in_batches(members, MAX_MEMBERS_PER_CALL)) or [()]
