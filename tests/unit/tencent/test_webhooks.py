"""Tencent's form against a real store: numbers are those at delivery."""

import json
import time
from typing import Any
from urllib.parse import parse_qsl

import pytest
from standardwebhooks.webhooks import Webhook

from readstate.dialects.tencent.webhooks import TencentForm, sign, webhook_form
from readstate.domain.direct import TAG, direct_room
from readstate.domain.events import ReadEvent
from readstate.settings import Settings
from readstate.store.redis_store import RedisStore
from readstate.webhooks.forms import WebhookRequest, choice_of
from readstate.webhooks.standard import Signer, Standard

TOKEN = "token-of-the-operator"
NOW_S = 1_700_000_000
GROUP = "@TGS#2TTV7VSII"


@pytest.fixture
def read_state(store: RedisStore) -> RedisStore:
    return store


@pytest.fixture
def tencent(read_state: RedisStore, app: str) -> TencentForm:
    return TencentForm(read_state, app=app, sdkappid=1400000001, token=TOKEN, sign_headers=Signer(TOKEN).headers)


async def conversation(read_state: RedisStore, app: str, one: str, other: str, messages: int) -> str:
    """A direct room, where `other` has written."""
    room = direct_room(one, other)
    await read_state.rooms.create_room(app=app, room=room, tags=[TAG], members=[one, other])
    for number in range(messages):
        await read_state.messages.post(
            app=app, room=room, sender=other, message=f"{number}_5_1700000000", sent_ms=1_600_000_000_999 + number
        )
    return room


async def group(read_state: RedisStore, app: str, *msg_seqs: int, group_type: bytes = b'"Public"') -> None:
    """A group of four, where cid has written."""
    await read_state.rooms.create_room(
        app=app, room=GROUP, profile={"groupType": group_type}, members=["ann", "bob", "cid", "dan"]
    )
    for number in msg_seqs:
        await read_state.messages.post(app=app, room=GROUP, sender="cid", message=str(number))


def an_event(
    app: str, room: str, message: str, *, seq: int = 1, before: int = 0, unread: int = 0, member: str = "ann"
) -> ReadEvent:
    return ReadEvent(app, room, member, message, seq, before, 1_700_000_000_123, unread, 1_700_000_000_123_456)


async def told(tencent: TencentForm, event: ReadEvent) -> dict[str, Any]:
    request = await tencent.request(event, NOW_S)
    assert request is not None
    body: dict[str, Any] = json.loads(request.body)
    return body


async def test_a_one_to_one_read_in_full(tencent: TencentForm, read_state: RedisStore, app: str) -> None:
    """All numbers unquoted; the unread total is over one-to-one conversations only."""
    room = await conversation(read_state, app, "ann", "bob", 1)
    await conversation(read_state, app, "ann", "cid", 3)
    await group(read_state, app, 1, 2)
    await read_state.reading.mark_read(app=app, room=room, user="ann", message="0_5_1700000000")
    request = await tencent.request(an_event(app, room, "0_5_1700000000"), NOW_S)
    assert request is not None
    assert request.body == (
        b'{"CallbackCommand":"C2C.CallbackAfterMsgReport","Report_Account":"ann","Peer_Account":"bob",'
        b'"LastReadTime":1700000000,"UnreadMsgNum":3,"EventTime":1700000000123}'
    )
    assert request.wants_json


async def test_the_query_has_tencents_order(tencent: TencentForm, read_state: RedisStore, app: str) -> None:
    room = await conversation(read_state, app, "ann", "bob", 1)
    request = await tencent.request(an_event(app, room, "0_5_1700000000"), NOW_S)
    assert request is not None
    assert parse_qsl(request.query) == [
        ("SdkAppid", "1400000001"),
        ("CallbackCommand", "C2C.CallbackAfterMsgReport"),
        ("contenttype", "json"),
        ("ClientIP", "Unknown"),
        ("OptPlatform", "Unknown"),
        ("Sign", sign(TOKEN, str(NOW_S))),
        ("RequestTime", str(NOW_S)),
    ]


async def test_every_attempt_is_signed_anew_and_the_body_as_well(
    tencent: TencentForm, read_state: RedisStore, app: str
) -> None:
    """Tencent's own signature does not cover the body."""
    room = await conversation(read_state, app, "ann", "bob", 1)
    event, now_s = an_event(app, room, "0_5_1700000000"), int(time.time())
    first, second = await tencent.request(event, now_s), await tencent.request(event, now_s + 61)
    assert first is not None
    assert second is not None
    assert dict(parse_qsl(second.query))["Sign"] == sign(TOKEN, str(now_s + 61))
    for request in (first, second):
        Webhook(TOKEN.encode()).verify(request.body, request.headers)
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


