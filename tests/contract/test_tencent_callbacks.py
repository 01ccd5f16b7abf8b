"""Each of Tencent's callbacks, and what it does to badges as IMKit's clients see them."""

import time

import msgspec
import pytest

from service.domain.direct import direct_room
from service.domain.types import Filter
from service.settings import Settings
from service.wire.tencent.callbacks.messages import pushed
from tests.support import tencent_callbacks as told
from tests.support.imkit import API_KEY, CLIENT_KEY, Imkit, result
from tests.support.servers import Server
from tests.support.tencent_callbacks import OK, SDKAPPID, TOKEN, Tencent

NOW_S = 1_700_000_000
LATER_MS = 1_700_000_100_000
AL_BO = direct_room("al", "bo")
TOPIC = "@TGS#_c@TOPIC#_t"


@pytest.fixture
def settings(server: Server) -> Settings:
    """A service that takes the callbacks of one app, signed."""
    tencent = {"tencent_sdkappid": SDKAPPID, "tencent_token": TOKEN}
    return Settings(redis_url=server.url, api_key=API_KEY, client_key=CLIENT_KEY, token_secret="t" * 32, **tencent)


@pytest.fixture
def tencent(imkit: Imkit) -> Tencent:
    """Tencent IM, and a service that nobody has told anything yet."""
    return Tencent(imkit)


# One-to-one


async def test_a_message_of_two_is_unread_for_who_got_it(tencent: Tencent) -> None:
    """Its room is made when it comes, with the tag of such rooms, and who sent it has read it."""
    await tencent.tell(told.direct_sent("bo", "al", 1), told.direct_sent("bo", "al", 2))
    assert await tencent.badges("al", "bo") == {"al": 2, "bo": 0}
    assert await tencent.imkit.badge("al", "direct") == 2


async def test_the_conversation_is_the_same_from_both_sides(tencent: Tencent) -> None:
    await tencent.tell(told.direct_sent("bo", "al", 1), told.direct_sent("al", "bo", 2))
    assert await tencent.badges("al", "bo") == {"al": 0, "bo": 1}


async def test_a_repeated_message_counts_once(tencent: Tencent) -> None:
    await tencent.tell(*[told.direct_sent("bo", "al", 1)] * 3)
    assert await tencent.badges("al") == {"al": 1}


@pytest.mark.parametrize("field", [{"SendMsgResult": 120001}, {"UnreadMsgNum": -1}, {"OnlineOnlyFlag": 1}, {"OnlineOnlyFlag": "1"}])
async def test_what_was_not_delivered_or_not_kept_is_not_unread(tencent: Tencent, field: dict[str, int]) -> None:
    await tencent.tell(told.direct_sent("bo", "al", 1, **field))
    assert await tencent.badges("al") == {"al": 0}
    assert await tencent.read_state.rooms(app="default", user="al") == []


async def test_a_read_on_our_side_is_a_read(tencent: Tencent) -> None:
    """The message's id is its MsgKey."""
    await tencent.tell(told.direct_sent("bo", "al", 1), told.direct_sent("bo", "al", 2))
    result(await tencent.imkit.as_user("al", "PUT", f"/rooms/{AL_BO}/lastRead", {"message": told.key(1)}))
    assert await tencent.badges("al") == {"al": 1}


async def test_a_message_to_oneself_is_unread_for_nobody(tencent: Tencent) -> None:
    await tencent.tell(told.direct_sent("al", "al", 1))
    assert await tencent.badges("al") == {"al": 0}


async def test_a_recalled_message_is_not_unread(tencent: Tencent) -> None:
    """Tencent's own count in the callback means nothing."""
    await tencent.tell(told.direct_sent("bo", "al", 1), told.direct_sent("bo", "al", 2))
    await tencent.tell(*[told.direct_recalled("bo", "al", 1)] * 2)
    assert await tencent.badges("al", "bo") == {"al": 1, "bo": 0}


async def test_a_recall_may_come_before_its_message(tencent: Tencent) -> None:
    await tencent.tell(told.direct_recalled("bo", "al", 1), told.direct_sent("bo", "al", 1), told.direct_sent("bo", "al", 2))
    assert await tencent.badges("al", "bo") == {"al": 1, "bo": 0}


async def test_a_message_that_was_recalled_before_it_came_has_no_receipts(tencent: Tencent) -> None:
    await tencent.tell(told.group_recalled("g", 1), told.group_sent("g", "bo", 1), told.group_sent("g", "bo", 2))
    recalled, other = await tencent.read_state.receipt_counts(app="default", room="g", messages=["1", "2"])
    assert (recalled, other is None) == (None, False)


