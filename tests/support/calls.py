"""Calls of scripts as they stand: what a test sends is sent, and what the script answers
is the reply.
"""

from typing import Any

from readstate.domain.client_rules import Made
from readstate.store import lua
from readstate.store.bounds import DEFAULTS
from readstate.store.executor import Executor
from readstate.store.keys import PENDING_SHARDS, Keys
from readstate.store.recovery import RECOVERY_AGE_S, Recovery
from readstate.store.script_calls import Call, Part

SETTINGS = DEFAULTS.as_settings()


def plain_call(script: str, *args: Part) -> Call[Any]:
    """A call whose reply is not read into anything."""
    return Call(script, args, lambda reply: reply)


async def recover_all(recovery: Recovery, older_than_s: float = RECOVERY_AGE_S) -> None:
    """Look through all lists of rooms that may have pending members."""
    for shard in range(PENDING_SHARDS):
        await recovery.recover(Keys.pending_rooms(shard), older_than_s)


async def post_alone(executor: Executor, app: str, room: str) -> None:
    """Run the room's script of a post, as a worker that dies then: on the split plan no
    member is updated.
    """
    call = lua.post(
        app=app,
        sender="",
        message="m",
        countable=1,
        must_be_member=False,
        body="{}",
        settings=SETTINGS,
        sent_ms=0,
        made=Made.ANYHOW,
        by_time=False,
        sender_reads=True,
        as_last=True,
        notify=True,
    )
    await executor.call(plain_call(call.script, *call.args), Keys.room(app, room))


def update(
    room: str, revision: int, created_revision: int, tags: str, cursor: int, unread: int, state: int
) -> dict[str, Any]:
    """The arguments of apply."""
    return {
        "room": room,
        "revision": revision,
        "created_revision": created_revision,
        "tags": tags.encode(),
        "cursor": cursor,
        "unread": unread,
        "state": int(state),
    }
