"""The topics of a community as Tencent's callbacks tell of them."""

from tests.support import tencent_callbacks as told
from tests.support.tencent_callbacks import Tencent

LATER_MS = 1_700_000_100_000
TOPIC = "@TGS#_c@TOPIC#_t"


async def test_a_topic_counts_for_the_members_of_its_community(tencent: Tencent) -> None:
    """For members from before it and for later ones."""
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
    """The community's other messages stay. A later member is not in the topic."""
    group = "@TGS#_c"
    await tencent.tell(told.group_created(group, "al", kind="Community"), told.topic_created(group, TOPIC))
    await tencent.tell(
        told.group_sent(group, "bo", 1, kind="Community", TopicId=TOPIC),
        told.group_sent(group, "bo", 1, kind="Community"),
    )
    await tencent.tell(told.topic_destroyed(group, TOPIC), told.joined(group, "cy", kind="Community"))
    assert await tencent.badges("al") == {"al": 1}
    assert await tencent.read_state.rooms.rooms_of(app="default", user="cy") == [group]


async def test_a_community_that_ended_takes_its_topics_with_it(tencent: Tencent) -> None:
    group = "@TGS#_c"
    await tencent.tell(told.group_created(group, "al", kind="Community"), told.topic_created(group, TOPIC))
    await tencent.tell(
        told.group_sent(group, "bo", 1, kind="Community", TopicId=TOPIC), told.destroyed(group, "al", kind="Community")
    )
    assert await tencent.badges("al") == {"al": 0}


async def test_a_community_that_ended_leaves_no_topics_to_the_next_of_its_id(tencent: Tencent) -> None:
    """Late callbacks about its topics do not bring them back."""
    group = "@TGS#_c"
    await tencent.tell(told.group_created(group, "al", kind="Community"), told.topic_created(group, TOPIC))
    await tencent.tell(told.destroyed(group, "al", kind="Community"))
    await tencent.tell(
        told.group_sent(group, "al", 1, kind="Community", TopicId=TOPIC), told.topic_created(group, TOPIC)
    )
    assert await tencent.read_state.rooms.rooms_of(app="default", user="al") == []
    await tencent.tell(told.group_created(group, "al", kind="Community", at_ms=LATER_MS * 2))
    assert await tencent.read_state.rooms.rooms_of(app="default", user="al") == [group]
