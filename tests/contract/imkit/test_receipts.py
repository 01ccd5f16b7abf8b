"""Receipts, byte for byte: GET /rooms/:id/messages/:mid/receipts and GET /rooms/:id/receipts."""

import pytest

from tests.contract.imkit.test_golden import NO_ROOM, ok, seen
from tests.support.imkit import Imkit, result

NO_MESSAGE = '404 {"RC":404,"RM":"Not Found","error":{"code":"MESSAGE_NOT_FOUND","message":"Message not found"}}'
PATH = "/rooms/r/messages/m1/receipts"


@pytest.fixture
async def al(imkit: Imkit) -> Imkit:
    """Al has posted m1 in room r.

    Bo has read it, cy has read it and left, di has not; ed came later.
    """
    await imkit.room("r", "al", "bo", "cy", "di")
    await imkit.post("r", "al", "m1")
    for user in ("bo", "cy"):
        await imkit.as_user(user, "PUT", "/rooms/r/lastRead", {"message": "m1"})
    await imkit.as_backend("POST", "/rooms/r/delete/members", {"members": ["cy"]})
    await imkit.as_backend("POST", "/rooms/r/members", {"invitees": ["ed"]})
    return imkit


def reader(user: str, *, left: bool = False) -> str:
    return f'{{"client":"{user}","at":"ISO","exact":true,"left":{str(left).lower()}}}'


def page(data: str, following: str = "null") -> str:
    head = '"room":"r","message":"m1","sender":"al","messageTime":"ISO","readCount":1,"unreadCount":1,"leftCount":1'
    return ok(f'{{{head},"data":[{data}],"next":{following}}}')


@pytest.mark.parametrize("query", ["", "?filter=read", "?limit=1000&page="])
async def test_readers_with_their_times(al: Imkit, query: str) -> None:
    """A reader who left stays in the list, marked. The sender is not in it."""
    answer = await al.as_user("di", "GET", PATH + query)
    assert seen(answer) == page(f"{reader('bo')},{reader('cy', left=True)}")


async def test_non_readers(al: Imkit) -> None:
    """Members who joined later are left out."""
    assert seen(await al.as_user("al", "GET", PATH + "?filter=unread")) == page('{"client":"di"}')


async def test_pages(al: Imkit) -> None:
    """The last page has no `next`. Each person comes once."""
    people, query = [], "?limit=1"
    while query:
        found = result(await al.as_user("al", "GET", PATH + query))
        people += [one["client"] for one in found["data"]]
        query = f"?limit=1&page={found['next']}" if found["next"] else ""
    assert people == ["bo", "cy"]


async def test_counts_of_several_messages(al: Imkit) -> None:
    """In the order asked for; unknown and deleted ones are left out; a comma in an id is %2C."""
    await al.post("r", "bo", "m,2")
    await al.post("r", "bo", "gone")
    await al.as_backend("DELETE", "/rooms/r/messages/gone")
    answer = await al.as_user("al", "GET", "/rooms/r/receipts?messages=m%2C2,none,gone&messages=m1,m1")
    second = '{"message":"m,2","readCount":0,"unreadCount":3,"leftCount":0}'
    assert seen(answer) == ok(
        f'{{"room":"r","data":[{second},{{"message":"m1","readCount":1,"unreadCount":1,"leftCount":1}}]}}'
    )


async def test_what_is_deleted_or_recalled_has_no_receipts(al: Imkit) -> None:
    """Nor has a message that never existed."""
    assert seen(await al.as_user("al", "GET", "/rooms/r/messages/none/receipts")) == NO_MESSAGE
    await al.as_user("al", "POST", "/rooms/r/message", {"_id": "m1", "messageType": "recall"})
    assert seen(await al.as_user("al", "GET", PATH)) == NO_MESSAGE
    assert seen(await al.as_user("al", "GET", "/rooms/r/receipts?messages=m1")) == ok('{"room":"r","data":[]}')


@pytest.mark.parametrize("path", [PATH, "/rooms/r/receipts?messages=m1"])
async def test_strangers_learn_nothing(al: Imkit, path: str) -> None:
    """A stranger does not learn whether the room and the message exist.

    The backend may ask for any user.
    """
    assert seen(await al.as_user("zoe", "GET", path)) == NO_ROOM
    assert seen(await al.as_user("zoe", "GET", path.replace("m1", "none"))) == NO_ROOM
    assert seen(await al.as_user("zoe", "GET", path.replace("/r/", "/none/"))) == NO_ROOM
    assert (await al.as_backend("GET", path)).status_code == 200


@pytest.mark.parametrize(
    ("path", "code", "message"),
    [
        (PATH + "?filter=all", "INVALID_QUERY", "filter must be read or unread"),
        (PATH + "?limit=0", "INVALID_QUERY", "Invalid query parameter: limit: Expected `int` >= 1"),
        (PATH + "?limit=1001", "INVALID_QUERY", "Invalid query parameter: limit: Expected `int` <= 1000"),
        (PATH + "?limit=x", "INVALID_QUERY", "Invalid query parameter: limit: Expected `int`, got `str`"),
        (PATH + "?page=x", "INVALID_QUERY", "page must be empty or the `next` of an answer before"),
        ("/rooms/r/receipts", "MISSING_PARAMETER", "messages is required"),
        ("/rooms/r/receipts?messages=,", "MISSING_PARAMETER", "messages is required"),
        (
            "/rooms/r/receipts?messages=" + ",".join(map(str, range(101))),
            "INVALID_QUERY",
            "messages must name at most 100 messages",
        ),
    ],
)
async def test_questions_that_cannot_be_answered(al: Imkit, path: str, code: str, message: str) -> None:
    """Each refusal says what to ask instead."""
    answer = await al.as_user("al", "GET", path)
    assert seen(answer) == f'400 {{"RC":400,"RM":"Bad Request","error":{{"code":"{code}","message":"{message}"}}}}'