async def test_a_recall_of_the_unknown_reads_nothing(tencent: Tencent) -> None:
    """Not even for its sender, who still has the other's message to read."""
    await tencent.tell(told.direct_sent("bo", "al", 1), told.direct_recalled("al", "bo", 5))
    assert await tencent.badges("al", "bo") == {"al": 1, "bo": 0}


async def test_who_was_taken_out_of_a_conversation_is_in_it_again_with_their_next_message(tencent: Tencent) -> None:
    await tencent.tell(told.direct_sent("bo", "al", 1))
    await tencent.read_state.remove_members(app="default", room=AL_BO, members=["bo", "al"])
    await tencent.tell(told.direct_sent("bo", "al", 2))
    assert await tencent.badges("al", "bo") == {"al": 1, "bo": 0}


# Groups


async def test_a_group_counts_for_its_members(tencent: Tencent) -> None:
    """The owner is a member whether named in the list or not; who sent a message has read it."""
    await tencent.tell(told.group_created("g", "al", "bo", "cy"), told.group_sent("g", "bo", 1), told.group_sent("g", "bo", 3))
    assert await tencent.badges("al", "bo", "cy") == {"al": 2, "bo": 0, "cy": 2}


async def test_a_group_may_be_named_as_one_table_has_it(tencent: Tencent) -> None:
    command, body = told.group_created("g", "al")
    body["groupID"] = body.pop("GroupId")
    await tencent.tell((command, body), told.group_sent("g", "bo", 1))
    assert await tencent.badges("al") == {"al": 1}


async def test_a_group_keeps_its_type(tencent: Tencent) -> None:
    await tencent.tell(told.group_created("g", "al", kind="Private"))
    room = await tencent.read_state.room(app="default", room="g")
    assert (room.profile["groupType"], room.tags) == (b'"Private"', ())


async def test_a_repeated_group_message_counts_once(tencent: Tencent) -> None:
    await tencent.tell(told.group_created("g", "al"), *[told.group_sent("g", "bo", 1)] * 3)
    assert await tencent.badges("al") == {"al": 1}


async def test_a_group_is_made_by_its_first_message(tencent: Tencent) -> None:
    """With its sender as a member."""
    await tencent.tell(told.group_sent("g", "al", 1), told.joined("g", "bo", at_ms=LATER_MS), told.group_sent("g", "bo", 2))
    assert await tencent.badges("al", "bo") == {"al": 1, "bo": 0}


async def test_first_members_who_are_told_of_late_have_missed_nothing(tencent: Tencent) -> None:
    """Messages that came before the news of their group are unread for those who were in it from the start."""
    await tencent.tell(told.group_sent("g", "bo", 1), told.group_sent("g", "bo", 2), told.group_created("g", "al", "bo"))
    assert await tencent.badges("al", "bo") == {"al": 2, "bo": 0}


async def test_an_unknown_sender_is_a_member(tencent: Tencent) -> None:
    await tencent.tell(told.group_created("g", "al"), told.group_sent("g", "bo", 1), told.group_sent("g", "al", 2))
    assert await tencent.badges("al", "bo") == {"al": 0, "bo": 1}


@pytest.mark.parametrize("known", [True, False])
async def test_the_administrator_is_no_member(tencent: Tencent, known: bool) -> None:
    """Who sends in the app's name is not counted among those who have yet to read."""
    before = [told.group_created("g", "al")] if known else []
    await tencent.tell(*before, told.group_sent("g", "administrator", 1), told.joined("g", "bo"), told.group_sent("g", "bo", 2))
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
    """Older editions have no EventTime, so a repeat cannot be told from the same thing happening again."""
    came, went = told.joined("g", "bo"), told.left("g", "bo")
    del came[1]["EventTime"], went[1]["EventTime"]
    await tencent.tell(told.group_created("g", "al"), came, went, came, told.group_sent("g", "al", 1))
    assert await tencent.badges("bo") == {"bo": 1}


async def test_an_exit_may_come_before_the_join_that_it_ends(tencent: Tencent) -> None:
    await tencent.tell(told.group_created("g", "al"), told.left("g", "bo", at_ms=LATER_MS + 1), told.joined("g", "bo", at_ms=LATER_MS))
    await tencent.tell(told.group_sent("g", "al", 1))
    assert await tencent.badges("bo") == {"bo": 0}


