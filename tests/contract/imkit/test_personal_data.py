"""What is stored of a user, listed, shown, exported, erased and proved by a backend, in pages."""

import asyncio
import base64
import logging
import re
from typing import Any

import msgspec
import pytest

from readstate.domain.direct import direct_room
from readstate.settings import Settings
from readstate.store import people, person, remnants
from readstate.store.key_scan import KeyScan
from tests.support.imkit import API_KEY, Imkit, result

PERSON = "/admin/people/ann"


@pytest.fixture
def settings(settings: Settings, plan_url: str) -> Settings:
    """On one server and on a cluster."""
    return msgspec.structs.replace(settings, redis_url=plan_url)


@pytest.fixture
async def ann(imkit: Imkit, monkeypatch: pytest.MonkeyPatch) -> Imkit:
    """Ann is in two rooms, one of which is named after her and ben. A page has little."""
    monkeypatch.setattr(KeyScan, "AT_ONCE", 4)
    monkeypatch.setattr(person, "_LINES_A_PAGE", 3)
    monkeypatch.setattr(people, "_KEYS_A_PAGE", 8)
    monkeypatch.setattr(remnants, "_LOOKED_AT_A_PAGE", 8)
    for user in ("ann", "ben"):
        await imkit.sign_in(user)
    await imkit.room("garden", "ann", "ben")
    await imkit.room(direct_room("ann", "ben"), "ann", "ben", tags=("direct",))
    for number in range(8):
        await imkit.post("garden", "ann" if number % 2 else "ben", f"m{number}")
    await imkit.post(direct_room("ann", "ben"), "ann", "n0")
    return imkit


async def pages(imkit: Imkit, path: str, method: str = "GET", **query: str) -> list[dict[str, Any]]:
    """All pages. Each is asked for twice: that changes nothing."""
    found: list[dict[str, Any]] = []
    while not found or found[-1]["next"] is not None:
        await imkit.as_backend(method, path, params=query)
        found.append(result(await imkit.as_backend(method, path, params=query)))
        query["page"] = found[-1]["next"]
    return found


async def listed(imkit: Imkit, path: str) -> list[Any]:
    return [one for page in await pages(imkit, path) for one in page["data"]]


async def test_users_are_listed(ann: Imkit) -> None:
    found = await listed(ann, "/admin/people")
    assert {"ann", "ben"} <= set(found)


async def test_a_user_is_shown(ann: Imkit) -> None:
    lines = result(await ann.as_backend("GET", PERSON))["data"]
    assert [line["type"] for line in lines] == ["user", "token", "copy", "copy"]
    assert lines[0]["profile"] == {"nickname": "Ann"}
    assert ann.tokens["ann"] not in repr(lines)
    assert "ben" not in [line.get("user") for line in lines]


async def test_the_pages_of_an_export_are_one_file(ann: Imkit) -> None:
    """A long room is on several pages, none of which says more than a page may."""
    found = await pages(ann, f"{PERSON}/export")
    lines = [line for page in found for line in page["data"]]
    in_garden = lines[lines.index(next(one for one in lines if one.get("room") == "garden" and "created_ms" in one)) :]
    in_garden = in_garden[: [one["type"] for one in in_garden].index("end") + 1]
    assert [line["type"] for line in in_garden] == ["room", *["message"] * 4, "member", "end"]
    assert [line["id"] for line in in_garden[1:5]] == ["m1", "m3", "m5", "m7"]
    assert len([page for page in found if any(line["type"] == "message" for line in page["data"])]) >= 3
    assert '"ben"' not in msgspec.json.encode([line for line in lines if line["type"] != "copy"]).decode()


async def test_an_erased_user_leaves_no_trace(ann: Imkit, caplog: pytest.LogCaptureFixture) -> None:
    """Parts may be done twice. Others see as much as before, and the log says who did it."""
    caplog.set_level(logging.INFO, "readstate.admin")
    assert await listed(ann, f"{PERSON}/traces")
    receipts = "/rooms/garden/messages/m7/receipts?filter=unread"
    before = result(await ann.as_backend("GET", receipts))
    found = await pages(ann, PERSON, "DELETE", name="former-member")
    assert len(found) > 1
    name = found[0]["name"]
    assert re.fullmatch("former-member-[0-9a-f]{16}", name)
    assert {(page["client"], page["name"]) for page in found} == {("ann", name)}
    assert await listed(ann, f"{PERSON}/traces") == []
    assert "ann" not in await listed(ann, "/admin/people")
    assert (await ann.as_backend("GET", PERSON)).status_code == 404
    after = result(await ann.as_backend("GET", receipts))
    assert after == before | {"sender": name}
    assert await ann.services.audit.audit_all(app="default") == []
    told = [vars(record) for record in caplog.records if record.name == "readstate.admin"]
    assert told[0]["msg"] == "an erasure of a user has begun"
    assert told[-1]["msg"] == "a user was erased"
    assert {(one["app"], one["user"], len(one["api_key_sha256"])) for one in told} == {("default", "ann", 12)}
    assert API_KEY not in repr(told)


