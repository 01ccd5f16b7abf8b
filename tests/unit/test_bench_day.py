"""The day of the benchmark is the same in every run and asks nothing that the store refuses."""

from collections import Counter
from dataclasses import replace

import pytest

from loadtest.bench.day import SESSION_S, Day, DaySize, Kind
from loadtest.bench.rows.messages import hex_id, uuid_id
from loadtest.bench.rows.worst import FEWEST_TURNS, Mix, _rooms, _turns

SIZE = DaySize(users=300, posts=600, warm=200)


def test_a_day_is_the_same_in_every_run() -> None:
    assert Day(SIZE).calls == Day(SIZE).calls
    assert Day(SIZE).calls != Day(replace(SIZE, ask_s=30)).calls


def test_people_have_so_many_rooms_and_rooms_so_many_members() -> None:
    day = Day(SIZE)
    sizes = [len(room.members) for room in day.rooms]
    assert min(sizes) >= 2
    assert max(sizes) <= SIZE.largest
    assert sum(sizes) / SIZE.users == pytest.approx(SIZE.rooms_each, rel=0.05)
    assert all(len(set(room.members)) == len(room.members) for room in day.rooms)


def test_posts_are_new_and_reads_are_forward_moves_of_members() -> None:
    """So each of these calls does all its work."""
    day = Day(SIZE)
    members = {room.id: set(room.members) for room in day.rooms}
    newest: dict[str, int] = {}
    read: dict[tuple[str, str], int] = {}
    for call in day.warm_up + day.calls:
        if call.kind is Kind.ASK:
            continue
        assert call.user in members[call.room]
        if call.kind is Kind.POST:
            assert call.message > newest.get(call.room, 0)
            newest[call.room] = call.message
        assert call.message == newest[call.room]
        assert call.message > read.get((call.user, call.room), 0)
        read[call.user, call.room] = call.message


@pytest.mark.parametrize("online", [0.07, 0.22])
def test_as_many_people_are_online_and_ask_as_the_day_says(online: float) -> None:
    size = DaySize(users=1000, posts=12_000, warm=0, online=online, ask_s=5)
    counts = Counter(call.kind for call in Day(size).calls)
    assert counts[Kind.POST] == pytest.approx(size.posts, rel=0.1)
    assert size.seconds == 3 * SESSION_S
    assert counts[Kind.ASK] == pytest.approx(size.users * online * size.seconds / size.ask_s, rel=0.2)


def test_a_mix_asks_when_the_attention_of_its_rooms_has_ended() -> None:
    mix = Mix("mix", room_size=20, rooms=5, group=5, every=3)
    turns = _turns(mix, states=0)
    assert len(turns) == FEWEST_TURNS
    posts = Counter(call.room for call in turns[0] if call.kind is Kind.POST)
    assert posts == dict.fromkeys((room.id for room in _rooms(mix)), 3)
    assert [call.kind for call in turns[0][15:]] == [Kind.ASK] * 20


def test_ids_have_the_forms_that_are_compared() -> None:
    assert {len(hex_id(number)) for number in range(100)} == {24}
    assert {len(uuid_id(number)) for number in range(100)} == {36}
    assert len({hex_id(number) for number in range(100)}) == 100
