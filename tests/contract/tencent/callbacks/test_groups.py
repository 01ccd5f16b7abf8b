"""Groups by callbacks: members, unread messages, and callbacks that come late."""

import asyncio
import time
from typing import Any

import pytest

from tests.support import tencent_callbacks as told
from tests.support.tencent_callbacks import Tencent

NOW_S = 1_700_000_000
LATER_MS = 1_700_000_100_000


async def test_a_group_counts_for_its_members(tencent: Tencent) -> None:
    """The owner is always a member. The sender of a message has read it."""
    await tencent.tell(
        told.group_created("g", "al", "bo", "cy"), told.group_sent("g", "bo", 1), told.group_sent("g", "bo", 3)
    )
    assert await tencent.badges("al", "bo", "cy") == {"al": 2, "bo": 0, "cy": 2}


async def test_a_group_may_be_named_as_one_table_has_it(tencent: Tencent) -> None:
    command, body = told.group_created("g", "al")
    body["groupID"] = body.pop("GroupId")
    await tencent.tell((command, body), told.group_sent("g", "bo", 1))
    assert await tencent.badges("al") == {"al": 1}


async def test_a_group_keeps_its_type(tencent: Tencent) -> None:
    await tencent.tell(told.group_created("g", "al", kind="Private"))
    room = await tencent.read_state.rooms.room(app="default", room="g")
    assert (room.profile["groupType"], room.tags) == (b'"Private"', ())


async def test_a_repeated_group_message_counts_once(tencent: Tencent) -> None:
    await tencent.tell(told.group_created("g", "al"), *[told.group_sent("g", "bo", 1)] * 3)
    assert await tencent.badges("al") == {"al": 1}


async def test_a_group_is_made_by_its_first_message(tencent: Tencent) -> None:
    """Its sender is a member."""
    await tencent.tell(
        told.group_sent("g", "al", 1), told.joined("g", "bo", at_ms=LATER_MS), told.group_sent("g", "bo", 2)
    )
    assert await tencent.badges("al", "bo") == {"al": 1, "bo": 0}


async def test_first_members_who_are_told_of_late_have_missed_nothing(tencent: Tencent) -> None:
    """Messages that came before their group are unread for its first members."""
    await tencent.tell(
        told.group_sent("g", "bo", 1), told.group_sent("g", "bo", 2), told.group_created("g", "al", "bo")
    )
    assert await tencent.badges("al", "bo") == {"al": 2, "bo": 0}


async def test_first_members_without_a_time_start_at_the_head(tencent: Tencent) -> None:
    """The callback may be a repeat that comes after they have read."""
    command, body = told.group_created("g", "al")
    del body["EventTime"]
    await tencent.tell(told.group_sent("g", "bo", 1), (command, body), told.group_sent("g", "bo", 2))
    assert await tencent.badges("al") == {"al": 1}


async def test_an_unknown_sender_is_a_member(tencent: Tencent) -> None:
    await tencent.tell(told.group_created("g", "al"), told.group_sent("g", "bo", 1), told.group_sent("g", "al", 2))
    assert await tencent.badges("al", "bo") == {"al": 0, "bo": 1}


@pytest.mark.parametrize("known", [True, False])
async def test_the_administrator_is_no_member(tencent: Tencent, known: bool) -> None:
    """A sender in the app's name is not counted as a member who has yet to read."""
    before = [told.group_created("g", "al")] if known else []
    await tencent.tell(
        *before, told.group_sent("g", "administrator", 1), told.joined("g", "bo"), told.group_sent("g", "bo", 2)
    )
    assert await tencent.badges("administrator", "al") == {"administrator": 0, "al": 2 if known else 0}


async def test_a_message_of_nobody_counts(tencent: Tencent) -> None:
    await tencent.tell(told.group_created("g", "al"), told.group_sent("g", "", 1))
    assert await tencent.badges("al") == {"al": 1}


@pytest.mark.parametrize("kind", ["ChatRoom", "Meeting", "AVChatRoom"])
async def test_types_without_unread_have_none(tencent: Tencent, kind: str) -> None:
    await tencent.tell(told.group_created("g", "al", kind=kind), told.group_sent("g", "bo", 1, kind=kind))
    assert await tencent.badges("al") == {"al": 0}


