"""Long-polling, and what several workers answer instead."""

import pytest
import socketio

from tests.support.devices import API_KEY, CLIENT_KEY, Backend, Device, device, faults
from tests.support.processes import own_service


async def test_long_polling_works_with_one_worker() -> None:
    """Alone, and before an upgrade to a websocket, as in two examples of IMKit's documentation."""
    with own_service(workers=1, api_key=API_KEY, client_key=CLIENT_KEY) as process:
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


async def test_long_polling_is_refused_with_a_reason_by_several_workers(backend: Backend) -> None:
    async with Backend(backend.url) as plain:
        answer = await plain._http.get("/socket.io/?EIO=4&transport=polling")
    assert answer.status_code == 400
    assert "transports: ['websocket']" in answer.text
    phone = Device(backend)
    with pytest.raises(socketio.exceptions.ConnectionError):
        await phone.connect(transports=("polling",))
    await phone.close()


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