async def test_what_came_after_the_message_is_not_said_to_be_read(
    tencent: TencentForm, read_state: RedisStore, app: str
) -> None:
    """When something is left unread, the time is that of the message."""
    room = await conversation(read_state, app, "ann", "bob", 2)
    assert (await told(tencent, an_event(app, room, "0_5_1700000000", unread=1)))["LastReadTime"] == 1_600_000_000
    await read_state.messages.delete_message(app=app, room=room, message="0_5_1700000000")
    assert (await told(tencent, an_event(app, room, "0_5_1700000000", unread=1)))["LastReadTime"] == 1_700_000_000


async def test_the_peer_is_the_other_one_for_either_reader(
    tencent: TencentForm, read_state: RedisStore, app: str
) -> None:
    room = await conversation(read_state, app, "ann", "bob", 1)
    body = await told(tencent, an_event(app, room, "0_5_1700000000", member="bob"))
    assert (body["Report_Account"], body["Peer_Account"]) == ("bob", "ann")
    alone = await conversation(read_state, app, "ann", "ann", 1)
    body = await told(tencent, an_event(app, alone, "0_5_1700000000"))
    assert (body["Report_Account"], body["Peer_Account"]) == ("ann", "ann")


async def test_a_group_read_in_full(tencent: TencentForm, read_state: RedisStore, app: str) -> None:
    """Totals of each message, and as its readers only the one who newly read."""
    await group(read_state, app, 1, 2)
    for user, message in (("bob", "1"), ("ann", "2")):
        await read_state.reading.mark_read(app=app, room=GROUP, user=user, message=message)
    request = await tencent.request(an_event(app, GROUP, "2", seq=2, before=0), NOW_S)
    assert request is not None
    assert request.body == (
        b'{"CallbackCommand":"Group.CallbackAfterReadReceipt","GroupId":"@TGS#2TTV7VSII","Type":"Public","GroupMsgReceiptList":['
        b'{"MsgSeq":1,"ReadNum":2,"UnreadNum":1,"ReadReceiptMembers":[{"Member_Account":"ann"}]},'
        b'{"MsgSeq":2,"ReadNum":1,"UnreadNum":2,"ReadReceiptMembers":[{"Member_Account":"ann"}]}],"EventTime":1700000000123}'
    )
    assert dict(parse_qsl(request.query))["CallbackCommand"] == "Group.CallbackAfterReadReceipt"


@pytest.mark.parametrize(
    ("posted", "deleted", "before", "listed"),
    [
        (range(1, 11), (), 7, [8, 9, 10]),
        (range(1, 11), (9,), 7, [8, 10]),
        (range(1, 11), (10,), 7, [8, 9]),
        (range(1, 11), (8, 9, 10), 7, []),
        ((1, 2, 5, 9, 20), (), 2, [5, 9, 20]),
        ((1, 2, 5, 9, 20), (9,), 2, [5, 20]),
        ((1, 2, 5, 9, 20), (9,), 0, [1, 2, 5, 20]),
        (range(1, 61), (), 0, list(range(11, 61))),
        ((1, 500), (), 0, [500]),
    ],
)
async def test_a_group_read_lists_the_messages_that_it_covers(
    tencent: TencentForm,
    read_state: RedisStore,
    app: str,
    posted: list[int],
    deleted: tuple[int, ...],
    before: int,
    listed: list[int],
) -> None:
    """Messages after `before`, without deleted ones; gaps in MsgSeq are no messages.

    At most 50, the newest, and from the last 100 numbers.
    """
    await group(read_state, app, *posted)
    for number in deleted:
        await read_state.messages.delete_message(app=app, room=GROUP, message=str(number))
    event = an_event(app, GROUP, str(max(posted)), seq=len(posted), before=before)
    request = await tencent.request(event, NOW_S)
    found = [one["MsgSeq"] for one in json.loads(request.body)["GroupMsgReceiptList"]] if request else []
    assert found == listed


