"""The replay without a service: reading, planning, counting, comparing."""

import gzip
from collections.abc import AsyncIterator
from itertools import combinations
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from readstate.replay import api as api_module
from readstate.replay.api import Api, Refused, ReplayError, path
from readstate.replay.compare import Comparison
from readstate.replay.count import Counted, CountedRoom, Member, badge, count, room_tags
from readstate.replay.feed import message_id
from readstate.replay.steps import by_room, plan
from readstate.replay.traffic import TrafficError, TrafficEvent, read_traffic, sift
from tests.support.model import ModelStore

SAMPLE = Path(__file__).parents[2] / "service" / "readstate" / "replay" / "sample.jsonl"

USERS = ["ann", "ben", "Zoë /#?", "pat "]
EVENTS = st.lists(
    st.builds(
        TrafficEvent,
        room=st.sampled_from(["2031-03-02.garden-a", "2031-03-09.attic-b", "2031-04-01.hall-a"]),
        at=st.just("2031-03-02T10:00:00Z"),
        kind=st.sampled_from(["post", "post", "post", "join", "leave", "rename"]),
        user=st.sampled_from(USERS),
        text=st.just("hello"),
        to=st.sampled_from(USERS),
    ),
    max_size=60,
)


def event(kind: str, user: str, to: str = "", room: str = "2031-03-02.garden-a") -> TrafficEvent:
    return TrafficEvent(room=room, at="2031-03-02T10:00:00Z", kind=kind, user=user, to=to)  # type: ignore[arg-type]


async def carry_out(events: list[TrafficEvent]) -> ModelStore:
    """Bring the planned steps about in the model store, as the feeding does over HTTP."""
    state = ModelStore()
    for room, there in by_room(events).items():
        await state.rooms.create_room(app="a", room=room, tags=room_tags(there[0]))
        posted = 0
        for step in plan(there):
            if step.act == "join":
                await state.rooms.add_members(app="a", room=room, members=step.users)
            elif step.act == "leave":
                await state.rooms.remove_members(app="a", room=room, members=step.users)
            else:
                if posted:
                    reading = await state.reading.mark_read(
                        app="a", room=room, user=step.users[0], message=message_id(posted)
                    )
                    assert reading.unread == 0
                for _ in step.texts:
                    posted += 1
                    await state.messages.post(app="a", room=room, sender=step.users[0], message=message_id(posted))
    return state


async def assert_counted_right(counted: Counted, state: ModelStore) -> None:
    for room, there in counted.rooms.items():
        listed = {entry.member: entry for entry in await state.rooms.members(app="a", room=room)}
        assert listed.keys() == there.members.keys()
        for user, member in there.members.items():
            assert listed[user].unread == there.unread(user)
            assert listed[user].last_read == (message_id(member.read) if member.read else None)
    for user, states in counted.users.items():
        assert await state.badges.badge(app="a", user=user) == badge(states)
        tags = sorted({tag for tags, _ in states for tag in tags})
        for pair in combinations(tags, 2):
            assert await state.badges.badge(app="a", user=user, tags=pair) == badge(states, *pair)
        by_tags = await state.badges.badges_by_tags(app="a", user=user)
        assert by_tags.counts == {tag: badge(states, tag) for tag in tags}


@given(EVENTS)
async def test_counting_agrees_with_the_model_after_any_events(events: list[TrafficEvent]) -> None:
    """Two independent counts agree: one from the events, and the model's after the planned
    calls.
    """
    await assert_counted_right(count(events), await carry_out(events))


async def test_counting_agrees_with_the_model_on_the_sample() -> None:
    events = read_traffic(SAMPLE)
    counted = count(events)
    await assert_counted_right(counted, await carry_out(events))
    assert any(badge(states) for states in counted.users.values())


@given(EVENTS)
def test_planned_steps_finish_every_event_once(events: list[TrafficEvent]) -> None:
    steps = [step for there in by_room(events).values() for step in plan(there)]
    assert sum(step.events for step in steps) == len(events)
    assert sum(len(step.texts) for step in steps) == sum(1 for event in events if event.kind == "post")


def test_posting_without_joining_joins_just_before() -> None:
    """Earlier messages are not unread for them, later ones are."""
    room = count([event("post", "ann"), event("post", "ben"), event("post", "ann")]).rooms["2031-03-02.garden-a"]
    assert (room.unread("ben"), room.unread("ann")) == (1, 0)
    assert [step.act for step in plan([event("post", "ann")])] == ["join", "post"]


def test_a_rename_is_one_leaving_and_another_joining() -> None:
    events = [event("join", "ann"), event("post", "ben"), event("rename", "ann", "anna"), event("post", "ben")]
    room = count(events).rooms["2031-03-02.garden-a"]
    assert room.members.keys() == {"anna", "ben"}
    assert room.unread("anna") == 1