async def test_an_exit_that_comes_after_the_return_from_it_changes_nothing(tencent: Tencent) -> None:
    await tencent.tell(
        told.group_created("g", "al", "bo"), told.joined("g", "bo", at_ms=LATER_MS + 1), told.left("g", "bo", at_ms=LATER_MS)
    )
    await tencent.tell(told.group_sent("g", "al", 1))
    assert await tencent.badges("bo") == {"bo": 1}


async def test_an_end_may_come_before_the_beginning(tencent: Tencent) -> None:
    """Of a group that nobody has heard of; its messages come too late as well."""
    await tencent.tell(told.destroyed("g", "al"), told.group_created("g", "al"), told.group_sent("g", "bo", 1), told.joined("g", "cy"))
    assert (await tencent.imkit.as_backend("GET", "/rooms/g")).status_code == 404


async def test_a_message_says_that_its_sender_is_back(tencent: Tencent) -> None:
    """When it was sent after they left, though nobody has told of their return."""
    await tencent.tell(told.group_created("g", "al", "bo"), told.left("g", "bo", at_ms=NOW_S * 1000))
    await tencent.tell(told.group_sent("g", "bo", 1, time_s=NOW_S + 1), told.group_sent("g", "al", 2, time_s=NOW_S + 2))
    assert await tencent.badges("bo") == {"bo": 1}


async def test_who_comes_and_goes_very_often_is_believed_each_time(tencent: Tencent) -> None:
    """Beyond what is remembered of one member the order of arrival counts."""
    await tencent.tell(told.group_created("g", "al"))
    for number in range(70):
        move = told.left if number % 2 else told.joined
        await tencent.tell(move("g", "bo", at_ms=LATER_MS + number))
    await tencent.tell(told.joined("g", "bo", at_ms=LATER_MS + 100), told.group_sent("g", "al", 1))
    assert await tencent.badges("bo") == {"bo": 1}


async def test_a_message_that_comes_after_its_senders_exit_does_not_bring_them_back(tencent: Tencent) -> None:
    await tencent.tell(told.group_created("g", "al", "bo"), told.left("g", "bo"))
    await tencent.tell(told.group_sent("g", "bo", 1), told.group_sent("g", "al", 2))
    assert await tencent.badges("al", "bo") == {"al": 0, "bo": 0}
    assert await tencent.read_state.rooms(app="default", user="bo") == []


async def test_a_join_makes_a_group_that_nobody_has_heard_of(tencent: Tencent) -> None:
    await tencent.tell(told.joined("g", "al"), told.group_sent("g", "bo", 1))
    assert await tencent.badges("al") == {"al": 1}


async def test_an_exit_from_the_unknown_is_acknowledged(tencent: Tencent) -> None:
    await tencent.tell(told.left("g", "al"), told.destroyed("g", "al"))
    assert await tencent.badges("al") == {"al": 0}


async def test_a_group_that_ended_counts_for_nobody(tencent: Tencent) -> None:
    await tencent.tell(told.group_created("g", "al", "bo"), told.group_sent("g", "bo", 1), told.destroyed("g", "al", "bo"))
    assert await tencent.badges("al") == {"al": 0}
    assert (await tencent.imkit.as_backend("GET", "/rooms/g")).status_code == 404


async def test_late_news_of_a_group_that_ended_does_not_bring_it_back(tencent: Tencent) -> None:
    """Neither what was told before nor what was still on its way."""
    made, said = told.group_created("g", "al", "bo"), told.group_sent("g", "bo", 1)
    await tencent.tell(made, said, told.destroyed("g", "al", "bo"))
    await tencent.tell(made, said, told.group_sent("g", "bo", 2), told.joined("g", "al", "bo"), told.left("g", "bo"))
    assert await tencent.badges("al", "bo") == {"al": 0, "bo": 0}
    assert (await tencent.imkit.as_backend("GET", "/rooms/g")).status_code == 404


async def test_a_message_of_the_second_in_which_its_group_began_counts(tencent: Tencent) -> None:
    """Though its time is that second's beginning, and the room is not there yet."""
    await tencent.tell(told.group_created("g", "al", "bo", at_ms=NOW_S * 1000 + 500))
    await tencent.read_state.delete_room(app="default", room="g")
    await tencent.tell(told.group_sent("g", "bo", 1, time_s=NOW_S))
    assert await tencent.read_state.rooms(app="default", user="bo") == ["g"]


async def test_times_to_come_do_not_outlast_what_happens_then(tencent: Tencent) -> None:
    """A time that cannot be true is taken for now."""
    soon_ms = int(time.time() + 120) * 1000
    await tencent.tell(told.group_created("g", "al"), told.joined("g", "bo", at_ms=10**14 - 1), told.left("g", "bo", at_ms=soon_ms))
    await tencent.tell(told.group_sent("g", "cy", 1, time_s=10**11 - 1), told.left("g", "cy", at_ms=soon_ms))
    assert await tencent.read_state.rooms(app="default", user="bo") == []
    assert await tencent.read_state.rooms(app="default", user="cy") == []


