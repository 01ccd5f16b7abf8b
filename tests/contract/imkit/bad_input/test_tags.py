"""Tags in bodies and queries."""

import pytest

from tests.contract.imkit.bad_input.refusals import BAD_ROOM_TAGS, BAD_TAGS, refused
from tests.support.imkit import Imkit, refusal, result


@pytest.mark.parametrize(
    "body",
    [
        b"[]",
        b'"work"',
        b'{"tags":"work"}',
        b'{"tags":[1]}',
        b'{"tags":[null]}',
        b'{"tags":{"a":1}}',
        b'{"tags":[""]}',
        b'{"tags":["\\u0000"]}',
        b'{"tags":["' + b"x" * 257 + b'"]}',
        b'{"tags":[' + b",".join(b'"%d"' % i for i in range(101)) + b"]}",
        b'{"tags":' + b"[" * 60_000,
    ],
)
async def test_bad_tags_in_a_body(al: Imkit, body: bytes) -> None:
    before = await al.everything()
    assert await refused(al, await al.as_user("al", "POST", "/badges/byRoomTags", body), before) == BAD_TAGS


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{", "JSON is malformed: it ends too early"),
        (b'{"tags":[work]}', "JSON is malformed: invalid character (byte 9)"),
        (b'{"tags":["\xff"]}', "The body must be UTF-8"),
        (b'{"roomTags":["work"]}', "roomTags is no field of this call; did you mean tags?"),
        (b'{"tag":"work"}', "tag is no field of this call; did you mean tags?"),
        (b'{"Tags":["work"],"x":1}', "Tags is no field of this call; did you mean tags?"),
        (b'{"limit":1}', "limit is no field of this call; it takes tags"),
    ],
)
async def test_tags_under_another_name_in_a_body(al: Imkit, body: bytes, expected: str) -> None:
    """If they were ignored, the answer would be about every tag."""
    before = await al.everything()
    answer = await al.as_user("al", "POST", "/badges/byRoomTags", body)
    assert await refused(al, answer, before) == refusal(400, "Invalid parameters", "INVALID_TAGS", expected)


@pytest.mark.parametrize(
    "query",
    [
        "roomTags=",
        "roomTags[]=",
        "roomTags=a&roomTags=",
        "roomTags=" + "x" * 257,
        "roomTags=a%00",
        "roomTags=a%0Ab",
        "&".join(f"roomTags={i}" for i in range(101)),
        "&".join(f"roomTags[]={i}" for i in range(51)) + "&" + "&".join(f"roomTags=b{i}" for i in range(50)),
    ],
)
async def test_bad_tags_in_a_query(al: Imkit, query: str) -> None:
    before = await al.everything()
    assert await refused(al, await al.as_user("al", "GET", f"/me/badge?{query}"), before) == BAD_ROOM_TAGS


@pytest.mark.parametrize("value", ["work,eu", "work%2Ceu", "[work]", '["work"]', '["work","eu"]', '"work"', ","])
async def test_several_tags_in_one_parameter_are_no_tag(al: Imkit, value: str) -> None:
    said = (
        "roomTags holds one tag: for several repeat it (roomTags=a&roomTags=b). A tag with a comma or in "
        "brackets is sent as roomTags[]"
    )
    before = await al.everything()
    for query in (f"roomTags={value}", f"roomTags=work&roomTags={value}"):
        answer = await al.as_user("al", "GET", f"/me/badge?{query}")
        assert await refused(al, answer, before) == refusal(400, "Invalid parameters", "INVALID_ROOM_TAGS", said)
    assert result(await al.as_user("al", "GET", f"/me/badge?roomTags[]={value}")) == {"badge": 0}


@pytest.mark.parametrize(
    "tag", ["日本", "\u00e9", "e\u0301", "\U0001f469\u200d\U0001f467", "a b", " a", "A", "null", "[]", "a,b", "x" * 256]
)
async def test_tags_are_exact(al: Imkit, tag: str) -> None:
    """Tags are not trimmed, folded or normalised. A tag that is asked for twice counts once."""
    await al.room("tagged", "al", tags=(tag, tag))
    await al.post("tagged", "bo", "t1")

    async def badge(*tags: str) -> int:
        params = [("roomTags[]", tag) for tag in tags]
        return int(result(await al.as_user("al", "GET", "/me/badge", params=params))["badge"])

    assert await badge(tag, tag) == 1
    assert await badge(tag + "x" if len(tag) < 256 else tag[1:]) == 0
    body = {"tags": [tag, tag]}
    assert result(await al.as_user("al", "POST", "/badges/byRoomTags", body)) == {"totalBadge": 1, "data": {tag: 1}}
