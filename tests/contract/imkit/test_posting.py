"""What a backend may say about a message: its time, its effects, and its receivers."""

import hashlib
import json
from collections.abc import Callable, Iterator
from time import process_time
from typing import Any

import pytest

from readstate.domain.direct import direct_room
from readstate.domain.identity import FIRST_APP
from readstate.domain.notices import CountsChanged, CursorMoved, MessagePosted, Notice, decode_notice
from readstate.store.keys import Keys
from tests.support.imkit import Imkit, result
from tests.support.servers import Server

YEARS_AGO = 1_600_000_000_000
ISO = "2020-09-13T12:26:40.000Z"  # the same


@pytest.fixture
async def al(imkit: Imkit) -> Imkit:
    """Al, bo and cy are in room r, in which bo has posted m1."""
    await imkit.room("r", "al", "bo", "cy")
    await imkit.post("r", "bo", "m1")
    return imkit


async def post(imkit: Imkit, **body: Any) -> Any:
    """The answer to a post of the backend in room r."""
    return result(await imkit.as_backend("POST", "/messages", {"room": "r", "sender": "bo", "message": "hi", **body}))


async def batch(imkit: Imkit, body: Any) -> list[dict[str, Any]]:
    """What became of each message of a batch."""
    results: list[dict[str, Any]] = result(await imkit.as_backend("POST", "/messages/batch", body))["results"]
    return results


async def seen_by(imkit: Imkit, user: str, room: str = "r") -> Any:
    return result(await imkit.as_backend("GET", f"/rooms/{room}", user=user))


async def unread(imkit: Imkit, *users: str, room: str = "r") -> list[int]:
    return [(await seen_by(imkit, user, room))["unread"] for user in users]


# When it was sent


@pytest.mark.parametrize(
    "time", [{"messageTime": ISO}, {"messageTimeMS": YEARS_AGO}, {"createdAtMS": YEARS_AGO}], ids=str
)
async def test_the_time_that_the_backend_gives_is_shown_wherever_there_is_one(al: Imkit, time: dict[str, Any]) -> None:
    times = {"messageTime": ISO, "messageTimeMS": YEARS_AGO, "createdAtMS": YEARS_AGO}
    assert times.items() <= (await post(al, _id="m2", **time)).items()
    assert times.items() <= (await post(al, _id="m2")).items(), "of a message that was there"
    assert times.items() <= (await seen_by(al, "al"))["lastMessage"].items()
    (listed,) = result(await al.as_user("al", "GET", "/rooms"))["data"]
    assert times.items() <= listed["lastMessage"].items()
    assert result(await al.as_backend("GET", "/rooms/r/messages/m2/receipts"))["messageTime"] == ISO
    edited = result(await al.as_user("bo", "POST", "/rooms/r/message", {"_id": "m2", "message": "better"}))
    recalled = result(await al.as_user("bo", "POST", "/rooms/r/message", {"_id": "m2", "messageType": "recall"}))
    assert times.items() <= edited.items()
    assert times.items() <= recalled.items()


async def test_equal_spellings_of_a_time_may_stand_together(al: Imkit) -> None:
    """Other time zones work too. Without one the time is UTC."""
    for time in ("2020-09-13T14:26:40+02:00", "2020-09-13T12:26:40", ISO):
        assert (await post(al, messageTime=time, messageTimeMS=YEARS_AGO))["messageTimeMS"] == YEARS_AGO


async def test_the_time_of_a_message_in_a_batch_is_shown(al: Imkit) -> None:
    """The time of the batch holds for each message without its own."""
    given = [{"room": "r", "sender": "bo"}, {"room": "r", "sender": "bo", "messageTimeMS": YEARS_AGO + 7}]
    answers = await batch(al, {"messageTimeMS": YEARS_AGO, "messages": given})
    assert [answer["result"]["messageTimeMS"] for answer in answers] == [YEARS_AGO, YEARS_AGO + 7]


