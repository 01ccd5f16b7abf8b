"""Bodies that are not JSON, lack a field or misspell it."""

import pytest

from tests.contract.imkit.bad_input.refusals import POST, READ, bad_body, escaped, missing, refused
from tests.support.imkit import CLIENT_KEY, Imkit, refusal, result


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", "A JSON body is required"),
        (b"{}", "message is required"),
        (b'{"Id":"m1"}', "message is required"),
        (b'{"messageId":"m1"}', "message is required; did you write messageId for it?"),
        (b'{"msg":"m1","room":"r"}', "message is required; did you write msg for it?"),
        (b"null", "Expected `object`, got `null`"),
        (b"[]", "Expected `object`, got `array`"),
        (b'"m1"', "Expected `object`, got `str`"),
        (b"{", "JSON is malformed: it ends too early"),
        (b"not json", "JSON is malformed: invalid character (byte 4)"),
        (b'{"message": m1}', "JSON is malformed: invalid character (byte 12)"),
        (b'{"message":null}', "Expected `str`, got `null` - at `$.message`"),
        (b'{"message":""}', "Expected `str` of length >= 1 - at `$.message`"),
        (b'{"message":1}', "Expected `str`, got `int` - at `$.message`"),
        (b'{"message":true}', "Expected `str`, got `bool` - at `$.message`"),
        (b'{"message":["m1"]}', "Expected `str`, got `array` - at `$.message`"),
        (b'{"message":{"_id":"m1"}}', "Expected `str`, got `object` - at `$.message`"),
        (b'{"message":"\xff\xfe"}', "The body must be UTF-8"),
        (b'{"message":"\\ud800"}', "JSON is malformed: it ends too early"),
        (b'{"message":"m1"} {}', "JSON is malformed: trailing characters (byte 18)"),
        (b'\xef\xbb\xbf{"message":"m1"}', "JSON is malformed: invalid character (byte 0)"),
        (b'{"message":' + b"[" * 60_000, "Expected `str`, got `array` - at `$.message`"),
        (b"[" * 60_000 + b"]" * 5_000, "Expected `object`, got `array`"),
    ],
)
async def test_last_read_says_what_it_needs(al: Imkit, body: bytes, expected: str) -> None:
    """Each mistake has a message of its own, on the fast path and through the framework."""
    for headers in ({}, {"Origin": "https://chat.example"}):
        before = await al.everything()
        headers |= {"IM-CLIENT-KEY": CLIENT_KEY, "IM-Authorization": al.tokens["al"]}
        assert await refused(al, await al.call(*READ, body, headers), before) == missing(expected)


