"""Following the read state over a socket: the event `sync`."""

from typing import Any

import pytest

from tests.support.devices import Backend, device, fresh


async def test_sync_answers_what_http_answers(backend: Backend) -> None:
    ann, bob = fresh("ann"), fresh("bob")
    token = await backend.token(ann)
    rooms = [await backend.room(fresh("room"), ann, bob) for _ in range(3)]
    async with device(backend, ann, encoding="base64") as phone:
        first: dict[str, Any] = await phone.client.call("sync", timeout=10)
        assert first == await backend.call("GET", "/me/readState", token=token)
        assert (first["result"]["snapshot"], len(first["result"]["rooms"])) == (True, 3)
        await backend.post(rooms[1], bob)
        since = first["result"]["version"]
        second: dict[str, Any] = await phone.client.call("sync", {"since": since}, timeout=10)
        assert second == await backend.call("GET", f"/me/readState?since={since}", token=token)
        assert [room["_id"] for room in second["result"]["rooms"]] == [rooms[1]]
        page: dict[str, Any] = await phone.client.call("sync", {"limit": 2}, timeout=10)
        assert (page["result"]["more"], len(page["result"]["rooms"])) == (True, 2)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ({"since": "nonsense"}, "INVALID_QUERY"),
        ({"since": 7}, "INVALID_BODY"),
        ({"limit": 0}, "INVALID_BODY"),
        ([], "INVALID_BODY"),
    ],
)
async def test_a_wrong_sync_is_refused(backend: Backend, content: object, code: str) -> None:
    async with device(backend, fresh("ann")) as phone:
        answer = await phone.call("sync", content)
        assert (answer["RC"], answer["error"]["code"]) == (400, code)
