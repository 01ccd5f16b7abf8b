"""The topics of a community: rooms of their own, with the community's members.

Group.CallbackAfterCreateTopic, Group.CallbackAfterTopicDestroyed. The list of topics is kept as the
profile of a room without members.
"""

from contextlib import suppress

from readstate.dialects.access.rooms import RESERVED
from readstate.dialects.tencent.callbacks.context import CallbackContext
from readstate.dialects.tencent.callbacks.order import begins, ends, has_ended
from readstate.dialects.tencent.callbacks.schemas import InGroup, OfTopic
from readstate.dialects.tencent.group_types import known_type
from readstate.errors import RoomUnknown

MAX_MEMBERS = 100_000  # of a community that are added to a new topic

_INDEX = f"{RESERVED}topics:"  # no GroupId has characters beyond ASCII
_THERE, _GONE = b"true", b"false"


async def topic_created(context: CallbackContext, body: OfTopic) -> None:
    """A topic began, unless its community has ended after that."""
    if await begins(context, body.room, body.at_ms) and not await has_ended(context, body.group, body.at_ms):
        await open_topic(context, body)


async def topic_destroyed(context: CallbackContext, body: OfTopic) -> None:
    """A topic ended, and with it what was unread in it."""
    if await ends(context, body.room, body.at_ms):
        await context.read_state.rooms.delete_room(app=context.app, room=body.room)
        await _enter(context, body.group, body.room, _GONE)


async def open_topic(context: CallbackContext, body: InGroup) -> None:
    """Make the room of a topic, with the present members of the community.

    A repeat adds those that are missing.
    """
    # First of all, so that the callbacks of members that join meanwhile find the topic.
    await _enter(context, body.group, body.room, _THERE)
    await context.add_members(body.room, await _members_of(context, body.group), body.profile)


async def rooms_of(context: CallbackContext, body: InGroup) -> list[str]:
    """The group's room; for a community also the rooms of its topics."""
    if known_type(body.kind or "") != "Community":
        return [body.group]
    try:
        index = await context.read_state.rooms.room(app=context.app, room=_INDEX + body.group)
    except RoomUnknown:
        return [body.group]
    return [body.group, *(topic for topic, state in index.profile.items() if state == _THERE)]


async def forget_topics(context: CallbackContext, group: str) -> None:
    """The community has ended."""
    await context.read_state.rooms.delete_room(app=context.app, room=_INDEX + group)


async def _enter(context: CallbackContext, group: str, topic: str, state: bytes) -> None:
    index = _INDEX + group
    if not await context.create_room(index, (), {topic: state}):
        await context.read_state.rooms.set_profile(app=context.app, room=index, profile={topic: state})


async def _members_of(context: CallbackContext, group: str) -> list[str]:
    if not await context.is_there(group):
        return []
    with suppress(RoomUnknown):
        return [
            state.member
            for state in await context.read_state.rooms.members(app=context.app, room=group, limit=MAX_MEMBERS)
        ]
    return []