async def test_an_online_only_message_is_not_unread(tencent: Tencent) -> None:
    await tencent.tell(told.group_created("g", "al"), told.group_sent("g", "bo", 1, OnlineOnlyFlag=1))
    assert await tencent.badges("al") == {"al": 0}


async def test_who_joins_has_nothing_unread(tencent: Tencent) -> None:
    await tencent.tell(told.group_created("g", "al"), told.group_sent("g", "al", 1), told.joined("g", "bo", "cy"))
    await tencent.tell(told.group_sent("g", "al", 2))
    assert await tencent.badges("bo", "cy") == {"bo": 1, "cy": 1}


async def test_who_leaves_has_nothing_unread(tencent: Tencent) -> None:
    await tencent.tell(told.group_created("g", "al", "bo"), told.group_sent("g", "al", 1), told.left("g", "bo"))
    await tencent.tell(told.group_sent("g", "al", 2))
    assert await tencent.badges("bo") == {"bo": 0}


async def test_a_repeated_join_does_not_bring_back_who_left(tencent: Tencent) -> None:
    came, went = told.joined("g", "bo", at_ms=LATER_MS), told.left("g", "bo", at_ms=LATER_MS + 1)
    await tencent.tell(told.group_created("g", "al"), came, went, came, told.group_sent("g", "al", 1))
    assert await tencent.badges("bo") == {"bo": 0}


async def test_a_repeated_creation_does_not_bring_back_who_left(tencent: Tencent) -> None:
    made = told.group_created("g", "al", "bo")
    await tencent.tell(made, told.left("g", "bo"), made, told.group_sent("g", "al", 1))
    assert await tencent.badges("bo") == {"bo": 0}


async def test_a_repeated_exit_does_not_remove_who_came_back(tencent: Tencent) -> None:
    went, came = told.left("g", "bo", at_ms=LATER_MS), told.joined("g", "bo", at_ms=LATER_MS + 1)
    await tencent.tell(told.group_created("g", "al", "bo"), went, came, went, told.group_sent("g", "al", 1))
    assert await tencent.badges("bo") == {"bo": 1}


async def test_callbacks_without_a_time_do_what_they_say_each_time(tencent: Tencent) -> None:
    """Older editions send no EventTime, so a repeat looks like a new event."""
    came, went = told.joined("g", "bo"), told.left("g", "bo")
    del came[1]["EventTime"], went[1]["EventTime"]
    await tencent.tell(told.group_created("g", "al"), came, went, came, told.group_sent("g", "al", 1))
    assert await tencent.badges("bo") == {"bo": 1}


async def test_an_exit_may_come_before_the_join_that_it_ends(tencent: Tencent) -> None:
    await tencent.tell(
        told.group_created("g", "al"), told.left("g", "bo", at_ms=LATER_MS + 1), told.joined("g", "bo", at_ms=LATER_MS)
    )
    await tencent.tell(told.group_sent("g", "al", 1))
    assert await tencent.badges("bo") == {"bo": 0}


async def test_an_exit_that_comes_after_the_return_from_it_changes_nothing(tencent: Tencent) -> None:
    await tencent.tell(
        told.group_created("g", "al", "bo"),
        told.joined("g", "bo", at_ms=LATER_MS + 1),
        told.left("g", "bo", at_ms=LATER_MS),
    )
    await tencent.tell(told.group_sent("g", "al", 1))
    assert await tencent.badges("bo") == {"bo": 1}


async def test_an_end_may_come_before_the_beginning(tencent: Tencent) -> None:
    """The group is unknown. Its messages come too late as well."""
    await tencent.tell(
        told.destroyed("g", "al"), told.group_created("g", "al"), told.group_sent("g", "bo", 1), told.joined("g", "cy")
    )
    assert (await tencent.imkit.as_backend("GET", "/rooms/g")).status_code == 404


async def test_a_message_says_that_its_sender_is_back(tencent: Tencent) -> None:
    """The message was sent after they left, and their return was not told."""
    await tencent.tell(told.group_created("g", "al", "bo"), told.left("g", "bo", at_ms=NOW_S * 1000))
    await tencent.tell(told.group_sent("g", "bo", 1, time_s=NOW_S + 1), told.group_sent("g", "al", 2, time_s=NOW_S + 2))
    assert await tencent.badges("bo") == {"bo": 1}


