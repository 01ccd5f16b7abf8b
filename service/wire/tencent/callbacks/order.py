"""Which of two things happened later, in whatever order they are told, and told again: members come and go, groups begin and end.

Of a group, and of an account in a group, the times at which it changed are kept in a chain that rises: the time of a message is such a
time, and its id says of whom and the how many-th. The messages are in rooms without members, which remember as many as any room.
"""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from zlib import crc32

from service.domain.types import Posted
from service.errors import MessageUnknown, RoomUnknown
from service.wire.tencent.callbacks.ingest import Ingest, together

SHARDS = 64  # each remembers READSTATE_MESSAGE_HISTORY changes
MAX_CHANGES = 64  # of one account in one group; further ones are taken as they come
_ROOM = "tencent·order:"  # no GroupId holds a letter beyond ASCII

Holds = Callable[[Ingest, str, int], Awaitable[bool]]


async def begins(ingest: Ingest, what: str, at_ms: int) -> bool:
    """`what` began at `at_ms`. Whether that still holds: nothing later is known of it. From here on this is known.

    A repeat of what happened last still holds: it may have failed halfway.
    """
    name = _name(what)
    for number in range(MAX_CHANGES):
        known = await _keep(ingest, f"{name}:{number}", at_ms)
        if known.at_ms >= at_ms:
            return known.created or (known.at_ms == at_ms and not await _is_known(ingest, f"{name}:{number + 1}"))
    return True


async def ends(ingest: Ingest, what: str, at_ms: int) -> bool:
    """The same for its end."""
    holds = await begins(ingest, what, at_ms)
    if holds:
        await begins(ingest, _end_of(what), at_ms)
    return holds


async def has_ended(ingest: Ingest, what: str, since_ms: int) -> bool:
    """Whether `what` is known to have ended after `since_ms`."""
    name, ended_ms = _name(_end_of(what)), 0
    for number in range(MAX_CHANGES):
        try:
            known = await ingest.read_state.receipts(app=ingest.app, room=_room(name), message=f"{name}:{number}", limit=1)
        except (RoomUnknown, MessageUnknown):
            break
        ended_ms = known.message.at_ms
    return ended_ms > since_ms


async def came(ingest: Ingest, group: str, members: Sequence[str], at_ms: int) -> list[str]:
    """Those who came to a group at `at_ms`, without those of whom something later is known."""
    return await _of_whom(begins, ingest, group, members, at_ms)


async def went(ingest: Ingest, group: str, members: Sequence[str], at_ms: int) -> list[str]:
    """The same for those who went."""
    return await _of_whom(ends, ingest, group, members, at_ms)


def membership(group: str, member: str) -> str:
    """Names an account in a group, as a group's id names the group. No id holds a line break."""
    return f"{group}\n{member}"


def _end_of(what: str) -> str:
    return f"{what}\n"


async def _of_whom(holds: Holds, ingest: Ingest, group: str, members: Sequence[str], at_ms: int) -> list[str]:
    distinct = list(dict.fromkeys(members))
    answers = await together(holds(ingest, membership(group, member), at_ms) for member in distinct)
    return [member for member, answer in zip(distinct, answers, strict=True) if answer]


async def _keep(ingest: Ingest, link: str, at_ms: int) -> Posted:
    """Post the link of a chain; one that is known stays as it is."""
    try:
        return await _post(ingest, link, at_ms)
    except RoomUnknown:
        await ingest.read_state.create_room(app=ingest.app, room=_room(link))
        return await _post(ingest, link, at_ms)


async def _post(ingest: Ingest, link: str, at_ms: int) -> Posted:
    return await ingest.read_state.post(app=ingest.app, room=_room(link), sender="", message=link, countable=False, sent_ms=at_ms)


async def _is_known(ingest: Ingest, link: str) -> bool:
    try:
        await ingest.read_state.message_sender(app=ingest.app, room=_room(link), message=link)
    except MessageUnknown:
        return False
    return True


def _name(what: str) -> str:
    return hashlib.sha256(what.encode()).hexdigest()


def _room(link: str) -> str:
    """All links of a chain are in one room."""
    return f"{_ROOM}{crc32(link[:64].encode()) % SHARDS}"
