"""Groups made and ended, members come and gone (Group.CallbackAfterCreateGroup, AfterNewMemberJoin, AfterMemberExit, AfterGroupDestroyed).

Who joins starts at the head, with nothing unread; who leaves, and everybody when the group ends, has nothing unread in it any more. What
is told late, when something later is known, changes nothing. Callbacks may be carried out side by side, so each looks at its end whether a
later one about the same members has come, and may have been done before it.
"""

from collections.abc import Sequence
from contextlib import suppress
from functools import partial

from readstate.batches import gather_batched
from readstate.dialects.tencent.callbacks.context import Ingest, in_calls
from readstate.dialects.tencent.callbacks.order import back_since, begins, came, ends, gone_since, has_ended, went
from readstate.dialects.tencent.callbacks.schemas import GroupCreated, InGroup, Joined, Left
from readstate.dialects.tencent.callbacks.topics import forget_topics, open_topic, rooms_of
from readstate.errors import NotMember, RoomUnknown

_EVERY_MESSAGE = 2**31


async def open_group(ingest: Ingest, body: InGroup, members: Sequence[str]) -> None:
    """The room of a group or topic that a callback speaks of, made when it is first needed, and `members` in it."""
    if body.topic_id and not await ingest.is_there(body.room):
        await open_topic(ingest, body)
    await ingest.let_in(body.room, members, body.profile)


async def is_over(ingest: Ingest, body: InGroup) -> bool:
    """Whether the group or topic has ended since what a callback tells of."""
    return any(await gather_batched(lambda what: has_ended(ingest, what, body.at_ms), [body.group, body.room]))


async def group_created(ingest: Ingest, body: GroupCreated) -> None:
    """A group with its first members. Messages that came before it are unread for them: they have been there from the start."""
    if not await begins(ingest, body.group, body.at_ms):
        return
    members = await came(ingest, body.group, body.members, body.at_ms)
    for room in await rooms_of(ingest, body):
        late = await ingest.let_in(room, members, body.profile)
        # Without a time a repeat cannot be told from the first, and must not make old messages unread.
        if body.event_time:
            await gather_batched(partial(_begin_at_the_start, ingest, room), late)
    await _take_out(ingest, body, await gone_since(ingest, body.group, members, body.at_ms))


async def members_joined(ingest: Ingest, body: Joined) -> None:
    """Members came, into all topics too. A group that nobody has heard of begins with them."""
    if not await ingest.is_there(body.group) and await is_over(ingest, body):
        return
    members = await came(ingest, body.group, body.members, body.at_ms)
    await _let_in(ingest, body, members)
    await _take_out(ingest, body, await gone_since(ingest, body.group, members, body.at_ms))


async def members_left(ingest: Ingest, body: Left) -> None:
    """Members went."""
    members = await went(ingest, body.group, body.members, body.at_ms)
    await _take_out(ingest, body, members)
    await _let_in(ingest, body, await back_since(ingest, body.group, members, body.at_ms))


async def group_destroyed(ingest: Ingest, body: InGroup) -> None:
    """A group ended, and with it what was unread in it."""
    if not await ends(ingest, body.group, body.at_ms):
        return
    for room in await rooms_of(ingest, body):
        await ingest.read_state.delete_room(app=ingest.app, room=room)
    await forget_topics(ingest, body.group)


async def _let_in(ingest: Ingest, body: InGroup, members: Sequence[str]) -> None:
    for room in await rooms_of(ingest, body) if members else ():
        await ingest.let_in(room, members, body.profile)


async def _take_out(ingest: Ingest, body: InGroup, members: Sequence[str]) -> None:
    for room in await rooms_of(ingest, body) if members else ():
        for some in in_calls(members):
            with suppress(RoomUnknown):
                await ingest.read_state.remove_members(app=ingest.app, room=room, members=some)


async def _begin_at_the_start(ingest: Ingest, room: str, member: str) -> None:
    # Who is gone again by now has nothing unread.
    with suppress(RoomUnknown, NotMember):
        await ingest.read_state.set_unread(app=ingest.app, room=room, user=member, count=_EVERY_MESSAGE)
