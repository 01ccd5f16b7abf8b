"""Users that are refused: as callers, and in bodies about users."""

from typing import Any

import pytest

from tests.contract.imkit.bad_input.refusals import bad_body, refused
from tests.support.imkit import API_KEY, Imkit, refusal, result


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (b"", refusal(400, "Bad Request", "MISSING_PARAMETER", "IM-CLIENT-ID is required with IM-API-KEY")),
        (b"x" * 129, refusal(400, "Bad Request", "INVALID_USER_ID", "IM-CLIENT-ID must have 1 to 128 bytes")),
        (b"%00", refusal(400, "Bad Request", "INVALID_USER_ID", "IM-CLIENT-ID must not contain control characters")),
        (b"%FF", refusal(400, "Bad Request", "INVALID_USER_ID", "IM-CLIENT-ID must be percent-encoded UTF-8")),
        (b"\xff", refusal(400, "Bad Request", "INVALID_USER_ID", "IM-CLIENT-ID must be percent-encoded UTF-8")),
    ],
)
async def test_bad_users_of_the_backend(al: Imkit, given: bytes, expected: bytes) -> None:
    answer = await al.client.get("/me/badge", headers=[(b"IM-API-KEY", API_KEY.encode()), (b"IM-CLIENT-ID", given)])
    assert answer.content == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"_id": ""}, "Expected `str` of length >= 1 - at `$._id`"),
        ({"_id": "x" * 129}, "_id must have 1 to 128 bytes"),
        ({"_id": "a\0"}, "_id must not contain control characters"),
        ({"_id": 7}, "Expected `str`, got `int` - at `$._id`"),
        ({"_id": "n", "nickname": 7}, "Expected `str | null`, got `int` - at `$.nickname`"),
        ({"_id": "n", "issueAccessToken": "yes"}, "Expected `bool | null`, got `str` - at `$.issueAccessToken`"),
        ({"_id": "n", "bio": "x" * 4095}, "bio must have at most 4096 bytes as JSON"),
        ({"_id": "n", **{f"f{i}": i for i in range(33)}}, "at most 32 profile fields may be given"),
        (
            {"_id": "n", "token": "with space", "expirationDate": "2099-01-01"},
            "token must have 16 to 4096 printable ASCII characters without spaces",
        ),
        (
            {"_id": "n", "token": "x" * 15, "expirationDate": "2099-01-01"},
            "token must have 16 to 4096 printable ASCII characters without spaces",
        ),
    ],
)
async def test_bad_users(al: Imkit, body: dict[str, Any], expected: str) -> None:
    before = await al.everything()
    answer = await al.as_backend("POST", "/admin/clients", body)
    assert await refused(al, answer, before) == refusal(400, "Bad Request", "INVALID_REQUEST", expected)


async def test_one_bad_user_of_a_list_refuses_the_list(al: Imkit) -> None:
    before = await al.everything()
    answer = await al.as_backend("POST", "/admin/clients/list", {"data": [{"_id": "good"}, {"_id": "b\0d"}]})
    assert await refused(al, answer, before) == refusal(
        400, "Bad Request", "INVALID_REQUEST", "_id must not contain control characters"
    )


async def test_profiles_do_not_grow_past_their_limit(al: Imkit) -> None:
    """A profile cannot grow in one call, nor in several."""
    await al.as_backend("POST", "/admin/clients", {"_id": "n", **{f"f{i}": i for i in range(20)}})
    await al.as_backend("PUT", "/rooms/r", {f"f{i}": i for i in range(20)})
    before = await al.everything()
    more = {f"g{i}": i for i in range(20)}
    answer = await al.as_backend("POST", "/admin/clients", {"_id": "n", **more})
    assert await refused(al, answer, before) == refusal(
        400, "Bad Request", "INVALID_REQUEST", "a user must have at most 32 profile fields"
    )
    assert await refused(al, await al.as_backend("PUT", "/rooms/r", more), before) == bad_body(
        "a room must have at most 32 profile fields"
    )


async def test_a_list_with_a_user_of_too_many_fields_changes_no_user(al: Imkit) -> None:
    """Existing fields count as well.

    No other user of the list is written either.
    """
    result(await al.as_backend("POST", "/admin/clients", {"_id": "bo", **{f"a{number}": 1 for number in range(20)}}))
    before = await al.everything()
    listed = [
        {"_id": "cy"},
        {"_id": "bo", **{f"b{number}": 1 for number in range(20)}},
        {"_id": "al", "nickname": "Someone"},
    ]
    expected = refusal(400, "Bad Request", "INVALID_REQUEST", "a user must have at most 32 profile fields")
    assert await refused(al, await al.as_backend("POST", "/admin/clients/list", {"data": listed}), before) == expected