async def test_what_tencent_does_not_know_is_not_told_in_its_form(
    tencent: TencentForm, read_state: RedisStore, app: str
) -> None:
    """Another app's events, rooms that are no groups, groups with ids that are no numbers, rooms
    that are gone.
    """
    await group(read_state, app, 1)
    await read_state.rooms.create_room(app=app, room="garden", members=["ann"])
    await read_state.rooms.create_room(app=app, room="odd", profile={"groupType": b"[1]"}, members=["ann"])
    await read_state.messages.post(app=app, room="garden", sender="", message="1")
    for event in (
        an_event("other", GROUP, "1"),
        an_event(app, "garden", "1"),
        an_event(app, "odd", "1"),
        an_event(app, GROUP, "m1"),
        an_event(app, GROUP, "9" * 30),
        an_event(app, "gone", "1"),
    ):
        assert await tencent.request(event, NOW_S) is None
        assert not await tencent.covers(event)
    assert await tencent.covers(an_event(app, GROUP, "1"))


@pytest.mark.parametrize(
    ("group_type", "guests", "is_told"),
    [
        (b'"Work"', 196, True),
        (b'"Work"', 197, False),
        (b'"ChatRoom"', 0, True),
        (b'"Community"', 0, False),
        (b'"AVChatRoom"', 0, False),
    ],
)
async def test_groups_that_have_no_receipts_are_not_told_in_its_form(
    tencent: TencentForm, read_state: RedisStore, app: str, group_type: bytes, guests: int, is_told: bool
) -> None:
    """As its server API refuses them: by type, and above 200 members."""
    await group(read_state, app, 1, group_type=group_type)
    await read_state.rooms.add_members(app=app, room=GROUP, members=[f"guest{number}" for number in range(guests)])
    event = an_event(app, GROUP, "1")
    assert (await tencent.covers(event), await tencent.request(event, NOW_S) is not None) == (is_told, is_told)


async def test_who_is_none_of_the_two_has_no_peer(tencent: TencentForm, read_state: RedisStore, app: str) -> None:
    """Other dialects can add a third member to a conversation, whom Tencent does not know there."""
    room = await conversation(read_state, app, "ann", "bob", 1)
    event = an_event(app, room, "0_5_1700000000", member="cid")
    assert (await tencent.covers(event), await tencent.request(event, NOW_S)) == (False, None)


@pytest.mark.parametrize(
    ("form", "direct", "in_group", "elsewhere"),
    [
        ("auto", ["tencent"], ["tencent"], ["standard"]),
        ("standard", ["standard"], ["standard"], ["standard"]),
        ("tencent", ["tencent"], ["tencent"], []),
        ("both", ["standard", "tencent"], ["standard", "tencent"], ["standard"]),
    ],
)
async def test_the_setting_says_in_which_forms_what_is_told(
    tencent: TencentForm,
    read_state: RedisStore,
    app: str,
    form: str,
    direct: list[str],
    in_group: list[str],
    elsewhere: list[str],
) -> None:
    room = await conversation(read_state, app, "ann", "bob", 1)
    await group(read_state, app, 1)
    await read_state.rooms.create_room(app=app, room="garden", members=["ann"])
    choose = choice_of(form, Standard(Signer(TOKEN).headers), tencent)

    async def told_in(event: ReadEvent) -> list[str]:
        requests: list[tuple[str, WebhookRequest | None]] = [
            (one.name, await one.request(event, NOW_S)) for one in await choose(event)
        ]
        return [name for name, request in requests if request is not None]

    assert await told_in(an_event(app, room, "0_5_1700000000")) == direct
    assert await told_in(an_event(app, GROUP, "1")) == in_group
    assert await told_in(an_event(app, "garden", "m1")) == elsewhere


async def test_what_is_told_in_two_forms_is_no_repeat(tencent: TencentForm, read_state: RedisStore, app: str) -> None:
    """Receivers ignore an id that they have had, and that may have been the other form."""
    event = an_event(app, await conversation(read_state, app, "ann", "bob", 1), "0_5_1700000000")
    choose = choice_of("both", Standard(Signer(TOKEN).headers), tencent)
    requests = [await form.request(event, NOW_S) for form in await choose(event)]
    assert [request.headers["webhook-id"] for request in requests if request] == [event.id, f"{event.id}_tencent"]


async def test_without_an_app_of_tencents_all_is_told_in_the_native_form(app: str) -> None:
    choose = choice_of("auto", Standard(Signer(TOKEN).headers), None)
    assert [form.name for form in await choose(an_event(app, direct_room("ann", "bob"), "1"))] == ["standard"]


def test_tencents_form_is_there_when_its_app_is_set_up(read_state: RedisStore) -> None:
    sign_headers = Signer(TOKEN).headers
    assert webhook_form(Settings(webhook_token=TOKEN), read_state, sign_headers) is None
    found = webhook_form(Settings(webhook_token=TOKEN, tencent_sdkappid=1400000001), read_state, sign_headers)
    assert found is not None
    assert found.name == "tencent"
