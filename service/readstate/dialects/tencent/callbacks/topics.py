"""The topics of a community (Group.CallbackAfterCreateTopic, Group.CallbackAfterTopicDestroyed): rooms of their own, with its members.

Which topics there are is kept as the profile of a room without members.
"""

from contextlib import suppress

from readstate.dialects.access.rooms import RESERVED
from readstate.dialects.tencent.callbacks.context import Ingest
from readstate.dialects.tencent.callbacks.order import begins, ends, has_ended
from readstate.dialects.tencent.callbacks.schemas import InGroup, OfTopic
from readstate.dialects.tencent.group_types import known_type
from readstate.errors import RoomUnknown

MAX_MEMBERS = 100_000  # of a community, who are let into a new topic

_INDEX = f"{RESERVED}topics:"  # no GroupId has characters beyond ASCII
_THERE, _GONE = b"true", b"false"


async def topic_created(ingest: Ingest, body: OfTopic) -> None:
    """A topic began, unless its community has ended since."""
    if await begins(ingest, body.room, body.at_ms) and not await has_ended(ingest, body.group, body.at_ms):
        await open_topic(ingest, body)


async def topic_destroyed(ingest: Ingest, body: OfTopic) -> None:
    """A topic ended, and with it what was unread in it."""
    if await ends(ingest, body.room, body.at_ms):
        await ingest.read_state.delete_room(app=ingest.app, room=body.room)
        await _enter(ingest, body.group, body.room, _GONE)


async def open_topic(ingest: Ingest, body: InGroup) -> None:
    """The room of a topic, with those who are in the community now; repeating adds who is missing."""
    # First of all, so that who joins meanwhile is let in by their own callback.
    await _enter(ingest, body.group, body.room, _THERE)
    await ingest.let_in(body.room, await _members_of(ingest, body.group), body.profile)


async def rooms_of(ingest: Ingest, body: InGroup) -> list[str]:
    """The group's room, and of a community also those of its topics."""
    if known_type(body.kind or "") != "Community":
        return [body.group]
    try:
        index = await ingest.read_state.room(app=ingest.app, room=_INDEX + body.group)
    except RoomUnknown:
        return [body.group]
    return [body.group, *(topic for topic, state in index.profile.items() if state == _THERE)]


async def forget_topics(ingest: Ingest, group: str) -> None:
    """The community has ended."""
    await ingest.read_state.delete_room(app=ingest.app, room=_INDEX + group)


async def _enter(ingest: Ingest, group: str, topic: str, state: bytes) -> None:
    index = _INDEX + group
    _, is_new = await ingest.read_state.create_room(app=ingest.app, room=index, profile={topic: state})
    if not is_new:
        await ingest.read_state.set_profile(app=ingest.app, room=index, profile={topic: state})


async def _members_of(ingest: Ingest, group: str) -> list[str]:
    if not await ingest.is_there(group):
        return []
    with suppress(RoomUnknown):
        return [
            state.member for state in await ingest.read_state.members(app=ingest.app, room=group, limit=MAX_MEMBERS)
        ]
    return []
