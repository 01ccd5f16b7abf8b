"""A read through one dialect is a read in all of them.

Bob reads what ann has sent him, in their direct room and in a group with cid, through every call
that reads. Then every call that asks is asked.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio

from readstate.domain.direct import direct_room
from readstate.settings import Settings
from tests.support.imkit import Imkit, result
from tests.support.rocketchat import Rocketchat
from tests.support.tencent import Tencent, code, said, with_tencent

THEN = 1_700_000_000  # seconds
DIRECT, GROUP = direct_room("ann", "bob"), "g"
TAGS = {DIRECT: "direct", GROUP: "team"}
MESSAGES = {DIRECT: (f"1_1_{THEN}", f"2_2_{THEN + 1}"), GROUP: ("1", "2")}
OTHERS = {DIRECT: [], GROUP: ["cid"]}  # who is in the room besides ann and bob
MSG_RECEIPT = "group_open_http_svc/get_group_msg_receipt"


class World:
    """The same service in three dialects."""

    def __init__(self, imkit: Imkit) -> None:
        self.imkit, self.rocketchat, self.tencent = imkit, Rocketchat(imkit), Tencent(imkit)


@pytest.fixture
def settings(settings: Settings, plan_url: str) -> Settings:
    """On one server, and on a cluster."""
    return with_tencent(settings, redis_url=plan_url)


@pytest_asyncio.fixture
async def world(imkit: Imkit) -> World:
    """Two messages of ann's in each room."""
    world = World(imkit)
    for user in ("ann", "bob", "cid"):
        await imkit.sign_in(user)
    await world.tencent.conversation(
        "ann", "bob", *(("ann", key, THEN + number) for number, key in enumerate(MESSAGES[DIRECT]))
    )
    await imkit.room(GROUP, "ann", "bob", "cid", tags=(TAGS[GROUP],))
    for message in MESSAGES[GROUP]:
        await imkit.post(GROUP, "ann", message)
    return world


# Every call that reads: bob reads the room up to `message`. Those of LAST_ONLY always read all of
# it.


async def last_read(world: World, room: str, message: str) -> None:
    result(await world.imkit.as_user("bob", "PUT", f"/rooms/{room}/lastRead", {"message": message}))


async def last_reads(world: World, room: str, message: str) -> None:
    result(await world.imkit.as_user("bob", "PUT", "/me/lastReads", {"items": [{"room": room, "message": message}]}))


async def subscriptions_read(world: World, room: str, message: str) -> None:
    await world.rocketchat.read("bob", room)


async def admin_set_msg_read(world: World, room: str, message: str) -> None:
    until = message.rpartition("_")[2]
    told = {"Report_Account": "bob", "Peer_Account": "ann", "MsgReadTime": until}
    assert code(await world.tencent.call("openim/admin_set_msg_read", told)) == 0


Read = Callable[[World, str, str], Awaitable[None]]
READS: list[tuple[str, Read]] = [
    *((room, read) for room in (DIRECT, GROUP) for read in (last_read, last_reads, subscriptions_read)),
    (DIRECT, admin_set_msg_read),  # that dialect has no call that reads a group
]
LAST_ONLY = (subscriptions_read,)


# Every call that asks how much of a room bob has not read


async def badge(world: World, room: str) -> int:
    return await world.imkit.badge("bob", TAGS[room])


async def by_room_tags(world: World, room: str) -> int:
    found = result(await world.imkit.as_user("bob", "POST", "/badges/byRoomTags", {"tags": [TAGS[room]]}))
    assert found["data"] == {TAGS[room]: found["totalBadge"]}
    return int(found["totalBadge"])


async def room_view(world: World, room: str) -> int:
    return int(result(await world.imkit.as_user("bob", "GET", f"/rooms/{room}"))["unread"])


async def room_list(world: World, room: str) -> int:
    listed = result(await world.imkit.as_user("bob", "GET", "/rooms"))["data"]
    return next(int(view["unread"]) for view in listed if view["_id"] == room)


async def get_one(world: World, room: str) -> int:
    subscription = await world.rocketchat.subscription("bob", room)
    assert subscription["alert"] is (subscription["unread"] > 0)
    return int(subscription["unread"])


async def get_subscriptions(world: World, room: str) -> int:
    found = (await world.rocketchat.get("bob", "subscriptions.get")).json()["update"]
    return next(int(subscription["unread"]) for subscription in found if subscription["rid"] == room)


async def counters(world: World, room: str) -> int:
    call = "im.counters" if room == DIRECT else "channels.counters"
    return int((await world.rocketchat.get("bob", call, roomId=room)).json()["unreads"])


async def c2c_total(world: World, room: str) -> int:
    return int(
        said(await world.tencent.call("openim/get_c2c_unread_msg_num", {"To_Account": "bob"}))["AllC2CUnreadMsgNum"]
    )