async def test_a_client_cannot_say_when_a_message_was_sent(al: Imkit) -> None:
    """Fields for backends only are ignored, whatever their value.

    A backend that posts in a member's name may use them.
    """
    given = {
        "message": "hi",
        "messageTime": 5,
        "messageTimeMS": YEARS_AGO,
        "notify": "no",
        "moveCursor": False,
        "asLastMessage": False,
    }
    answer = result(await al.as_user("al", "POST", "/rooms/r/message", given))
    assert answer["messageTimeMS"] > YEARS_AGO
    assert not {"notify", "moveCursor", "asLastMessage"} & answer.keys()
    room = await seen_by(al, "al")
    assert (room["unread"], room["lastMessage"]["_id"]) == (0, answer["_id"])
    given = {"message": "hi", "messageTimeMS": YEARS_AGO, "moveCursor": False}
    answer = result(await al.as_backend("POST", "/rooms/r/message", given, user="cy"))
    assert answer["messageTimeMS"] == YEARS_AGO
    assert await unread(al, "cy") == [3]


async def test_a_receipt_by_a_message_of_the_past_says_that_it_may_have_been_earlier(al: Imkit) -> None:
    """Cy read m1 at some time before cy's own message, so its receipt has that time.

    Al's receipt has the exact time.
    """
    await post(al, _id="m2", sender="cy", messageTime=ISO, notify=False)
    result(await al.as_user("al", "PUT", "/rooms/r/lastRead", {"message": "m1"}))
    readers = result(await al.as_backend("GET", "/rooms/r/messages/m1/receipts"))["data"]
    assert {reader["client"]: reader["exact"] for reader in readers} == {"al": True, "cy": False}


# What it leaves alone


@pytest.mark.parametrize(
    "kind", [{"silent": True}, {"countable": False}, {"messageType": "reaction"}, {"messageType": "silent"}], ids=str
)
async def test_a_message_that_does_not_count_reads_nothing_and_is_not_the_last_one(
    al: Imkit, kind: dict[str, Any]
) -> None:
    """Such as an automatic reply in cy's name, or a client's reaction."""
    await post(al, sender="cy", **kind)
    result(await al.as_user("al", "POST", "/rooms/r/message", {"message": "+1", **kind}))
    assert await unread(al, "al", "bo", "cy") == [1, 0, 1]
    assert (await seen_by(al, "al"))["lastMessage"]["_id"] == "m1"
    assert result(await al.as_backend("GET", "/rooms/r/messages/m1/receipts"))["data"] == []


async def test_it_does_both_when_asked_to(al: Imkit) -> None:
    answer = await post(al, sender="cy", silent=True, moveCursor=True, asLastMessage=True)
    assert await unread(al, "al", "bo", "cy") == [1, 0, 0]
    assert (await seen_by(al, "al"))["lastMessage"]["_id"] == answer["_id"]


async def test_an_automatic_message_that_counts_need_not_read_for_its_sender(al: Imkit) -> None:
    """It is unread for cy too, and no member sees cy as a reader."""
    await post(al, _id="away", sender="cy", moveCursor=False)
    assert await unread(al, "al", "bo", "cy") == [2, 1, 2]
    assert [await al.badge(user) for user in ("al", "bo", "cy")] == [2, 1, 2]
    counts = result(await al.as_backend("GET", "/rooms/r/receipts?messages=m1,away"))["data"]
    assert [(one["readCount"], one["unreadCount"]) for one in counts] == [(0, 2), (0, 2)]


async def test_a_message_of_the_same_id_is_answered_as_it_is_stored(al: Imkit) -> None:
    """The stored sender is answered, alone and in a batch, and no field of the repeat."""
    answer = await post(al, _id="m1", sender="zoe", message="other", extra={"a": 1}, messageTimeMS=YEARS_AGO)
    assert (answer["sender"], answer["created"]) == ("bo", False)
    assert not {"message", "messageType", "extra"} & answer.keys()
    (item,) = await batch(al, {"messages": [{"_id": "m1", "room": "r", "sender": "zoe"}]})
    assert (item["result"]["sender"], item["result"]["created"]) == ("bo", False)
    assert item["result"]["messageTimeMS"] == answer["messageTimeMS"] > YEARS_AGO


# To whom it goes