async def test_a_part_that_comes_again_after_the_erasure_has_the_same_name_and_leaves_no_trace(ann: Imkit) -> None:
    found = await pages(ann, PERSON, "DELETE", name="former-member")
    late = [page["next"] for page in found if page["next"]]
    assert late
    for token in late:
        again = result(await ann.as_backend("DELETE", PERSON, params={"page": token}))
        assert again["name"] == found[0]["name"]
        assert await listed(ann, f"{PERSON}/traces") == []


@pytest.mark.parametrize(
    "name", ["bob", *(f"{of}-0123456789abcdef" for of in ("ann", "a\x1fb", "", "🙂" * 30))], ids=range(5)
)
async def test_a_page_with_another_name_than_erasures_have_is_refused(ann: Imkit, name: str) -> None:
    """It would come into rooms."""
    page = result(await ann.as_backend("DELETE", PERSON, params={"name": "former-member"}))["next"]
    of, (place, _) = msgspec.msgpack.decode(base64.urlsafe_b64decode(page + "=="))
    forged = base64.urlsafe_b64encode(msgspec.msgpack.encode([of, [place, name]])).decode()
    old = base64.urlsafe_b64encode(msgspec.msgpack.encode([of, place])).decode()
    for token in (forged, old):
        answer = await ann.as_backend("DELETE", PERSON, params={"page": token})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INVALID_QUERY")


async def test_a_part_of_an_ended_erasure_uses_the_name_of_the_one_that_is_under_way(ann: Imkit) -> None:
    """Of a user who came back meanwhile. The name is the same in all rooms."""
    late = (await pages(ann, PERSON, "DELETE", name="first"))[0]["next"]
    await ann.room("garden", "ann", "ben")
    name = result(await ann.as_backend("DELETE", PERSON, params={"name": "second"}))["name"]
    assert name.startswith("second-")
    assert result(await ann.as_backend("DELETE", PERSON, params={"page": late}))["name"] == name


async def test_several_are_erased_under_one_name_and_counted_each(imkit: Imkit) -> None:
    """Also under the name of a member."""
    await imkit.sign_in("eve")
    await imkit.room("garden", "ann", "ben", "cat", "dan", "eve")
    await imkit.post("garden", "eve", "m1")
    for user in ("ann", "ben", "dan"):
        await imkit.as_backend("PUT", "/rooms/garden/lastRead", {"message": "m1"}, user=user)
    receipts = "/rooms/garden/messages/m1/receipts?filter=read"
    before = result(await imkit.as_backend("GET", receipts))
    for user, name in (("ann", "dan"), ("ben", "dan"), ("cat", "gone"), ("eve", "gone")):
        await pages(imkit, f"/admin/people/{user}", "DELETE", name=name)
    after = result(await imkit.as_backend("GET", receipts))
    assert (before["readCount"], after["readCount"], after["leftCount"]) == (3, 1, 2)
    assert [one["client"] for one in after["data"] if not one.get("left")] == ["dan"]
    assert await imkit.services.audit.audit_all(app="default") == []


async def test_a_page_is_of_one_call_and_one_user(ann: Imkit) -> None:
    """With the page of another one a part would be passed over."""
    calls = [("GET", "/admin/people"), ("GET", f"{PERSON}/export"), ("GET", f"{PERSON}/traces"), ("DELETE", PERSON)]
    calls += [(method, path.replace("ann", "ben")) for method, path in calls[1:]]
    for method, path in calls:
        page = result(await ann.as_backend(method, path))["next"]
        assert page
        for other in calls:
            if other != (method, path):
                answer = await ann.as_backend(*other, params={"page": page})
                assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INVALID_QUERY"), other


async def test_a_user_is_erased_by_several_at_once(imkit: Imkit) -> None:
    """One begins while another ends."""

    async def erase() -> None:
        for _ in range(15):
            assert result(await imkit.as_backend("DELETE", PERSON))["name"].startswith("erased-")

    await imkit.sign_in("ann")
    await imkit.room("garden", "ann")
    await asyncio.gather(*(erase() for _ in range(4)))
    assert await listed(imkit, f"{PERSON}/traces") == []


@pytest.mark.parametrize(
    ("method", "path", "said"),
    [
        ("GET", "/admin/people?page=x", "page must be empty or the `next` of an answer before"),
        ("GET", f"{PERSON}/export?page=kgA", "page must be empty or the `next` of an answer before"),
        ("GET", f"{PERSON}/traces?pages=x", "pages is no parameter of this call; did you mean page?"),
        ("DELETE", f"{PERSON}?name=ann", "another name must stand in for the user's"),
        ("DELETE", f"{PERSON}?name=%00", "name must not contain control characters"),
        ("DELETE", f"{PERSON}?name=%ff", "name must be UTF-8"),
        ("DELETE", f"{PERSON}?name={'a' * 112}", "name must have 1 to 111 bytes"),
        *(
            (method, f"/admin/people/{'a' * 256}{more}", "client must have 1 to 128 bytes")
            for method, more in (("GET", ""), ("GET", "/export"), ("GET", "/traces"), ("DELETE", ""))
        ),
    ],
)
async def test_what_is_wrong_is_refused(ann: Imkit, method: str, path: str, said: str) -> None:
    answer = await ann.as_backend(method, path)
    assert (answer.status_code, answer.json()["error"]) == (400, {"code": "INVALID_QUERY", "message": said})
