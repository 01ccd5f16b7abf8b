"""Groups made and ended, members come and gone.

Group.CallbackAfterCreateGroup, AfterNewMemberJoin, AfterMemberExit, AfterGroupDestroyed. A new
member starts at the head, with nothing unread. A member that leaves has nothing unread in the group
any more, and so have all when the group ends. A callback that comes late, when something later is
known, changes nothing. Callbacks run side by side; so each looks at its end for a later one about
the same members, which may have run before it.
"""

from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from readstate.batches import gather_batched
from readstate.dialects.tencent.callbacks.context import CallbackContext, in_call_batches
from readstate.dialects.tencent.callbacks.order import back_since, begins, came, ends, gone_since, has_ended, went
from readstate.dialects.tencent.callbacks.schemas import GroupCreated, InGroup, Joined, Left
from readstate.dialects.tencent.callbacks.topics import forget_topics, open_topic, rooms_of
from readstate.domain.limits import check_members
from readstate.errors import NotMember, RoomUnknown

_EVERY_MESSAGE = 2**31


async def open_group(context: CallbackContext, body: InGroup, members: Sequence[str]) -> None:
    """Add `members` to the room of a group or topic, which is made when it is first needed."""
    if body.topic_id and not await context.is_there(body.room):
        await open_topic(context, body)
    await context.add_members(body.room, members, body.profile)


async def is_over(context: CallbackContext, body: InGroup) -> bool:
    """Whether the group or topic has ended after the time of a callback."""
    return any(await gather_batched(lambda what: has_ended(context, what, body.at_ms), [body.group, body.room]))


async def group_created(context: CallbackContext, body: GroupCreated) -> None:
    """A group with its first members.

    Messages that came before this callback are unread for them: they were members from the start.
    """
    if not await begins(context, body.group, body.at_ms):
        return
    members = await came(context, body.group, body.members, body.at_ms)
    for room in await rooms_of(context, body):
        late = await context.add_members(room, members, body.profile)
        # Without a time a repeat looks like the first, and must not make old messages unread.
        if body.event_time:
            await gather_batched(partial(_begin_at_the_start, context, room), late)
    await _remove(context, body, await gone_since(context, body.group, members, body.at_ms))


async def members_joined(context: CallbackContext, body: Joined) -> None:
    """Members came, into all topics too. An unknown group begins with them."""
    if not await context.is_there(body.group) and await is_over(context, body):
        return
    members = await came(context, body.group, body.members, body.at_ms)
    await _add(context, body, members)
    await _remove(context, body, await gone_since(context, body.group, members, body.at_ms))


async def members_left(context: CallbackContext, body: Left) -> None:
    """Members went."""
    members = await went(context, body.group, body.members, body.at_ms)
    await _remove(context, body, members)
    await _add(context, body, await back_since(context, body.group, members, body.at_ms))


async def group_destroyed(context: CallbackContext, body: InGroup) -> None:
    """A group ended, and with it what was unread in it."""
    if not await ends(context, body.group, body.at_ms):
        return
    for room in await rooms_of(context, body):
        await context.read_state.rooms.delete_room(app=context.app, room=room)
    await forget_topics(context, body.group)


async def _add(context: CallbackContext, body: InGroup, members: Sequence[str]) -> None:
    for room in await rooms_of(context, body) if members else ():
        await context.add_members(room, members, body.profile)


async def _remove(context: CallbackContext, body: InGroup, members: Sequence[str]) -> None:
    for room in await rooms_of(context, body) if members else ():
        for some in in_call_batches(members):
            with suppress(RoomUnknown):
                await context.read_state.rooms.remove_members(
                    app=context.app, room=room, members=check_members("members", some)
                )


async def _begin_at_the_start(context: CallbackContext, room: str, member: str) -> None:
    # A member that is gone again by now has nothing unread.
    with suppress(RoomUnknown, NotMember):
        await context.read_state.reading.set_unread(app=context.app, room=room, user=member, count=_EVERY_MESSAGE)