async def test_an_exit_before_a_members_first_message_changes_nothing(tencent: Tencent) -> None:
    """The join comes after the message, but happened before it."""
    await tencent.tell(told.group_created("g", "al"), told.group_sent("g", "bo", 1, time_s=NOW_S + 10))
    await tencent.tell(told.left("g", "bo", at_ms=(NOW_S + 5) * 1000), told.group_sent("g", "al", 2, time_s=NOW_S + 11))
    assert await tencent.badges("bo") == {"bo": 1}


@pytest.mark.parametrize(
    ("slow", "first", "second", "is_in"),
    [("add_members", told.joined, told.left, False), ("remove_members", told.left, told.joined, True)],
    ids=["join", "exit"],
)
async def test_the_later_of_two_holds_though_they_are_carried_out_at_once(
    tencent: Tencent, monkeypatch: pytest.MonkeyPatch, slow: str, first: Any, second: Any, is_in: bool
) -> None:
    """The earlier one is received before the later one, and done after it."""
    await tencent.tell(told.group_created("g", "al", *["bo"] * is_in))
    begun, go_on = held_up(tencent, monkeypatch, slow)
    earlier = asyncio.create_task(tencent.tell(first("g", "bo", at_ms=LATER_MS)))
    await begun.wait()
    await tencent.tell(second("g", "bo", at_ms=LATER_MS + 1))
    go_on.set()
    await earlier
    assert await tencent.read_state.rooms.rooms_of(app="default", user="bo") == (["g"] if is_in else [])


