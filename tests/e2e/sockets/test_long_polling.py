"""Long-polling, and what several workers answer instead."""

import pytest

from tests.support.devices import API_KEY, CLIENT_KEY, Backend, device, faults
from tests.support.processes import own_service


@pytest.mark.parametrize("workers", [1, 3])
async def test_long_polling_works_with_any_number_of_workers(workers: int) -> None:
    """Alone, and before an upgrade to a websocket, as in two examples of IMKit's documentation."""
    with own_service(workers=workers, api_key=API_KEY, client_key=CLIENT_KEY) as process:
        async with Backend(process.url) as backend:
            async with (
                device(backend, "ann", transports=("polling",)) as polls,
                device(backend, "bob", transports=("polling", "websocket"), encoding="base64") as upgrades,
            ):
                room = await backend.room("room", "ann", "bob")
                message = await backend.post(room, "ann", "né")
                for hearer in (polls, upgrades):
                    await hearer.wait_for("lastRead", 1, room)
                    assert [told["_id"] for told in hearer.payloads("chat message", room)] == [message]
                assert (polls.client.transport(), upgrades.client.transport()) == ("polling", "websocket")
            async with device(backend, transports=("polling",)) as phone:
                assert (await phone.authenticate("nonsense"))["RC"] == 401
                await phone.wait_until_closed()
        assert faults(process) == []


async def test_an_old_engine_is_refused(backend: Backend) -> None:
    """EIO=4 only (ruling R40)."""
    async with Backend(backend.url) as plain:
        headers = {
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version": "13",
        }
        answer = await plain._http.get("/socket.io/?EIO=3&transport=websocket", headers=headers)
    assert answer.status_code == 403