async def c2c_of_peer(world: World, room: str) -> int:
    asked = {"To_Account": "bob", "Peer_Account": ["ann"]}
    (found,) = said(await world.tencent.call("openim/get_c2c_unread_msg_num", asked))["C2CUnreadMsgNumList"]
    return int(found["C2CUnreadMsgNum"])


UNREAD: dict[str, tuple[Callable[[World, str], Awaitable[int]], ...]] = {
    DIRECT: (badge, by_room_tags, room_view, room_list, get_one, get_subscriptions, counters, c2c_total, c2c_of_peer),
    GROUP: (badge, by_room_tags, room_view, room_list, get_one, get_subscriptions, counters),
}


async def unread(world: World, room: str) -> dict[str, int]:
    """The answer of each dialect."""
    return {ask.__name__: await ask(world, room) for ask in UNREAD[room]}


def all_say(asked: dict[str, tuple[Callable[..., Any], ...]], room: str, answer: Any) -> dict[str, Any]:
    return {ask.__name__: answer for ask in asked[room]}


# Every call that asks for the readers of one message: readers and non-readers, without ann, who has
# sent it; or the number of each


Lists = tuple[list[str], list[str]]


async def receipts(world: World, room: str, message: str) -> Lists:
    path, asker = f"/rooms/{room}/messages/{message}/receipts", "cid" if room == GROUP else "ann"
    both = [
        result(await world.imkit.as_user(asker, "GET", path, params={"filter": which})) for which in ("read", "unread")
    ]
    for page in both:
        assert (page["readCount"], page["unreadCount"]) == tuple(len(each["data"]) for each in both)
    read, non_read = (sorted(person["client"] for person in page["data"]) for page in both)
    return read, non_read


async def receipt_counts(world: World, room: str, message: str) -> Lists:
    (found,) = result(await world.imkit.as_user("bob", "GET", f"/rooms/{room}/receipts", params={"messages": message}))[
        "data"
    ]
    return as_lists(room, found["readCount"], found["unreadCount"])


async def message_read_receipts(world: World, room: str, message: str) -> Lists:
    readers = await world.rocketchat.readers("bob", message)
    assert readers.pop(0) == "ann", "there the sender is among the readers"
    return readers, sorted({"bob", *OTHERS[room]} - set(readers))


async def group_msg_receipt(world: World, room: str, message: str) -> Lists:
    asked = {"GroupId": room, "MsgSeqList": [{"MsgSeq": int(message)}]}
    (found,) = said(await world.tencent.call(MSG_RECEIPT, asked))["GroupMsgReceiptList"]
    return as_lists(room, found["ReadNum"], found["UnreadNum"])


async def group_msg_receipt_detail(world: World, room: str, message: str) -> Lists:
    lists = []
    for number, (name, person) in enumerate((("ReadList", "Read_Account"), ("UnreadList", "Unread_Account"))):
        asked = {"GroupId": room, "MsgSeq": int(message), "Filter": number, "Cursor": "", "Count": 200}
        found = said(await world.tencent.call(f"{MSG_RECEIPT}_detail", asked))
        lists.append(sorted(entry[person] for entry in found.get(name, [])))
    return lists[0], lists[1]


def as_lists(room: str, read: int, unread: int) -> Lists:
    """Only bob reads here, so numbers follow from the lists."""
    everybody = ["bob", *OTHERS[room]]
    assert read + unread == len(everybody)
    return everybody[:read], everybody[read:]


RECEIPTS: dict[str, tuple[Callable[[World, str, str], Awaitable[Lists]], ...]] = {
    DIRECT: (receipts, receipt_counts, message_read_receipts),
    GROUP: (receipts, receipt_counts, message_read_receipts, group_msg_receipt, group_msg_receipt_detail),
}


async def readers(world: World, room: str, message: str) -> dict[str, Lists]:
    """What each of them says."""
    return {ask.__name__: await ask(world, room, message) for ask in RECEIPTS[room]}


@pytest.mark.parametrize(("room", "read"), READS)
async def test_what_one_dialect_reads_is_read_in_all(world: World, room: str, read: Read) -> None:
    """Every count falls and every receipt is there; the other room is as it was."""
    (other,) = {DIRECT, GROUP} - {room}
    first, last = MESSAGES[room]
    nobody, bob = (list[str](), ["bob", *OTHERS[room]]), (["bob"], OTHERS[room])
    assert await unread(world, room) == all_say(UNREAD, room, 2)
    assert await readers(world, room, first) == await readers(world, room, last) == all_say(RECEIPTS, room, nobody)
    if read not in LAST_ONLY:
        await read(world, room, first)
        assert await unread(world, room) == all_say(UNREAD, room, 1)
        assert await readers(world, room, first) == all_say(RECEIPTS, room, bob)
        assert await readers(world, room, last) == all_say(RECEIPTS, room, nobody)
    await read(world, room, last)
    assert await unread(world, room) == all_say(UNREAD, room, 0)
    assert await readers(world, room, first) == await readers(world, room, last) == all_say(RECEIPTS, room, bob)
    assert await unread(world, other) == all_say(UNREAD, other, 2)