async def test_a_group_id_may_be_used_again(tencent: Tencent) -> None:
    """Its messages begin at 1 again; late news of the end of the first group does not end the second."""
    ended = told.destroyed("g", "al", "bo")
    await tencent.tell(told.group_created("g", "al", "bo"), told.group_sent("g", "bo", 1), ended)
    now_s = int(time.time()) + 5
    await tencent.tell(told.group_created("g", "al", "bo", at_ms=now_s * 1000), told.group_sent("g", "bo", 1, time_s=now_s), ended)
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
    await tencent.tell(told.group_created("g", "al", *members), told.left("g", *members[:1_200]), told.group_sent("g", "al", 1))
    assert await tencent.badges(members[0], members[-1]) == {members[0]: 0, members[-1]: 1}


# Topics


async def test_a_topic_counts_for_the_members_of_its_community(tencent: Tencent) -> None:
    """For those who were there before it, and for those who come later."""
    group = "@TGS#_c"
    await tencent.tell(told.group_created(group, "al", kind="Community"), told.topic_created(group, TOPIC))
    await tencent.tell(told.joined(group, "bo", kind="Community"))
    await tencent.tell(told.group_sent(group, "cy", 1, kind="Community", TopicId=TOPIC))
    assert await tencent.badges("al", "bo", "cy") == {"al": 1, "bo": 1, "cy": 0}
    await tencent.tell(told.left(group, "bo", kind="Community"))
    assert await tencent.badges("al", "bo") == {"al": 1, "bo": 0}


async def test_topics_number_their_own_messages(tencent: Tencent) -> None:
    group = "@TGS#_c"
    await tencent.tell(told.group_created(group, "al", kind="Community"))
    await tencent.tell(*(told.group_sent(group, "bo", 1, kind="Community", TopicId=TOPIC + end) for end in ("1", "2")))
    assert await tencent.badges("al") == {"al": 2}
    await tencent.tell(told.group_recalled(group, 1, Type="Community", TopicId=TOPIC + "1"))
    assert await tencent.badges("al") == {"al": 1}


async def test_a_topic_that_ended_counts_for_nobody(tencent: Tencent) -> None:
    """The community's other messages stay, and who joins it later is not in the topic."""
    group = "@TGS#_c"
    await tencent.tell(told.group_created(group, "al", kind="Community"), told.topic_created(group, TOPIC))
    await tencent.tell(told.group_sent(group, "bo", 1, kind="Community", TopicId=TOPIC), told.group_sent(group, "bo", 1, kind="Community"))
    await tencent.tell(told.topic_destroyed(group, TOPIC), told.joined(group, "cy", kind="Community"))
    assert await tencent.badges("al") == {"al": 1}
    assert await tencent.read_state.rooms(app="default", user="cy") == [group]


async def test_a_community_that_ended_takes_its_topics_with_it(tencent: Tencent) -> None:
    group = "@TGS#_c"
    await tencent.tell(told.group_created(group, "al", kind="Community"), told.topic_created(group, TOPIC))
    await tencent.tell(told.group_sent(group, "bo", 1, kind="Community", TopicId=TOPIC), told.destroyed(group, "al", kind="Community"))
    assert await tencent.badges("al") == {"al": 0}


# Reading on Tencent's side


async def test_a_conversation_read_on_tencents_side_is_read(tencent: Tencent) -> None:
    """Up to and including the second that is named."""
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
    """A message of the very second that was named is shown rather than hidden."""
    await tencent.tell(told.direct_read("al", "bo", NOW_S + 2))
    await tencent.tell(told.direct_sent("bo", "al", 1, NOW_S + 1))
    assert await tencent.badges("al") == {"al": 0}
    await tencent.tell(told.direct_sent("bo", "al", 2, NOW_S + 2))
    assert await tencent.badges("al") == {"al": 1}


async def test_a_read_in_the_far_future_reads_no_message_to_come(tencent: Tencent) -> None:
    now_s = int(time.time())
    await tencent.tell(told.direct_read("al", "bo", now_s + 10_000), told.direct_sent("bo", "al", 1, now_s + 100))
    assert await tencent.badges("al") == {"al": 1}


