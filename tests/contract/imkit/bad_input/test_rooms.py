"""Bodies about rooms that are refused."""

from typing import Any

import pytest

from tests.contract.imkit.bad_input.refusals import bad_body, escaped, refused
from tests.support.imkit import Imkit


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"_id": ""}, bad_body("_id must have 1 to 128 bytes")),
        ({"_id": "x" * 129}, bad_body("_id must have 1 to 128 bytes")),
        ({"_id": "é" * 65}, bad_body("_id must have 1 to 128 bytes")),
        ({"_id": "a\0b"}, bad_body("_id must not contain control characters")),
        ({"_id": "a\nb"}, bad_body("_id must not contain control characters")),
        ({"_id": 5}, bad_body("Expected `str | null`, got `int` - at `$._id`")),
        (
            {"_id": "n", "members": "al"},
            bad_body(escaped('Expected `array | null`, got `str` - at `$.members`; for one send ["al"]')),
        ),
        ({"_id": "n", "members": [1]}, bad_body("Expected `str`, got `int` - at `$.members[0]`")),
        ({"_id": "n", "members": [""]}, bad_body("members must have 1 to 128 bytes")),
        ({"_id": "n", "members": ["x" * 129]}, bad_body("members must have 1 to 128 bytes")),
        ({"_id": "n", "members": ["a\x7f"]}, bad_body("members must not contain control characters")),
        (
            {"_id": "n", "members": [str(i) for i in range(1001)]},
            bad_body("members must name at most 1000 members; send the rest in further calls"),
        ),
        (
            {"_id": "n", "roomTags": "work"},
            bad_body(escaped('Expected `array | null`, got `str` - at `$.roomTags`; for one send ["work"]')),
        ),
        (
            {"_id": "n", "roomTags": "x" * 100},
            bad_body("Expected `array | null`, got `str` - at `$.roomTags`; send an array, also for one"),
        ),
        ({"_id": "n", "roomTags": [str(i) for i in range(101)]}, bad_body("roomTags must hold at most 100 tags")),
        ({"_id": "n", "roomTags": ["a\0"]}, bad_body("a tag must not contain control characters")),
        ({"_id": "n", "roomTags": [""]}, bad_body("Expected `str` of length >= 1 - at `$.roomTags[0]`")),
        ({"_id": "n", "roomTags": ["x" * 257]}, bad_body("Expected `str` of length <= 256 - at `$.roomTags[0]`")),
        ({"_id": "n", "name": "x" * 4095}, bad_body("name must have at most 4096 bytes as JSON")),
        ({"_id": "n", **{f"f{i}": i for i in range(33)}}, bad_body("at most 32 profile fields may be given")),
        (
            {"_id": "n", "#x": 1},
            bad_body("the name of a profile field must have 1 to 64 printable bytes and no # in front"),
        ),
    ],
)
async def test_bad_rooms(al: Imkit, body: dict[str, Any], expected: bytes) -> None:
    before = await al.everything()
    assert await refused(al, await al.as_backend("POST", "/rooms/", body), before) == expected
    # createAndJoin speaks of people as invitees.
    in_its_words = expected.replace(b"members must", b"invitee must")
    assert await refused(al, await al.as_user("al", "POST", "/rooms/createAndJoin", body), before) == in_its_words


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"status": 2}, "Invalid enum value 2 - at `$.status`; it is one of 0, 1"),
        ({"status": "0"}, "Expected `int | null`, got `str` - at `$.status`"),
        ({"status": True}, "Expected `int | null`, got `bool` - at `$.status`"),
        ({"status": 0, "roomTags": [""]}, "Expected `str` of length >= 1 - at `$.roomTags[0]`"),
        ({"status": 0, "roomTags": [str(i) for i in range(101)]}, "roomTags must hold at most 100 tags"),
        ({"status": 0, "name": "x" * 4095}, "name must have at most 4096 bytes as JSON"),
    ],
)
async def test_bad_changes_of_a_room(al: Imkit, body: dict[str, Any], expected: str) -> None:
    before = await al.everything()
    assert await refused(al, await al.as_user("al", "PUT", "/rooms/r", body), before) == bad_body(expected)