async def test_the_documented_form_of_a_batch_posts_to_rooms(al: Imkit) -> None:
    """docs.imkit.io, Batch Send Messages: one message and several rooms.

    A sender is not required.
    """
    await al.room("s", "al")
    shared = {"messageType": "announcement", "message": "Maintenance at ten", "sender": "bo"}
    answers = await batch(
        al,
        {
            **shared,
            "paras": [{"room": "r"}, {"room": "s"}, {"room": "s", "sender": "al"}, {"room": "s", "sender": None}],
        },
    )
    assert [answer["result"]["sender"] for answer in answers] == ["bo", "bo", "al", None]
    assert [await unread(al, "al"), await unread(al, "al", room="s")] == [[2], [1]]
    answers = await batch(al, {"messageType": "text", "message": "hi", "paras": [{"room": "s"}]})
    assert answers[0]["result"]["sender"] is None
    assert await unread(al, "al", room="s") == [2]


async def test_a_receiver_stands_for_the_room_of_two(al: Imkit) -> None:
    """The direct room is made when it is first needed. A named room takes precedence."""
    for user in ("al", "bo"):
        await al.sign_in(user)
    paras = [{"receiver": "al"}, {"receiver": "bo"}, {"receiver": "al"}, {"receiver": "al", "room": "r"}]
    answers = await batch(al, {"messageType": "text", "message": "hi", "sender": "cy", "paras": paras})
    rooms = [direct_room("al", "cy"), direct_room("bo", "cy"), direct_room("al", "cy"), "r"]
    assert [answer["result"]["room"] for answer in answers] == rooms
    assert await unread(al, "al", "cy", room=rooms[0]) == [2, 0]
    assert (await seen_by(al, "al", rooms[0]))["roomType"] == "direct"


async def test_the_room_that_a_client_has_made_for_two_is_theirs(al: Imkit) -> None:
    """IMKit's clients derive its id from the two users.

    With other members, the room is not used.
    """
    for user in ("al", "bo", "eve"):
        await al.sign_in(user)
    derived = hashlib.md5(b"al_bo").hexdigest()
    send = {"messageType": "text", "message": "hi", "sender": "bo", "paras": [{"receiver": "al"}]}
    await al.room(derived, "al", "eve")
    assert [answer["result"]["room"] for answer in await batch(al, send)] == [direct_room("al", "bo")]
    result(await al.as_backend("DELETE", f"/rooms/{derived}"))
    result(
        await al.as_user("al", "POST", "/rooms/createAndJoin", {"_id": derived, "roomType": "direct", "invitee": "bo"})
    )
    assert [answer["result"]["room"] for answer in await batch(al, send)] == [derived]


async def test_the_room_of_two_stays_as_a_client_has_made_it(al: Imkit) -> None:
    """Also when one of them has left: the message brings them back and changes nothing else."""
    for user in ("al", "bo"):
        await al.sign_in(user)
    room = direct_room("al", "bo")
    made = {"_id": room, "roomType": "direct", "name": "Us", "roomTags": ["work"], "invitee": "bo"}
    result(await al.as_user("al", "POST", "/rooms/createAndJoin", made))
    for _ in range(2):
        assert [
            answer["result"]["room"] for answer in await batch(al, {"sender": "bo", "paras": [{"receiver": "al"}]})
        ] == [room]
        seen = await seen_by(al, "al", room)
        assert (seen["name"], seen["roomTags"], seen["owner"], len(seen["members"])) == ("Us", ["work"], "al", 2)
        result(await al.as_user("bo", "DELETE", f"/rooms/{room}/members/bo"))


@pytest.fixture
def ear(server: Server) -> Iterator[Callable[[], list[Notice]]]:
    """The notices since the test began."""
    with server.client() as client, client.pubsub() as heard:
        channel = Keys.room(FIRST_APP, "r")
        heard.ssubscribe(channel)
        assert heard.get_message(timeout=10)["type"] == "ssubscribe"

        def listen() -> list[Notice]:
            client.spublish(channel, b"end")
            messages = iter(lambda: heard.get_message(timeout=10)["data"], b"end")
            return [decode_notice(message) for message in messages]

        yield listen


