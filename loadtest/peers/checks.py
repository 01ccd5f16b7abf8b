"""What is easily counted wrong, tried with every peer.

Each check has rooms and members of its own, and says what is right from the calls alone.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from loadtest.bench.calls import message_id
from loadtest.bench.day import Room
from loadtest.bench.population import all_of
from loadtest.peers.work import Answers

RACE_ROOMS = 20
RACE_MEMBERS = 20
RACE_POSTS = 40
LATER_S = 0.03  # apart enough for two times in milliseconds


@dataclass(frozen=True)
class Finding:
    """What became of a check."""

    right: bool
    text: str


@dataclass(frozen=True)
class Check:
    """`question`: as the table asks it."""

    question: str
    ask: Callable[[Answers], Awaitable[Finding]]


async def posts_beside_reads(peer: Answers) -> Finding:
    """In each room one member posts, one message after the other, and the others read the newest
    one that they have seen, until each stops somewhere. Then they ask for their badges.
    """
    rooms = [_room(f"race{number}", RACE_MEMBERS) for number in range(RACE_ROOMS)]
    await peer.make_rooms(rooms)
    chance = random.Random("race")
    found = await asyncio.gather(*(_race(peer, room, chance) for room in rooms))
    wrong, asked = sum(one for one, _ in found), sum(one for _, one in found)
    return Finding(not wrong, f"{wrong} of {asked} badges wrong")


async def _race(peer: Answers, room: Room, chance: random.Random) -> tuple[int, int]:
    poster, *readers = room.members
    seen = [0]
    read = dict.fromkeys(readers, 0)

    async def post() -> None:
        for number in range(1, RACE_POSTS + 1):
            await peer.post(room.id, message_id(number), poster)
            seen[0] = number

    async def follow(reader: str) -> None:
        stops_at = chance.randrange(1, RACE_POSTS)
        while read[reader] < stops_at:
            await asyncio.sleep(chance.random() * 0.02)
            if seen[0] > read[reader]:
                read[reader] = seen[0]
                await peer.mark_read(room.id, reader, message_id(read[reader]))

    await asyncio.gather(post(), *(follow(reader) for reader in readers))
    badges = await all_of(peer.badge(reader) for reader in readers)
    return sum(badge != RACE_POSTS - read[reader] for reader, badge in zip(readers, badges, strict=True)), len(readers)


async def older_message(peer: Answers) -> Finding:
    room, (_, ben) = await _with_messages(peer, "older", 10)
    return _number(await peer.mark_read(room, ben, message_id(4)), 6)


async def late_device(peer: Answers) -> Finding:
    room, (_, ben) = await _with_messages(peer, "late", 10)
    await peer.mark_read(room, ben, message_id(8))
    return _number(await peer.mark_read(room, ben, message_id(4)), 2)


async def repeated_post(peer: Answers) -> Finding:
    room, (ann, ben) = await _with_messages(peer, "repeated", 1)
    await peer.post(room, message_id(1), ann)
    return _number(await peer.badge(ben), 1)


async def deleted_message(peer: Answers) -> Finding:
    room, (_, ben) = await _with_messages(peer, "deleted", 3)
    await peer.delete(room, message_id(2))
    return _number(await peer.badge(ben), 2)


async def both_tags(peer: Answers) -> Finding:
    room, other = _room("both", 2, ["home", "work"]), _room("one", 2, ["home"])
    other.members[:] = room.members
    await peer.make_rooms([room, other])
    for one in (room, other):
        await peer.post(one.id, message_id(1), one.members[0])
    return _number(await peer.badge(room.members[1], ["home", "work"]), 1)


async def first_time(peer: Answers) -> Finding:
    """A later read does not change since when an earlier message is read."""
    room, (_, ben) = await _with_messages(peer, "time", 5)
    await peer.mark_read(room, ben, message_id(3))
    before = await peer.receipts(room, message_id(2))
    await asyncio.sleep(LATER_S)
    await peer.mark_read(room, ben, message_id(5))
    later_ms = (await peer.receipts(room, message_id(2)))[ben] - before[ben]
    return Finding(not later_ms, "the first time" if not later_ms else "the time of the last read")


CHECKS = (
    Check("badges after posts and reads at the same time", posts_beside_reads),
    Check("ten messages, the fourth is read: unread", older_message),
    Check("the eighth of ten is read, then another device says the fourth: unread", late_device),
    Check("a message is posted twice, as after a lost answer: unread", repeated_post),
    Check("one of three unread messages is deleted: unread", deleted_message),
    Check("one message each in rooms tagged home, and home and work: badge of both tags", both_tags),
    Check("since when a message is read, after the reader has read on", first_time),
)


async def findings(peer: Answers) -> dict[str, Finding]:
    """Every check, by its question."""
    return {check.question: await check.ask(peer) for check in CHECKS}


def _room(name: str, members: int, tags: Sequence[str] = ("home",)) -> Room:
    return Room(f"check-{name}", [f"check-{name}-{number}" for number in range(members)], list(tags), 1.0)


async def _with_messages(peer: Answers, name: str, messages: int) -> tuple[str, list[str]]:
    """A room of two, the first of whom has posted so many messages."""
    room = _room(name, 2)
    await peer.make_rooms([room])
    for number in range(1, messages + 1):
        await peer.post(room.id, message_id(number), room.members[0])
    return room.id, room.members


def _number(found: int, right: int) -> Finding:
    return Finding(found == right, str(found) if found == right else f"{found} instead of {right}")