async def test_a_receipt_is_kept_and_does_not_change_what_is_unread(tencent: Tencent) -> None:
    await tencent.tell(told.direct_sent("bo", "al", 1), told.direct_sent("bo", "al", 2))
    await tencent.tell(*[told.direct_receipts("al", "bo", told.key(1), told.key(9))] * 2)
    assert await tencent.badges("al") == {"al": 2}
    assert await readers(tencent, AL_BO, told.key(1)) == ["al"]
    assert await readers(tencent, AL_BO, told.key(2)) == []


async def test_group_receipts_are_kept_and_do_not_change_what_is_unread(tencent: Tencent) -> None:
    await tencent.tell(told.group_created("g", "al", "cy"), told.group_sent("g", "bo", 1), told.group_sent("g", "bo", 2))
    await tencent.tell(*[told.group_receipts("g", 1, "al", "cy", "stranger")] * 2)
    assert await tencent.badges("al", "cy") == {"al": 2, "cy": 2}
    assert await readers(tencent, "g", "1") == ["al", "cy"]
    assert await readers(tencent, "g", "2") == []


async def test_reading_everything_reads_conversations_and_the_groups_named(tencent: Tencent) -> None:
    """Groups up to the message named; those that are not named stay unread."""
    await tencent.tell(told.direct_sent("bo", "al", 1), told.direct_sent("cy", "al", 1))
    for group in ("g", "h"):
        await tencent.tell(told.group_created(group, "al"), *(told.group_sent(group, "bo", seq) for seq in (1, 2, 3)))
    await tencent.tell(*[told.all_read("al", (NOW_S + 9) * 1000, g=2)] * 2)
    assert await tencent.imkit.badge("al", "direct") == 0
    assert (await tencent.unread("al", "g"), await tencent.unread("al", "h")) == (1, 3)


async def test_reading_a_group_up_to_a_notice_reads_what_came_before(tencent: Tencent) -> None:
    """Tencent numbers notices too, and tells nobody of them."""
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


# Whatever else


@pytest.mark.parametrize(
    ("msg_body", "message"),
    [
        ([{"MsgType": "TIMTextElem", "MsgContent": {"Text": "red packet"}}], "red packet"),
        ([{"MsgType": "TIMTextElem", "MsgContent": {"Text": text}} for text in ("one ", "two")], "one two"),
        (
            [{"MsgType": "TIMCustomElem", "MsgContent": {"Data": "x"}}, {"MsgType": "TIMTextElem", "MsgContent": {"Text": "\u4f60"}}],
            "\u4f60",
        ),
        ([{"MsgType": "TIMFaceElem", "MsgContent": {"Index": 1}}], ""),
        ([{"MsgType": "TIMTextElem", "MsgContent": {"Text": 7}}], ""),
        ("text", ""),
        (None, ""),
    ],
)
def test_what_is_pushed_of_a_message_is_its_text(msg_body: object, message: str) -> None:
    """To devices on our own sockets, as an IMKit message; nothing of it is kept."""
    assert msgspec.json.decode(pushed(msg_body)) == {"messageType": "text", "message": message}


@pytest.mark.parametrize(
    "command",
    [
        "Group.CallbackAfterChangeGroupOwner",
        "Group.CallbackAfterMemberFieldChanged",
        "Group.CallbackAfterGroupAttrChanged",
        "Group.CallbackAfterGroupInfoChanged",
        "Group.CallbackAfterGroupFull",
        "State.StateChange",
        "C2C.CallbackBeforeSendMsg",
        "Some.Day",
    ],
)
async def test_what_means_nothing_here_is_acknowledged(tencent: Tencent, command: str) -> None:
    before = await tencent.imkit.everything()
    answer = await tencent.send(command, {"GroupId": 7})
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, OK, "application/json; charset=utf-8")
    assert await tencent.imkit.everything() == before


async def test_times_may_come_as_text(tencent: Tencent) -> None:
    await tencent.tell(told.direct_sent("bo", "al", 1, EventTime="1700000000000", MsgTime="1700000000", SendMsgResult="0"))
    assert await tencent.badges("al") == {"al": 1}


async def test_fields_that_are_null_are_as_good_as_missing(tencent: Tencent) -> None:
    nulls = dict.fromkeys(("EventTime", "OnlineOnlyFlag", "TopicId", "MsgBody"))
    await tencent.tell(told.group_created("g", "al"), told.group_sent("g", "bo", 1, **nulls))
    assert await tencent.badges("al") == {"al": 1}


async def readers(tencent: Tencent, room: str, message: str) -> list[str]:
    """Who has read a message."""
    read_state = tencent.read_state
    receipts = await read_state.receipts(app="default", room=room, message=message, which=Filter.READ)
    return [reader.member for reader in receipts.readers]