def test_neighbouring_joins_and_posts_share_a_call() -> None:
    steps = plan(
        [event("join", "ann"), event("join", "ben"), event("join", "ann"), event("post", "ann"), event("post", "ann")]
    )
    assert [(step.act, step.users, len(step.texts), step.events) for step in steps] == [
        ("join", ["ann", "ben"], 0, 3),
        ("post", ["ann"], 2, 2),
    ]


def test_a_step_stays_within_what_one_call_may_hold() -> None:
    joins = plan([event("join", f"u{number}") for number in range(250)])
    assert [len(step.users) for step in joins] == [100, 100, 50]
    long = [TrafficEvent("r", "t", "post", "ann", "x" * 40_000)] * 5
    assert [len(step.texts) for step in plan(long)] == [0, 2, 2, 1]


def test_tags_come_from_the_date_and_the_last_word() -> None:
    assert room_tags(event("join", "ann")) == ("month:03", "series:a", "year:2031")


def test_reads_plain_and_gzipped_files_alike(tmp_path: Path) -> None:
    zipped = tmp_path / "traffic"
    zipped.write_bytes(gzip.compress(SAMPLE.read_bytes()))
    assert read_traffic(zipped) == read_traffic(SAMPLE)
    assert read_traffic(zipped, limit=7) == read_traffic(SAMPLE)[:7]


def line_of(**fields: object) -> bytes:
    """A line of a traffic file, sound but for what is given."""
    return msgspec.json.encode({"room": "r", "at": "2031-03-02T10:00:00Z", "kind": "join", "user": "u", **fields})


NO_TIMES = [
    "yesterday",
    "",
    "2031-03-02",
    "2031-03-02 ten",
    "2031-03-02T10:00:00",
    "2031-13-02T10:00:00Z",
    "1900000000",
]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (line_of(kind="read"), r"line 2 is not an event: .*`kind` is one of post, join, leave, rename\)"),
        (line_of(kind=7), "line 2 is not an event"),
        (b'{"room": "r", "at": "2031-03-02T10:00:00Z", "kind": "post"}', "line 2 is not an event"),
        *((line_of(at=at), f"line 2: `at` must be a time as of RFC 3339, .* not '{at}'") for at in NO_TIMES),
        (line_of(at=5), "line 2 is not an event"),
        (b"nonsense", "line 2 is not an event"),
        (b"\xff\xfe", "line 2 is not an event"),
        (line_of(kind="rename"), "line 2 renames 'u'"),
    ],
)
def test_a_line_that_is_no_event_is_named(tmp_path: Path, line: bytes, complaint: str) -> None:
    file = tmp_path / "traffic"
    file.write_bytes(line_of() + b"\n" + line + b"\n")
    with pytest.raises(TrafficError, match=complaint):
        read_traffic(file)


@pytest.mark.parametrize("at", ["2031-03-02T10:00:00Z", "2031-03-02T10:00:00.123456+05:30", "2031-03-02t10:00:00z"])
def test_a_time_may_have_a_fraction_and_a_zone(tmp_path: Path, at: str) -> None:
    file = tmp_path / "traffic"
    file.write_bytes(line_of(at=at))
    assert [event.at for event in read_traffic(file)] == [at]


@pytest.mark.parametrize("content", [b"", b"\n", b"\n  \n", gzip.compress(b"", mtime=0)])
def test_a_file_without_events_is_refused(tmp_path: Path, content: bytes) -> None:
    """Otherwise all of its counts would be right."""
    file = tmp_path / "traffic"
    file.write_bytes(content)
    with pytest.raises(TrafficError, match=f"{file} holds no events"):
        read_traffic(file)


def test_a_gzipped_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "traffic"
    file.write_bytes(gzip.compress(line_of() + b"\n")[:-9])
    with pytest.raises(TrafficError, match="the gzipped file is cut off"):
        read_traffic(file)


def test_ids_over_the_limit_are_set_apart_and_the_prefix_counts() -> None:
    events = [
        event("join", "x" * 126),
        event("join", "x" * 127),
        event("rename", "ann", "y" * 200),
        event("join", "nul\x00"),
    ]
    kept, skipped = sift(events, "p:")
    assert [kept_event.user for kept_event in kept] == ["p:" + "x" * 126]
    assert [(event.number, event.reason) for event in skipped] == [
        (2, "user must have 1 to 128 bytes"),
        (3, "to must have 1 to 128 bytes"),
        (4, "user must not contain control characters"),
    ]