async def test_who_left_and_came_back_while_they_were_let_in_stays(
    tencent: Tencent, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = held_up(tencent, monkeypatch, "create_room")
    made = asyncio.create_task(tencent.tell(told.group_created("g", "al", "bo", "cy")))
    await begun.wait()
    await tencent.tell(told.left("g", "bo", "cy", at_ms=LATER_MS), told.joined("g", "bo", at_ms=LATER_MS + 1))
    go_on.set()
    await made
    assert [await tencent.read_state.rooms.rooms_of(app="default", user=user) for user in ("al", "bo", "cy")] == [
        ["g"],
        ["g"],
        [],
    ]


async def test_who_comes_and_goes_very_often_is_believed_each_time(tencent: Tencent) -> None:
    """Beyond the remembered events of a member, the order of arrival counts."""
    await tencent.tell(told.group_created("g", "al"))
    for number in range(70):
        move = told.left if number % 2 else told.joined
        await tencent.tell(move("g", "bo", at_ms=LATER_MS + number))
    await tencent.tell(told.joined("g", "bo", at_ms=LATER_MS + 100), told.group_sent("g", "al", 1))
    assert await tencent.badges("bo") == {"bo": 1}


async def test_a_message_that_comes_after_its_senders_exit_does_not_bring_them_back(tencent: Tencent) -> None:
    await tencent.tell(told.group_created("g", "al", "bo"), told.left("g", "bo", at_ms=(NOW_S + 1) * 1000))
    # The time of sending counts, however late Tencent tells of it.
    await tencent.tell(told.group_sent("g", "bo", 1, EventTime=(NOW_S + 9) * 1000), told.group_sent("g", "al", 2))
    assert await tencent.badges("al", "bo") == {"al": 0, "bo": 0}
    assert await tencent.read_state.rooms.rooms_of(app="default", user="bo") == []


async def test_a_join_makes_a_group_that_nobody_has_heard_of(tencent: Tencent) -> None:
    await tencent.tell(told.joined("g", "al"), told.group_sent("g", "bo", 1))
    assert await tencent.badges("al") == {"al": 1}


async def test_an_exit_from_the_unknown_is_acknowledged(tencent: Tencent) -> None:
    await tencent.tell(told.left("g", "al"), told.destroyed("g", "al"))
    assert await tencent.badges("al") == {"al": 0}


async def test_a_group_that_ended_counts_for_nobody(tencent: Tencent) -> None:
    await tencent.tell(
        told.group_created("g", "al", "bo"), told.group_sent("g", "bo", 1), told.destroyed("g", "al", "bo")
    )
    assert await tencent.badges("al") == {"al": 0}
    assert (await tencent.imkit.as_backend("GET", "/rooms/g")).status_code == 404


async def test_late_news_of_a_group_that_ended_does_not_bring_it_back(tencent: Tencent) -> None:
    """Callbacks from before it and callbacks still under way change nothing."""
    made, said = told.group_created("g", "al", "bo"), told.group_sent("g", "bo", 1)
    await tencent.tell(made, said, told.destroyed("g", "al", "bo"))
    await tencent.tell(made, said, told.group_sent("g", "bo", 2), told.joined("g", "al", "bo"), told.left("g", "bo"))
    await tencent.tell(told.group_recalled("g", 1, 2, EventTime=NOW_S * 1000))
    assert await tencent.badges("al", "bo") == {"al": 0, "bo": 0}
    assert (await tencent.imkit.as_backend("GET", "/rooms/g")).status_code == 404


async def test_a_message_of_the_second_in_which_its_group_began_counts(tencent: Tencent) -> None:
    """Its time is the beginning of that second, and the room does not exist yet."""
    await tencent.tell(told.group_created("g", "al", "bo", at_ms=NOW_S * 1000 + 500))
    await tencent.read_state.rooms.delete_room(app="default", room="g")
    await tencent.tell(told.group_sent("g", "bo", 1, time_s=NOW_S))
    assert await tencent.read_state.rooms.rooms_of(app="default", user="bo") == ["g"]


async def test_times_to_come_do_not_outlast_what_happens_then(tencent: Tencent) -> None:
    """An impossible time counts as now."""
    soon_ms = int(time.time() + 120) * 1000
    await tencent.tell(
        told.group_created("g", "al"), told.joined("g", "bo", at_ms=10**14 - 1), told.left("g", "bo", at_ms=soon_ms)
    )
    await tencent.tell(told.group_sent("g", "cy", 1, time_s=10**11 - 1), told.left("g", "cy", at_ms=soon_ms))
    assert await tencent.read_state.rooms.rooms_of(app="default", user="bo") == []
    assert await tencent.read_state.rooms.rooms_of(app="default", user="cy") == []


async def test_a_group_id_may_be_used_again(tencent: Tencent) -> None:
    """Its messages begin at 1 again.

    A late end of the first group does not end the second.
    """
    ended = told.destroyed("g", "al", "bo")
    await tencent.tell(told.group_created("g", "al", "bo"), told.group_sent("g", "bo", 1), ended)
    now_s = int(time.time()) + 5
    await tencent.tell(
        told.group_created("g", "al", "bo", at_ms=now_s * 1000), told.group_sent("g", "bo", 1, time_s=now_s), ended
    )
    assert await tencent.badges("al") == {"al": 1}


async def test_recalled_group_messages_are_not_unread(tencent: Tencent) -> None:
    await tencent.tell(told.group_created("g", "al"), *(told.group_sent("g", "bo", seq) for seq in (1, 2, 3)))
    await tencent.tell(*[told.group_recalled("g", 1, 3)] * 2)
    assert await tencent.badges("al") == {"al": 1}


async def test_a_group_recall_may_come_before_its_message_and_its_group(tencent: Tencent) -> None:
    await tencent.tell(told.group_recalled("g", 1), told.group_created("g", "al"))
    await tencent.tell(told.group_sent("g", "bo", 1), told.group_sent("g", "bo", 2))
    assert await tencent.badges("al") == {"al": 1}


async def test_larger_lists_than_an_operation_takes(tencent: Tencent) -> None:
    members = [f"member-{number}" for number in range(2_500)]
    await tencent.tell(
        told.group_created("g", "al", *members), told.left("g", *members[:1_200]), told.group_sent("g", "al", 1)
    )
    assert await tencent.badges(members[0], members[-1]) == {members[0]: 0, members[-1]: 1}


def held_up(tencent: Tencent, monkeypatch: pytest.MonkeyPatch, operation: str) -> tuple[asyncio.Event, asyncio.Event]:
    """The next call of an operation of the store sets the first event, then waits for the
    second.
    """
    noun = tencent.imkit.noun_of(operation)
    call, begun, go_on = getattr(noun, operation), asyncio.Event(), asyncio.Event()

    async def slowly(**arguments: Any) -> Any:
        if not begun.is_set():
            begun.set()
            await go_on.wait()
        return await call(**arguments)

    monkeypatch.setattr(noun, operation, slowly)
    return begun, go_on