NO_ID = refusal(400, "Bad Request", "INVALID_REQUEST", "_id is required")


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("/admin/clients/list", b'{"data":[{"id":"x"}],"data":null}', NO_ID),
        ("/admin/clients/list", b'{"data":[{"id":"x"}],"data":[]}', NO_ID),
        ("/admin/clients/list", b'{"data":[{"id":"x"}] ]', NO_ID),
        ("/admin/clients/list", b'{"data":[{"id":"x"}],"more":"\xff"}', NO_ID),
        ("/admin/clients/list", b'{"data":[{"id":"x"}],"more":' + b"[" * 20_000, NO_ID),
        (
            "/rooms/r/members",
            b'{"invitees":"bo","invitees":7}',
            bad_body(escaped("Expected `array`, got `str` - at `$.invitees`; for one send [7]")),
        ),
        (
            "/rooms/r/members",
            b'{"invitees":"bo" ]',
            bad_body(escaped("Expected `array`, got `str` - at `$.invitees`; send an array, also for one")),
        ),
    ],
)
async def test_a_body_with_several_mistakes_is_refused_for_the_first(
    al: Imkit, path: str, body: bytes, expected: bytes
) -> None:
    """Anything may follow the first mistake, the same name included."""
    before = await al.everything()
    assert await refused(al, await al.as_backend("POST", path, body), before) == expected


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        (
            "POST",
            "/rooms/r/members",
            {"invitee": ["bo"]},
            missing("invitees is required; did you write invitee for it?"),
        ),
        (
            "POST",
            "/rooms/r/members",
            {"invitees": "bo"},
            bad_body(escaped('Expected `array`, got `str` - at `$.invitees`; for one send ["bo"]')),
        ),
        (
            "POST",
            "/rooms/r/delete/members",
            {"member": ["bo"]},
            missing("members is required; did you write member for it?"),
        ),
        (
            "POST",
            "/messages",
            {"roomID": "r", "sender": "bo"},
            missing("room is required; did you write roomID for it?"),
        ),
        ("POST", "/messages", {"sender": "bo", "message": "x"}, missing("room is required")),
        (
            "PUT",
            "/me/lastReads",
            {"items": [{"room": "r", "message": "m1"}, {"room": "r", "messageId": "m1"}]},
            bad_body("messageId is no field of this call; did you mean message? - at `$.items[1]`"),
        ),
        (
            "PUT",
            "/me/lastReads",
            {"items": [{"room": "r", "message": "m1", "mesage": "m2"}]},
            bad_body("mesage is no field of this call; did you mean message? - at `$.items[0]`"),
        ),
        ("PUT", "/me/lastReads", {"item": []}, bad_body("item is no field of this call; did you mean items?")),
        ("POST", "/badges", {"token": ["x"]}, bad_body("token is no field of this call; did you mean tokens?")),
        ("POST", "/badges", {}, missing("Give tokens, or as a backend clients, and not both")),
        (
            "POST",
            "/badges",
            {"clients": ["al"], "tokens": ["x"]},
            bad_body("Give tokens, or as a backend clients, and not both"),
        ),
        ("POST", "/badges", {"clients": []}, bad_body("Expected `array` of length >= 1 - at `$.clients`")),
        ("POST", "/badges", {"clients": ["al"] * 201}, bad_body("Expected `array` of length <= 200 - at `$.clients`")),
        ("POST", "/badges", {"tokens": ["x"] * 21}, bad_body("Expected `array` of length <= 20 - at `$.tokens`")),
        ("POST", "/badges", {"clients": ["x" * 129]}, bad_body("clients must have 1 to 128 bytes")),
        (
            "DELETE",
            "/admin/clients/al/token",
            {"tokens": "x"},
            refusal(400, "Bad Request", "INVALID_REQUEST", "tokens is no field of this call; did you mean token?"),
        ),
        (
            "POST",
            "/rooms",
            {"_id": "n", "roomtags": ["a"]},
            bad_body("roomtags is no field of this call; did you mean roomTags?"),
        ),
        (
            "POST",
            "/rooms",
            {"_id": "n", "room_tags": ["a"]},
            bad_body("room_tags is no field of this call; did you mean roomTags?"),
        ),
        (
            "POST",
            "/rooms/createAndJoin",
            {"roomTag": ["a"]},
            bad_body("roomTag is no field of this call; did you mean roomTags?"),
        ),
        ("PUT", "/rooms/r", {"Status": 0}, bad_body("Status is no field of this call; did you mean status?")),
        ("POST", "/rooms", {"id": "n"}, bad_body("id is no field of this call; did you mean _id?")),
        (
            "POST",
            "/rooms",
            {"_id": "n", "invitees": ["bo"]},
            bad_body("invitees is no field of this call; did you mean members?"),
        ),
        (
            "POST",
            "/rooms",
            {"_id": "n", "invitee": "bo"},
            bad_body("invitee is no field of this call; did you mean members?"),
        ),
        ("POST", "/rooms/createAndJoin", {"id": "n"}, bad_body("id is no field of this call; did you mean _id?")),
        (
            "POST",
            "/rooms/createAndJoin",
            {"invitees": ["bo"]},
            bad_body("invitees is no field of this call; did you mean invitee?"),
        ),
        (
            "POST",
            "/rooms/r/members",
            {"invitees": ["cy"], "invitationrequired": True},
            bad_body("invitationrequired is no field of this call; did you mean invitationRequired?"),
        ),
        (
            "POST",
            "/rooms/r/members/cy",
            {"invitation_required": True},
            bad_body("invitation_required is no field of this call; did you mean invitationRequired?"),
        ),
        (
            "POST",
            "/rooms/r/join",
            {"SystemMessage": True},
            bad_body("SystemMessage is no field of this call; did you mean systemMessage?"),
        ),
        (
            "POST",
            "/rooms/r/delete/members",
            {"members": ["bo"], "system_message": True},
            bad_body("system_message is no field of this call; did you mean systemMessage?"),
        ),
        (
            "PUT",
            "/admin/clients/al/token",
            {"token": "0123456789abcdef", "expirationdate": "2030-01-01"},
            refusal(
                400,
                "Bad Request",
                "INVALID_REQUEST",
                "expirationdate is no field of this call; did you mean expirationDate?",
            ),
        ),
        ("POST", "/messages", {**POST, "id": "m9"}, bad_body("id is no field of this call; did you mean _id?")),
        (
            "POST",
            "/messages",
            {**POST, "messageTimeMs": 1},
            bad_body("messageTimeMs is no field of this call; did you mean messageTimeMS?"),
        ),
        (
            "POST",
            "/messages",
            {**POST, "messagetime": "x"},
            bad_body("messagetime is no field of this call; did you mean messageTime?"),
        ),
        (
            "POST",
            "/messages",
            {**POST, "Notify": False},
            bad_body("Notify is no field of this call; did you mean notify?"),
        ),
        (
            "POST",
            "/messages",
            {**POST, "move_cursor": False},
            bad_body("move_cursor is no field of this call; did you mean moveCursor?"),
        ),
        (
            "POST",
            "/rooms/r/message",
            {"Countable": False},
            bad_body("Countable is no field of this call; did you mean countable?"),
        ),
        (
            "POST",
            "/messages/batch",
            {"messages": [POST], "paras": [POST]},
            bad_body("Give messages or paras, and not both"),
        ),
        (
            "POST",
            "/admin/clients",
            {"_id": "n", "issueaccesstoken": True},
            refusal(
                400,
                "Bad Request",
                "INVALID_REQUEST",
                "issueaccesstoken is no field of this call; did you mean issueAccessToken?",
            ),
        ),
    ],
)
async def test_a_field_of_another_name_is_not_passed_over_where_it_would_change_what_is_done(
    al: Imkit, method: str, path: str, body: object, expected: bytes
) -> None:
    before = await al.everything()
    assert await refused(al, await al.as_backend(method, path, body, user="al"), before) == expected


async def test_fields_of_ones_own_are_kept_whatever_they_are_like(imkit: Imkit) -> None:
    """Fields that are not a misspelt required field are kept."""
    own = {"tags": ["a"], "Unread": 1, "memberCount": 3, "token2": "x", "lastReads": 1, "roomTagged": True}
    assert result(await imkit.as_backend("POST", "/rooms", {"_id": "r", **own})).items() >= own.items()
    assert result(await imkit.as_backend("POST", "/admin/clients", {"_id": "al", **own})).items() >= own.items()


async def test_very_many_fields_of_other_names_are_not_all_compared(al: Imkit) -> None:
    names = [f"x{number}" for number in range(3_000)]
    answer = await al.as_user("al", *READ, dict.fromkeys([*names, "messageId"], 1))
    assert answer.content == missing("message is required")