def test_every_id_is_one_path_segment() -> None:
    assert path("rooms", "a/b?c#d%e f", "lastRead") == "/rooms/a%2Fb%3Fc%23d%25e%20f/lastRead"


class ScriptedApi(Api):
    """Answers from a table instead of a service: (user, where) -> answer."""

    def __init__(self, answers: dict[tuple[str, str], Any]) -> None:
        super().__init__("http://nowhere.invalid", api_key="k")
        self.answers = answers

    async def user(self, user: str, method: str, where: str, body: Any = None, query: Any = ()) -> Any:
        return self.answers[user, where + "".join(f" {value}" for _, value in query)]


def right_answers() -> tuple[Counted, dict[tuple[str, str], Any]]:
    room = CountedRoom(("t", "u"), posts=5, members={"ann": Member(0, read=5), "ben": Member(2)})
    counted = Counted({"r": room}, {"ann": [(room.tags, 0)], "ben": [(room.tags, 3)], "eve": []})
    entries = [{"client": "ann", "badge": 0, "lastRead": message_id(5)}, {"client": "ben", "badge": 3}]
    shown = {"roomTags": ["u", "t"], "unread": 0, "lastMessage": {"_id": message_id(5)}, "memberProperties": entries}
    answers: dict[tuple[str, str], Any] = {("ann", "/rooms/r"): shown}
    for user, unread in (("ann", 0), ("ben", 3), ("eve", 0)):
        answers[user, "/me/badge"] = answers[user, "/me/badge t u"] = {"badge": unread}
        tags = {} if user == "eve" else {"t": unread, "u": unread}
        answers[user, "/badges/byRoomTags"] = {"totalBadge": unread, "data": tags}
    return counted, answers


async def differences(counted: Counted, answers: dict[tuple[str, str], Any]) -> list[str]:
    comparison = Comparison(ScriptedApi(answers), counted, concurrency=2, advance=lambda n: None)
    await comparison.run()
    return [difference.what for difference in comparison.differences]


async def test_right_answers_make_no_difference() -> None:
    assert await differences(*right_answers()) == []


@pytest.mark.parametrize(
    ("user", "where", "wrong", "what"),
    [
        ("ben", "/me/badge", {"badge": 4}, ["badge of 'ben'"]),
        ("ben", "/me/badge", {"badge": "3"}, ["badge of 'ben'"]),
        ("ben", "/me/badge t u", {"badge": 0}, ["badge of 'ben' over rooms with t and u"]),
        ("eve", "/badges/byRoomTags", {"totalBadge": 0, "data": {"t": 0}}, ["badges by tag of 'eve'"]),
        (
            "ann",
            "/badges/byRoomTags",
            {"totalBadge": 1, "data": {"t": 0, "u": 0}},
            ["total of the badges by tag of 'ann'"],
        ),
    ],
)
async def test_each_wrong_badge_is_a_difference(user: str, where: str, wrong: Any, what: list[str]) -> None:
    counted, answers = right_answers()
    answers[user, where] = wrong
    assert await differences(counted, answers) == what


@pytest.mark.parametrize(
    ("field", "wrong", "what"),
    [
        ("unread", 1, ["unread of 'ann' in room 'r'"]),
        ("roomTags", ["t"], ["tags of room 'r'"]),
        ("lastMessage", None, ["newest message of room 'r'"]),
        (
            "memberProperties",
            [{"client": "ann", "badge": 0, "lastRead": message_id(5)}],
            ["members listed in room 'r'", "member 'ben' of room 'r'"],
        ),
        (
            "memberProperties",
            [{"client": "ann", "badge": 0, "lastRead": message_id(4)}, {"client": "ben", "badge": 2}],
            ["cursor of member 'ann' in room 'r'", "badge of member 'ben' in room 'r'"],
        ),
        (
            "memberProperties",
            [
                {"client": "ann", "badge": 0, "lastRead": message_id(5)},
                {"client": "ben", "badge": 3, "lastRead": message_id(2)},
            ],
            ["cursor of member 'ben' in room 'r'"],
        ),
    ],
)
async def test_each_wrong_part_of_a_room_is_a_difference(field: str, wrong: Any, what: list[str]) -> None:
    counted, answers = right_answers()
    answers["ann", "/rooms/r"][field] = wrong
    assert await differences(counted, answers) == what