@pytest.mark.parametrize(("room", "read"), READS)
async def test_what_was_read_in_one_dialect_is_nothing_new_in_the_others(world: World, room: str, read: Read) -> None:
    """Reading it again through any call keeps the first receipt's time."""
    _, last = MESSAGES[room]
    await read(world, room, last)
    (first,) = result(await world.imkit.as_user("ann", "GET", f"/rooms/{room}/messages/{last}/receipts"))["data"]
    for where, again in READS:
        if where == room:
            await again(world, room, last)
    assert result(await world.imkit.as_user("ann", "GET", f"/rooms/{room}/messages/{last}/receipts"))["data"] == [first]


async def acknowledge_direct(world: World, message: str) -> None:
    named = {"From_Account": "ann", "To_Account": "bob", "MsgKey": message}
    told = {"Operator_Account": "bob", "Peer_Account": "ann", "C2CMsgInfo": [named]}
    assert code(await world.tencent.call("openim/c2c_msg_read_receipt", told)) == 0


async def acknowledge_in_group(world: World, message: str) -> None:
    told = {"GroupId": GROUP, "From_Account": "bob", "MsgSeqList": [{"MsgSeq": int(message)}]}
    assert code(await world.tencent.call("group_open_http_svc/group_msg_receipt", told)) == 0


@pytest.mark.parametrize(("room", "acknowledge"), [(DIRECT, acknowledge_direct), (GROUP, acknowledge_in_group)])
async def test_a_receipt_for_one_message_is_seen_in_all_and_changes_no_count(
    world: World, room: str, acknowledge: Callable[[World, str], Awaitable[None]]
) -> None:
    """The message before it is not read."""
    first, last = MESSAGES[room]
    await acknowledge(world, last)
    assert await readers(world, room, last) == all_say(RECEIPTS, room, (["bob"], OTHERS[room]))
    assert await readers(world, room, first) == all_say(RECEIPTS, room, ([], ["bob", *OTHERS[room]]))
    assert await unread(world, room) == all_say(UNREAD, room, 2)


async def test_a_count_that_one_dialect_sets_is_the_count_of_all(world: World) -> None:
    """And any read clears it."""
    told = {"GroupId": GROUP, "Member_Account": "bob", "UnreadMsgNum": 1}
    result(await world.imkit.as_backend("PUT", f"/rooms/{GROUP}", {"groupType": "Public"}))
    assert code(await world.tencent.call("group_open_http_svc/set_unread_msg_num", told)) == 0
    assert await unread(world, GROUP) == all_say(UNREAD, GROUP, 1)
    await subscriptions_read(world, GROUP, "")
    assert await unread(world, GROUP) == all_say(UNREAD, GROUP, 0)


@pytest.mark.parametrize(("room", "read"), READS)
async def test_a_mark_by_hand_changes_no_count_elsewhere_and_goes_with_any_read(
    world: World, room: str, read: Read
) -> None:
    """The mark is known in the one dialect that has marks."""
    _, last = MESSAGES[room]
    await read(world, room, last)
    assert (
        await world.rocketchat.post("bob", "subscriptions.unread", {"firstUnreadMessage": {"_id": last}})
    ).status_code == 200
    assert (await world.rocketchat.subscription("bob", room))["alert"] is True
    counted = {name: count for name, count in (await unread_but_alert(world, room)).items() if count}
    assert counted == {}
    assert await readers(world, room, last) == all_say(RECEIPTS, room, (["bob"], OTHERS[room]))
    await read(world, room, last)
    assert (await world.rocketchat.subscription("bob", room))["alert"] is False


async def unread_but_alert(world: World, room: str) -> dict[str, int]:
    """All counts but the one of the dialect that marks."""
    return {ask.__name__: await ask(world, room) for ask in UNREAD[room] if ask not in (get_one, get_subscriptions)}


@pytest.mark.parametrize("room", [DIRECT, GROUP])
async def test_deleting_and_posting_show_in_all(world: World, room: str) -> None:
    """One unread message goes, three come, and bob's own answer leaves none."""
    result(await world.imkit.as_backend("DELETE", f"/rooms/{room}/messages/{MESSAGES[room][0]}"))
    assert await unread(world, room) == all_say(UNREAD, room, 1)
    for number in range(3):
        await world.imkit.post(room, "ann", f"{number + 7}")
    assert await unread(world, room) == all_say(UNREAD, room, 4)
    await world.imkit.post(room, "bob", "99")
    assert await unread(world, room) == all_say(UNREAD, room, 0)
