"""Reads on Tencent's side, while an app uses both: they only move forward, and receipts move no
cursor.
"""

import time

import pytest

from readstate.domain.direct import direct_room
from readstate.domain.receipts import Filter
from tests.support import tencent_callbacks as told
from tests.support.tencent_callbacks import Tencent

NOW_S = 1_700_000_000
AL_BO = direct_room("al", "bo")
TOPIC = "@TGS#_c@TOPIC#_t"


async def test_a_conversation_read_on_tencents_side_is_read(tencent: Tencent) -> None:
    """Up to the named second, which is included."""
    await tencent.tell(*(told.direct_sent("bo", "al", seq, NOW_S + seq) for seq in (1, 2, 3)))
    await tencent.tell(*[told.direct_read("al", "bo", NOW_S + 2)] * 2)
    assert await tencent.badges("al") == {"al": 1}


async def test_an_older_read_changes_nothing(tencent: Tencent) -> None:
    await tencent.tell(*(told.direct_sent("bo", "al", seq, NOW_S + seq) for seq in (1, 2, 3)))
    await tencent.tell(told.direct_read("al", "bo", NOW_S + 3), told.direct_read("al", "bo", NOW_S + 1))
    assert await tencent.badges("al") == {"al": 0}


async def test_a_read_without_a_time_reads_nothing(tencent: Tencent) -> None:
    await tencent.tell(told.direct_sent("bo", "al", 1), told.direct_read("al", "bo", 0))
    assert await tencent.badges("al") == {"al": 1}


async def test_what_was_read_before_it_came_is_born_read(tencent: Tencent) -> None:
    """A message of that very second stays unread rather than hidden."""
    await tencent.tell(told.direct_read("al", "bo", NOW_S + 2))
    await tencent.tell(told.direct_sent("bo", "al", 1, NOW_S + 1))
    assert await tencent.badges("al") == {"al": 0}
    await tencent.tell(told.direct_sent("bo", "al", 2, NOW_S + 2))
    assert await tencent.badges("al") == {"al": 1}


async def test_a_read_in_the_far_future_reads_no_message_to_come(tencent: Tencent) -> None:
    now_s = int(time.time())
    await tencent.tell(told.direct_read("al", "bo", now_s + 10_000), told.direct_sent("bo", "al", 1, now_s + 100))
    assert await tencent.badges("al") == {"al": 1}


@pytest.mark.parametrize("ahead_s", [3600, 10**10])
async def test_a_message_from_the_far_future_can_be_read(tencent: Tencent, ahead_s: int) -> None:
    """An impossible time counts as now."""
    now_s = int(time.time())
    await tencent.tell(told.direct_sent("bo", "al", 1, now_s + ahead_s), told.direct_read("al", "bo", now_s + 120))
    assert await tencent.badges("al") == {"al": 0}


async def test_a_receipt_is_kept_and_does_not_change_what_is_unread(tencent: Tencent) -> None:
    await tencent.tell(told.direct_sent("bo", "al", 1), told.direct_sent("bo", "al", 2))
    await tencent.tell(*[told.direct_receipts("al", "bo", told.key(1), told.key(9))] * 2)
    assert await tencent.badges("al") == {"al": 2}
    assert await readers(tencent, AL_BO, told.key(1)) == ["al"]
    assert await readers(tencent, AL_BO, told.key(2)) == []


async def test_group_receipts_are_kept_and_do_not_change_what_is_unread(tencent: Tencent) -> None:
    await tencent.tell(
        told.group_created("g", "al", "cy"), told.group_sent("g", "bo", 1), told.group_sent("g", "bo", 2)
    )
    await tencent.tell(*[told.group_receipts("g", 1, "al", "cy", "stranger")] * 2)
    assert await tencent.badges("al", "cy") == {"al": 2, "cy": 2}
    assert await readers(tencent, "g", "1") == ["al", "cy"]
    assert await readers(tencent, "g", "2") == []


async def test_reading_everything_reads_conversations_and_the_groups_named(tencent: Tencent) -> None:
    """Groups are read up to the named message. Others stay unread."""
    await tencent.tell(told.direct_sent("bo", "al", 1), told.direct_sent("cy", "al", 1))
    for group in ("g", "h"):
        await tencent.tell(told.group_created(group, "al"), *(told.group_sent(group, "bo", seq) for seq in (1, 2, 3)))
    await tencent.tell(*[told.all_read("al", (NOW_S + 9) * 1000, g=2)] * 2)
    assert await tencent.imkit.badge("al", "direct") == 0
    assert (await tencent.unread("al", "g"), await tencent.unread("al", "h")) == (1, 3)


async def test_reading_a_group_up_to_a_notice_reads_what_came_before(tencent: Tencent) -> None:
    """Tencent's notices in a group have numbers too, and send no callback."""
    await tencent.tell(told.group_created("g", "al"), told.group_sent("g", "bo", 1, time_s=NOW_S))
    await tencent.tell(told.group_sent("g", "bo", 3, time_s=NOW_S + 5), told.all_read("al", (NOW_S + 2) * 1000, g=2))
    assert await tencent.badges("al") == {"al": 1}


@pytest.mark.parametrize(
    "callback",
    [
        told.direct_read("al", "bo", NOW_S),
        told.direct_receipts("al", "bo", told.key(1)),
        told.group_receipts("nowhere", 1, "al"),
        told.all_read("al", NOW_S * 1000, nowhere=1),
        told.topic_destroyed("nowhere", TOPIC),
    ],
    ids=lambda callback: callback[0],
)
async def test_reading_the_unknown_is_acknowledged(tencent: Tencent, callback: told.Callback) -> None:
    await tencent.tell(callback)
    assert await tencent.badges("al") == {"al": 0}


async def readers(tencent: Tencent, room: str, message: str) -> list[str]:
    """The readers of a message."""
    read_state = tencent.read_state
    receipts = await read_state.receipts.page(app="default", room=room, message=message, which=Filter.READ)
    return [reader.member for reader in receipts.readers]