async def test_variables_are_filled_in_for_each_receiver(al: Imkit, ear: Callable[[], list[Notice]]) -> None:
    """docs.imkit.io: variables in `message` and `extra`.

    Replaced text is plain text and names no further variable.
    """
    send = {
        "messageType": "text",
        "message": 'Hi $name$, $5 for $order$ "$other$"',
        "extra": {"é": ["$order$", 1]},
        "caption": "$name$",
        "sender": "bo",
        "paras": [{"room": "r", "$name$": 'A"l$order$\\', "$order$": "é-1"}, {"room": "r", "$name$": "Bo"}],
    }
    assert [answer["RC"] for answer in await batch(al, send)] == [0, 0]
    said = [json.loads(notice.body) for notice in ear() if isinstance(notice, MessagePosted)]
    same = {"messageType": "text", "caption": "$name$"}
    assert said == [
        {"message": 'Hi A"l$order$\\, $5 for é-1 "$other$"', "extra": {"é": ["é-1", 1]}, **same},
        {"message": 'Hi Bo, $5 for $order$ "$other$"', "extra": {"é": ["$order$", 1]}, **same},
    ]


async def test_many_variables_in_a_long_text_are_quickly_filled_in(al: Imkit, ear: Callable[[], list[Notice]]) -> None:
    """Its cost is not the product of both numbers: a batch would block a worker for seconds."""
    names = {f"$a{number:04}$": "x" for number in range(2500)}
    item = {"room": "r", "sender": "bo", "message": "$" * 30_000 + "a0001$", **names}
    began = process_time()
    assert [answer["RC"] for answer in await batch(al, {"messages": [item] * 15})] == [0] * 15
    assert process_time() - began < 2
    said = [json.loads(notice.body)["message"] for notice in ear() if isinstance(notice, MessagePosted)]
    assert said == ["$" * 29_999 + "x"] * 15


async def test_a_back_filled_message_is_told_to_no_device(al: Imkit, ear: Callable[[], list[Notice]]) -> None:
    """It counts as any other message."""
    await post(al, _id="m2", sender="cy", messageTime=ISO, notify=False)
    assert [
        answer["RC"] for answer in await batch(al, {"notify": False, "messages": [{"room": "r", "sender": None}]})
    ] == [0]
    assert ear() == [CountsChanged("r"), CountsChanged("r")]
    assert await unread(al, "al", "bo", "cy") == [3, 2, 1]
    await post(al, sender="cy")
    assert [type(notice) for notice in ear()] == [MessagePosted, CursorMoved]


@pytest.mark.parametrize(
    ("items", "status", "code", "said"),
    [
        ([{"room": "no", "sender": "bo"}] * 2, 404, "ROOM_NOT_FOUND", "Room not found"),
        ([{"room": "no", "sender": "bo"}, {"room": "r"}], 400, "INVALID_BODY", "Room not found"),
        ([{"receiver": "nobody", "sender": "bo"}], 404, "CLIENT_NOT_FOUND", "Client not found"),
        ([{"receiver": "bo", "sender": "bo"}], 400, "INVALID_BODY", "receiver must be another user than the sender"),
        ([{"receiver": "bo"}], 400, "MISSING_PARAMETER", "sender is required with receiver"),
        ([{"receiver": 5, "sender": "bo"}], 400, "INVALID_BODY", "Expected `str | null`, got `int` - at `$.receiver`"),
        ([{"sender": "bo"}], 400, "MISSING_PARAMETER", "room is required"),
        ([{"room": "r", "sender": "bo", "$n$": 5}], 400, "INVALID_BODY", "$n$ must be a text"),
        (
            [{"room": "r", "sender": "bo", "message": "$n$" * 999, "$n$": "x" * 999}],
            400,
            "INVALID_BODY",
            "a message must have at most 65536 bytes",
        ),
        ([7], 400, "INVALID_BODY", "Expected `object`, got `int`"),
    ],
)
async def test_a_batch_of_which_nothing_is_taken_is_refused(
    al: Imkit, items: list[Any], status: int, code: str, said: str
) -> None:
    """Each result stands beside the error. Nothing is written."""
    before = await al.everything()
    answer = await al.as_backend("POST", "/messages/batch", {"messages": items})
    body = answer.json()
    assert (answer.status_code, body["RC"], body["error"]["code"]) == (status, status, code)
    assert body["error"]["message"].endswith(said)
    assert (body["result"]["count"], len(body["result"]["results"])) == (0, len(items))
    assert await al.everything() == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"messageTimeMS": -5},
        {"countable": 5},
        {"_id": "_all"},
        {"messageType": "recall"},
        {"messageType": "recall", "_id": "m"},
    ],
    ids=str,
)
async def test_a_refused_message_makes_no_room_for_its_receiver(al: Imkit, wrong: dict[str, Any]) -> None:
    """A message that is refused writes nothing."""
    await al.sign_in("al")
    before = await al.everything()
    answer = await al.as_backend("POST", "/messages/batch", {"messages": [{"receiver": "al", "sender": "bo", **wrong}]})
    assert answer.status_code in (400, 404)
    assert await al.everything() == before


