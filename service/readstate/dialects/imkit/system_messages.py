"""System messages: what a room says about itself when people come and go and `systemMessage` was
asked for.

They are posted by the actor after the change, so they are unread for everybody but the actor
(docs.imkit.io, Message Types).
"""

from collections.abc import Sequence

import msgspec

from readstate.dialects.imkit.call import Principal
from readstate.dialects.services import Services
from readstate.domain.limits import check_id

# What only the service says: no client sends a message of these types.
SYSTEM_TYPES = frozenset(
    {
        "joinRoom",
        "leaveRoom",
        "addMember",
        "addMembers",
        "deleteMember",
        "deleteMembers",
        "cancelInvitations",
        "assignAdmin",
    }
)


async def announce(
    services: Services, principal: Principal, room: str, message_type: str, members: Sequence[str]
) -> None:
    """Post a system message about `members` in the caller's name; the backend in nobody's name
    posts without a sender.
    """
    body = msgspec.json.encode({"messageType": message_type, "message": "", "members": members}).decode()
    sender = check_id("sender", principal.user) if principal.user else None
    await services.messages.post(app=principal.app, room=room, sender=sender, body=body)


def added(members: Sequence[str]) -> str:
    """The type of a message about `members` whom the actor has brought."""
    return "addMember" if len(members) == 1 else "addMembers"


def removed(principal: Principal, members: Sequence[str]) -> str:
    """The type of a message about `members` who are gone."""
    if list(members) == [principal.user]:
        return "leaveRoom"
    return "deleteMember" if len(members) == 1 else "deleteMembers"