async def test_members_beyond_those_shown_are_asked_one_by_one() -> None:
    """A room lists at most 1,000 members. The others are compared too."""
    members = {f"u{number}": Member(number % 7) for number in range(1003)}
    room = CountedRoom(("t",), posts=6, members=members)
    entries = [{"client": user, "badge": room.unread(user)} for user in list(members)[:1000]]
    shown = {"roomTags": ["t"], "unread": 6, "lastMessage": {"_id": message_id(6)}, "memberProperties": entries}
    answers: dict[tuple[str, str], Any] = {("u0", "/rooms/r"): shown}
    answers |= {(f"u{number}", "/rooms/r"): {"unread": room.unread(f"u{number}")} for number in (1000, 1001, 1002)}
    assert await differences(Counted({"r": room}, {}), answers) == []
    answers["u1001", "/rooms/r"] = {"unread": 77}
    assert await differences(Counted({"r": room}, {}), answers) == ["unread of 'u1001' in room 'r'"]


class Busy:
    """A server that cuts the connections of the first requests, or refuses these as busy, and
    records what it was sent.
    """

    def __init__(self) -> None:
        self.url = ""
        self.refusals = self.cuts = 0
        self.headers = {"Retry-After": "0"}
        self.seen: list[tuple[str, str]] = []

    async def answer(self, request: web.Request) -> web.Response:
        if self.cuts > 0 and request.transport is not None:
            self.cuts -= 1
            request.transport.abort()
        self.seen.append((request.raw_path, request.headers.get("IM-CLIENT-ID", "")))
        if len(self.seen) <= self.refusals:
            error = {
                "RC": 503,
                "RM": "Service Unavailable",
                "error": {"code": "SERVICE_UNAVAILABLE", "message": "later"},
            }
            return web.json_response(error, status=503, headers=self.headers)
        return web.json_response({"RC": 0, "RM": "OK", "result": {"badge": 1}})


@pytest.fixture
async def busy() -> AsyncIterator[Busy]:
    server = Busy()
    application = web.Application()
    application.router.add_route("*", "/{tail:.*}", server.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = site.name
    yield server
    await runner.cleanup()


async def test_a_busy_service_is_asked_again(busy: Busy) -> None:
    busy.refusals = 2
    async with Api(busy.url, api_key="k") as api:
        assert await api.user("pat /%é ", "GET", "/me/badge", query=[("roomTags", "a&b")]) == {"badge": 1}
        assert (api.calls, api.repeats) == (3, 2)
    assert set(busy.seen) == {("/me/badge?roomTags=a%26b", "pat%20%2F%25%C3%A9%20")}


async def test_a_call_whose_connection_ends_is_made_again(busy: Busy) -> None:
    """A post, too: it has an id."""
    busy.cuts = 2
    async with Api(busy.url, api_key="k") as api:
        assert await api.backend("POST", "/messages", {"_id": "1"}) == {"badge": 1}
        assert (api.calls, api.repeats) == (3, 2)
        busy.cuts = 99
        with pytest.raises(ReplayError, match="POST /messages got no answer"):
            await api.backend("POST", "/messages", {"_id": "2"})


async def test_a_service_that_stays_busy_is_given_up(busy: Busy) -> None:
    busy.refusals = 99
    async with Api(busy.url, api_key="k") as api:
        with pytest.raises(Refused, match="503 SERVICE_UNAVAILABLE: later"):
            await api.backend("GET", "/me")
    assert len(busy.seen) == api_module.MAX_ATTEMPTS


async def test_a_refusal_without_a_time_is_final(busy: Busy) -> None:
    """Only a 503 that says when to come back asks for a repeat."""
    busy.refusals, busy.headers = 1, {}
    async with Api(busy.url, api_key="k") as api:
        with pytest.raises(Refused):
            await api.backend("GET", "/me")
    assert len(busy.seen) == 1


async def test_only_what_failed_of_a_batch_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """In order, from the first failed one on."""
    sent: list[list[str]] = []

    async def backend(self: Api, method: str, where: str, body: Any = None, *, on_behalf_of: str = "") -> Any:
        ids = [message["_id"] for message in body["messages"]]
        sent.append(ids)
        busy = {"RC": 503, "RM": "Service Unavailable", "error": {"code": "SERVICE_UNAVAILABLE", "message": "later"}}
        return {
            "results": [{"RC": 0, "RM": "OK", "result": {}} if new == "1" or len(sent) > 1 else busy for new in ids]
        }

    monkeypatch.setattr(Api, "backend", backend)
    api = Api("http://nowhere.invalid", api_key="k")
    await api.post_batch([{"_id": "1"}, {"_id": "2"}, {"_id": "3"}])
    assert sent == [["1", "2", "3"], ["2", "3"]]
    assert api.repeats == 1


async def test_no_answer_is_said_in_a_sentence() -> None:
    async with Api("http://127.0.0.1:9", api_key="k") as api:
        with pytest.raises(ReplayError, match="GET /me got no answer"):
            await api.backend("GET", "/me")
