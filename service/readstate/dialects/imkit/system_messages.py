"""System messages: a room reports changes of its members when `systemMessage` was asked for.

The actor posts them after the change, so they are unread for all other members (docs.imkit.io,
Message Types).
"""

from collections.abc import Sequence

import msgspec

from readstate.dialects.imkit.operation import Call, Principal
from readstate.domain.limits import check_id

# Only the service posts messages of these types.
SYSTEM_TYPES = frozenset(
    (
        *("joinRoom", "leaveRoom", "cancelInvitations", "assignAdmin"),
        *("addMember", "addMembers", "deleteMember", "deleteMembers"),
    )
)


async def announce(call: Call, room: str, message_type: str, members: Sequence[str], sender: str = "") -> None:
    """Post a system message about `members` for the caller, or for `sender`. The backend without a
    user posts without a sender.
    """
    body = msgspec.json.encode({"messageType": message_type, "message": "", "members": members}).decode()
    user = sender or call.auth.user
    await call.services.messages.post(
        app=call.auth.app, room=room, sender=check_id("sender", user) if user else None, body=body
    )


def added(members: Sequence[str]) -> str:
    """The type of a message about `members` whom the actor has added."""
    return "addMember" if len(members) == 1 else "addMembers"


def removed(principal: Principal, members: Sequence[str]) -> str:
    """The type of a message about `members` who have left or were removed."""
    if list(members) == [principal.user]:
        return "leaveRoom"
    return "deleteMember" if len(members) == 1 else "deleteMembers"
