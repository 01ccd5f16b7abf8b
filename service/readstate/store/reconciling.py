"""A copy and its room are brought to agree, when a failover may have set one of them back."""

from readstate.store import lua
from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.lua import CopyReply
from readstate.store.script_calls import Call
from readstate.store.states import State

_NO_COPY = CopyReply(room="", revision=0, cursor=0, unread=0, state=State.GONE, tags=(), news=False)


async def copy_of(executor: Executor, app: str, user: str, room: str) -> CopyReply:
    """A user's copy of a room, GONE when there is none. Raises what Executor.call does."""
    return next(iter(await executor.call(lua.copies(rooms=(room,)), Keys.user(app, user))), _NO_COPY)


def reconcile_copy(app: str, user: str, copy: CopyReply, settings: str) -> Call[bool]:
    """The call of the copy's room that makes both agree; true when they did not."""
    return lua.reconcile_copy(
        app=app,
        user=user,
        settings=settings,
        revision=copy.revision,
        cursor=copy.cursor,
        unread=copy.unread,
        state=int(copy.state),
        tags=copy.tags,
        asks=copy.news or copy.state == State.DERIVED,
    )
