"""How connections end."""

import asyncio
import time
from contextlib import AsyncExitStack
from itertools import pairwise

from tests.support.devices import API_KEY, CLIENT_KEY, Backend, device, faults, fresh, reached
from tests.support.processes import ServiceProcess
from tests.support.servers import Server, short_directory
from tests.support.waiting import wait_until


async def test_a_revoked_token_closes_its_connections_within_five_seconds(backend: Backend) -> None:
    """The user's other devices stay."""
    ann = fresh("ann")
    token = await backend.token(ann)
    async with device(backend, ann) as other, device(backend) as phone:
        await phone.authenticate(token)
        assert (await backend.call("DELETE", f"/admin/clients/{ann}/token", {"token": token}))["RC"] == 0
        revoked_at = time.monotonic()
        await phone.wait_until_closed(5.0)
        assert time.monotonic() - revoked_at < 5
        assert other.client.connected
        await backend.call("DELETE", f"/admin/clients/{ann}/token")
        await other.wait_until_closed(5.0)


async def test_an_expired_token_closes_the_connection(backend: Backend) -> None:
    ann = fresh("ann")
    await backend.token(ann)
    ends_at = time.time() + 2
    ends = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ends_at + 1)) + ".000Z"
    await backend.call(
        "PUT", f"/admin/clients/{ann}/token", {"token": f"custom-token-of-{ann}", "expirationDate": ends}
    )
    async with device(backend) as phone:
        assert (await phone.authenticate(f"custom-token-of-{ann}"))["RC"] == 0
        await asyncio.sleep(0.5)
        assert phone.client.connected
        await phone.wait_until_closed(6.0)
        assert time.time() > ends_at


async def test_a_user_may_have_only_100_connections_on_a_worker(backend: Backend) -> None:
    """A further one is refused; the others stay. There are two workers."""
    ann = fresh("ann")
    token = await backend.token(ann)
    async with AsyncExitStack() as stack:
        refused = 0
        for _ in range(203):
            phone = await stack.enter_async_context(device(backend))
            refused += (await phone.authenticate(token))["RC"] == 429
        assert refused >= 3


async def test_clients_reconnect_after_a_stop_of_the_service() -> None:
    """The code is 1012. After a Socket.IO DISCONNECT clients would not reconnect."""
    with short_directory() as directory:
        process = ServiceProcess(directory / "data", api_key=API_KEY, client_key=CLIENT_KEY)
        with process:
            async with Backend(process.url) as backend, device(backend, "ann") as phone:
                reasons: list[object] = []
                phone.client.on("disconnect", reasons.append)
                stopping = asyncio.create_task(asyncio.to_thread(process.stop, 20.0))
                await phone.wait_until_closed(20.0)
                assert await stopping == 0
                assert reasons == [phone.client.reason.TRANSPORT_ERROR] or reasons == [
                    phone.client.reason.TRANSPORT_CLOSE
                ]
        assert faults(process) == []


async def test_after_an_outage_of_the_store_connections_are_closed_one_by_one() -> None:
    """Clients may have missed notices, and fetch the state when they reconnect. New ones stay."""
    with short_directory() as directory:
        server = Server(directory / "store")
        server.start()
        settings = {"workers": 1, "redis_url": server.url, "api_key": API_KEY, "client_key": CLIENT_KEY}
        with ServiceProcess(directory / "data", **settings) as process:
            async with Backend(process.url) as backend, AsyncExitStack() as stack:
                phones = [await stack.enter_async_context(device(backend, f"user-{number}")) for number in range(5)]
                stranger = await stack.enter_async_context(device(backend))
                ended_at: list[float] = []
                for phone in phones:
                    phone.client.on("disconnect", lambda *_: ended_at.append(time.monotonic()))
                await asyncio.to_thread(server.kill)
                await asyncio.to_thread(server.start)
                await wait_until(lambda: reached(ended_at, 1), "the gap to be noticed", timeout_s=20)
                async with device(backend, "user-0") as back:
                    await wait_until(lambda: reached(ended_at, 5), "all to be sent away", timeout_s=10)
                    pauses = [later - earlier for earlier, later in pairwise(ended_at)]
                    assert all(0.5 <= pause <= 2 for pause in pauses), pauses
                    assert back.client.connected
                    assert stranger.client.connected
                assert "readstate_notice_gaps_total 1.0" in process.get("/metrics")[1].decode()
        assert faults(process) == []
        server.stop()
