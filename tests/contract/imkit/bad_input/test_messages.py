"""Bodies about messages that are refused, alone and in a batch."""

import pytest

from readstate.domain.limits import MAX_BATCH_BODY_BYTES, MAX_BODY_BYTES, MAX_NESTING
from tests.contract.imkit.bad_input.refusals import NO_ROOM, NOT_THEN, bad_body, refused, too_large
from tests.support.imkit import Imkit, refusal, result


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", bad_body("A JSON body is required")),
        (b"[]", bad_body("Expected `object`, got `array`")),
        (b"{}", refusal(400, "Bad Request", "MISSING_PARAMETER", "room is required")),
        (b'{"room":"r"}', refusal(400, "Bad Request", "MISSING_PARAMETER", "sender is required")),
        (b'{"room":"r","sender":""}', bad_body("Expected `str` of length >= 1 - at `$.sender`")),
        (b'{"room":"r","sender":5}', bad_body("Expected `str | null`, got `int` - at `$.sender`")),
        (
            b'{"room":"r","sender":"al","countable":"false"}',
            bad_body("Expected `bool | null`, got `str` - at `$.countable`"),
        ),
        (b'{"room":"r","sender":"al","countable":1}', bad_body("Expected `bool | null`, got `int` - at `$.countable`")),
        (b'{"room":"r","sender":"' + b"x" * 129 + b'"}', bad_body("sender must have 1 to 128 bytes")),
        (b'{"room":"r","sender":"a\\u0000"}', bad_body("sender must not contain control characters")),
        (b'{"room":"r","sender":"al","_id":""}', bad_body("_id must have 1 to 128 bytes")),
        (b'{"room":"r","sender":"al","_id":"_all"}', bad_body("_id must not be _all")),
        (b'{"room":"r","sender":"al","_id":"_before"}', bad_body("_id must not be _before")),
        (b'{"room":"r","sender":"al","messageTime":"yesterday"}', bad_body("messageTime must be an ISO-8601 time")),
        (
            b'{"room":"r","sender":"al","messageTime":1}',
            bad_body("Expected `str | null`, got `int` - at `$.messageTime`"),
        ),
        (
            b'{"room":"r","sender":"al","messageTimeMS":"1"}',
            bad_body("Expected `int | null`, got `str` - at `$.messageTimeMS`"),
        ),
        (b'{"room":"r","sender":"al","messageTimeMS":0}', bad_body(f"messageTimeMS {NOT_THEN}")),
        (b'{"room":"r","sender":"al","createdAtMS":-1}', bad_body(f"createdAtMS {NOT_THEN}")),
        (b'{"room":"r","sender":"al","messageTimeMS":1772355600}', bad_body(f"messageTimeMS {NOT_THEN}")),  # seconds
        (
            b'{"room":"r","sender":"al","messageTime":"1970-01-02"}',
            bad_body("messageTime must be a time, after 1973 and no more than a day ahead"),
        ),
        (
            b'{"room":"r","sender":"al","messageTime":"2020-01-01","messageTimeMS":5}',
            bad_body("messageTime and messageTimeMS must be the same time; one of them is enough"),
        ),
        (b'{"room":"r","sender":"al","notify":0}', bad_body("Expected `bool | null`, got `int` - at `$.notify`")),
        (b'{"room":"r","sender":"al","_id":"a\\u0000b"}', bad_body("_id must not contain control characters")),
        (b'{"room":"r\\u0000","sender":"al"}', bad_body("room must not contain control characters")),
        (b'{"room":"r","sender":"al","message":"\xc3\x28"}', bad_body("The body must be UTF-8")),
        (
            b'{"room":"r","sender":"al","messageType":"recall"}',
            refusal(400, "Bad Request", "MISSING_PARAMETER", "_id is required"),
        ),
        (b'{"room":"r","sender":"al","message":' + b"[" * 60_000, bad_body("The body is nested too deeply")),
        (b'{"room":"none","sender":"al"}', NO_ROOM),
        (b'{"room":"r","sender":"al","message":"' + b"x" * MAX_BODY_BYTES + b'"}', too_large(MAX_BODY_BYTES)),
        (b"[" * 100_000, too_large(MAX_BODY_BYTES)),
        (b"x" * 10_000_000, too_large(MAX_BODY_BYTES)),
    ],
)
async def test_bad_messages(al: Imkit, body: bytes, expected: bytes) -> None:
    before = await al.everything()
    assert await refused(al, await al.as_backend("POST", "/messages", body), before) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{}", refusal(400, "Bad Request", "MISSING_PARAMETER", "messages is required")),
        (b'{"messages":null}', refusal(400, "Bad Request", "MISSING_PARAMETER", "messages is required")),
        (b'{"messages":[],"paras":[]}', bad_body("Give messages or paras, and not both")),
        (b'{"messages":{}}', bad_body("Expected `array | null`, got `object` - at `$.messages`")),
        (
            b'{"messages":[' + b",".join([b"{}"] * 501) + b"]}",
            bad_body("Expected `array` of length <= 500 - at `$.messages`"),
        ),
        (b'{"messages":' + b"[" * 100_000, bad_body("The body is nested too deeply")),
        (b'{"messages":["' + b"x" * MAX_BATCH_BODY_BYTES + b'"]}', too_large(MAX_BATCH_BODY_BYTES)),
    ],
)
async def test_bad_batches(al: Imkit, body: bytes, expected: bytes) -> None:
    before = await al.everything()
    assert await refused(al, await al.as_backend("POST", "/messages/batch", body), before) == expected


async def test_a_bad_item_of_a_batch_harms_no_other(al: Imkit) -> None:
    deep = b'{"room":"r","sender":"bo","message":' + b"[" * 900 + b"]" * 900 + b"}"
    items = [
        b'{"room":"r","sender":"bo"}',
        b'{"room":"r","sender":"bo","x":"\xff"}',
        b"7",
        deep,
        b'{"room":"r","sender":"bo","_id":""}',
    ]
    large = b'{"room":"r","sender":"bo","message":"' + b"x" * MAX_BODY_BYTES + b'"}'
    answer = await al.as_backend(
        "POST", "/messages/batch", b'{"messages":[' + b",".join([*items, large, items[0]]) + b"]}"
    )
    assert [(one["RC"], one.get("error", {}).get("message")) for one in result(answer)["results"]] == [
        (0, None),
        (400, "The body must be UTF-8"),
        (400, "Expected `object`, got `int`"),
        (400, f"The body must not be nested more than {MAX_NESTING} levels deep"),
        (400, "_id must have 1 to 128 bytes"),
        (400, "a message must have at most 65536 bytes"),
        (0, None),
    ]
    assert await al.badge("al") == 3