async def test_a_message_to_a_receiver_can_be_recalled(al: Imkit) -> None:
    """The receiver is named as in the post."""
    await al.sign_in("al")
    said = {"receiver": "al", "sender": "bo", "_id": "m"}
    answers = await batch(al, {"messages": [said, {**said, "messageType": "recall"}]})
    assert [answer["result"]["room"] for answer in answers] == [direct_room("al", "bo")] * 2
    assert await unread(al, "al", room=direct_room("al", "bo")) == [0]


async def test_two_lists_in_one_batch_are_refused(al: Imkit) -> None:
    """Otherwise one of them would be lost silently."""
    before, one = await al.everything(), {"room": "r", "sender": "bo"}
    answer = await al.as_backend("POST", "/messages/batch", {"messages": [one], "paras": [one]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INVALID_BODY")
    assert await al.everything() == before


@pytest.mark.parametrize("long", [{"message": "x" * 60_000}, {"x" * 60_000: 1}], ids=["value", "name"])
async def test_what_the_messages_of_a_batch_share_counts_for_each(al: Imkit, long: dict[str, Any]) -> None:
    """Otherwise a small body could cause as much work as a large one."""
    shared = {**long, "sender": "bo"}
    answer = await al.as_backend("POST", "/messages/batch", {**shared, "paras": [{"room": "r"}] * 18})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INVALID_BODY")
    assert [item["RC"] for item in await batch(al, {**shared, "paras": [{"room": "r"}] * 17})] == [0] * 17


# A retention rule


async def test_a_retention_rule_names_a_message_or_a_time(al: Imkit) -> None:
    for number in range(2, 7):
        await post(al, _id=f"m{number}", sender=None, messageTimeMS=YEARS_AGO + number * 1000)
    cuts = ("m3", f"{YEARS_AGO + 4000}", "2020-09-13T12:26:45.000Z", "2020-09-13T14:26:45.001%2B02:00")
    left = []
    for before in cuts:
        answer = result(await al.as_backend("DELETE", f"/rooms/r/messages?before={before}"))
        left.append((answer["deletedCount"], answer.get("before"), *await unread(al, "al")))
    # m1 is from today and comes before all of them.
    assert left == [(2, "m3", 4), (1, "m4", 3), (1, "m5", 2), (1, "m6", 1)]


@pytest.mark.parametrize(
    "before", ["nothing", "2020-13-01", "16000000000", "1600000000000000000", "5000000000000", "2128-06-11"]
)
async def test_what_is_neither_a_message_nor_a_time_deletes_nothing(al: Imkit, before: str) -> None:
    """A long number is the id of a forgotten message.

    Read as a time, it would delete everything.
    """
    stored = await al.everything()
    answer = await al.as_backend("DELETE", f"/rooms/r/messages?before={before}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "MESSAGE_NOT_FOUND")
    assert "13 digits of Unix milliseconds" in answer.json()["error"]["message"]
    assert await al.everything() == stored


@pytest.mark.parametrize("query", ["", "?before=", "?before=" + "x" * 129, "?before=m1&before=m1"])
async def test_without_one_point_nothing_is_deleted(al: Imkit, query: str) -> None:
    """It must not delete everything."""
    stored = await al.everything()
    answer = await al.as_backend("DELETE", f"/rooms/r/messages{query}")
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] in (
        "before is required",
        "before must be given once",
        "Invalid query parameter: before: Expected `str` of length <= 128",
    )
    assert await al.everything() == stored
