"""Callbacks sent twice and in any order lead to the same badges."""

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readstate.domain.direct import DIRECT_TAGS
from tests.support import tencent_callbacks as told
from tests.support.examples import examples
from tests.support.servers import Cluster, Server
from tests.support.tencent_callbacks import Callback, Tencent, running

T_S = 1_700_000_000


class Story:
    """A story in a world of accounts and groups, whose names begin with `world`, and its end.

    Unread messages are counted for silent members from the start. The counts of others depend on
    the order of arrival.
    """

    def __init__(self, world: str) -> None:
        self._world = world
        self.callbacks = [*self._direct(), *self._group(), *self._ended_group(), *self._community()]

    def name(self, short: str) -> str:
        return f"{self._world}{short}"

    @property
    def badges(self) -> dict[str, int]:
        """Unread over all rooms: al from bo 4 - 1, from cy 0.

        In the group 6 - 2; in the topic 3; in the community 1.
        """
        return {"al": 3 + 0 + 4 + 3 + 1, "dan": 0, "gus": 0}

    @property
    def in_group(self) -> dict[str, bool]:
        """The members of the group in the end."""
        return {"al": True, "bo": True, "dan": False, "fay": True, "gus": False}

    def _direct(self) -> Iterator[Callback]:
        al, bo, cy = map(self.name, ("al", "bo", "cy"))
        for seq in range(4):
            yield told.direct_sent(bo, al, seq, T_S + seq)
            yield told.direct_sent(cy, al, seq, T_S + seq)
        yield told.direct_sent(bo, al, 9, T_S + 9, SendMsgResult=1, UnreadMsgNum=-1)
        yield told.direct_recalled(bo, al, 2, T_S + 2)
        yield told.direct_read(al, cy, T_S + 100)
        yield told.direct_receipts(al, bo, told.key(1, T_S + 1))

    def _group(self) -> Iterator[Callback]:
        group, al, bo, dan, fay, gus = map(self.name, ("g", "al", "bo", "dan", "fay", "gus"))
        yield told.group_created(group, al, dan, fay, at_ms=T_S * 1000)
        for seq in range(1, 7):
            yield told.group_sent(group, bo, seq, time_s=T_S + 1 + seq)
        yield told.group_recalled(group, 2, 5)
        yield told.group_receipts(group, 3, al)
        yield told.joined(group, gus, at_ms=T_S * 1000 + 11_000)
        yield told.left(group, gus, dan, at_ms=T_S * 1000 + 12_000)
        yield told.left(group, fay, at_ms=T_S * 1000 + 13_000)
        yield told.joined(group, fay, at_ms=T_S * 1000 + 14_000)

    def _ended_group(self) -> Iterator[Callback]:
        group, al, bo = map(self.name, ("h", "al", "bo"))
        yield told.group_created(group, al, bo, at_ms=T_S * 1000)
        yield told.group_sent(group, bo, 1, time_s=T_S + 1)
        yield told.group_sent(group, bo, 2, time_s=T_S + 2)
        yield told.destroyed(group, al, bo, at_ms=T_S * 1000 + 5_000)

    def _community(self) -> Iterator[Callback]:
        group, al, bo = map(self.name, ("@TGS#_c", "al", "bo"))
        here, gone = f"{group}@TOPIC#_1", f"{group}@TOPIC#_2"
        yield told.group_created(group, al, kind="Community", at_ms=T_S * 1000)
        yield told.group_sent(group, bo, 1, kind="Community", time_s=T_S + 1)
        yield told.topic_created(group, here, at_ms=T_S * 1000 + 1)
        for seq in (1, 2, 3):
            yield told.group_sent(group, bo, seq, kind="Community", TopicId=here, time_s=T_S + 1 + seq)
        yield told.topic_created(group, gone, at_ms=T_S * 1000 + 2)
        yield told.group_sent(group, bo, 1, kind="Community", TopicId=gone, time_s=T_S + 1)
        yield told.topic_destroyed(group, gone, at_ms=T_S * 1000 + 9_000)


@pytest.fixture(scope="module")
def tencent(server: Server, runner: asyncio.Runner) -> Iterator[Tencent]:
    with running(server.url, runner) as tencent:
        yield tencent


@pytest.fixture(scope="module")
def on_cluster(cluster: Cluster, runner: asyncio.Runner) -> Iterator[Tencent]:
    with running(cluster.url, runner) as tencent:
        yield tencent


worlds = (f"w{number}-" for number in range(10**9))
orders = st.permutations([*range(len(Story("").callbacks))] * 2)


@given(orders)
@examples(20, 60)
def test_the_order_of_arrival_does_not_matter(tencent: Tencent, runner: asyncio.Runner, order: list[int]) -> None:
    runner.run(told_in(tencent, Story(next(worlds)), order))


@given(orders)
@examples(5, 10)
def test_nor_does_it_on_a_cluster(on_cluster: Tencent, runner: asyncio.Runner, order: list[int]) -> None:
    runner.run(told_in(on_cluster, Story(next(worlds)), order))


async def told_in(tencent: Tencent, story: Story, order: list[int]) -> None:
    """Tell a story in some order, and look at how it ends."""
    await tencent.tell(*(story.callbacks[place] for place in order))
    badges = {
        user: await tencent.read_state.badges.badge(app="default", user=story.name(user)) for user in story.badges
    }
    assert badges == story.badges
    rooms = {
        user: await tencent.read_state.rooms.rooms_of(app="default", user=story.name(user)) for user in story.in_group
    }
    assert {user: story.name("g") in rooms[user] for user in rooms} == story.in_group
    assert [
        drift
        for user in story.badges
        for drift in await tencent.read_state.audit.audit_user(app="default", user=story.name(user))
    ] == []


def test_repeats_at_the_same_moment_count_once(tencent: Tencent, runner: asyncio.Runner) -> None:
    """A sender that gave up waiting sends again while the first call is under way."""
    story = Story(next(worlds))
    sent = [callback for callback in story.callbacks if callback[0].endswith("AfterSendMsg")]

    async def tell_all() -> int:
        await asyncio.gather(*(tencent.tell(callback) for callback in [*sent, *sent]))
        return await tencent.read_state.badges.badge(app="default", user=story.name("al"), tags=DIRECT_TAGS)

    assert runner.run(tell_all()) == 8
