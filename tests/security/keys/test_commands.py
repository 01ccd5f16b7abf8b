"""The commands for keys and tokens, on a running service."""

import asyncio
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.security.keys.calls import FOR_LONG, WITHIN_S
from tests.support import devices
from tests.support.devices import Backend, device, faults
from tests.support.processes import ServiceProcess, own_service, run_command
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def live() -> Iterator[ServiceProcess]:
    """Two workers, on an embedded server."""
    keys = {"api_key": devices.API_KEY, "client_key": devices.CLIENT_KEY}
    with own_service(workers=2, **keys) as process:
        yield process
        assert faults(process) == []


async def readstate(live: ServiceProcess, *arguments: str) -> tuple[int, str]:
    """Exit code and what the command says."""
    run = await asyncio.to_thread(run_command, *arguments, settings={"data_dir": live.data_dir})
    return run.returncode, run.stderr + run.stdout


@pytest.mark.parametrize("whose", [("--app", "default"), ("--app", "default", "--user", "ann")])
async def test_the_command_ends_tokens_and_sockets_within_five_seconds(
    live: ServiceProcess, whose: tuple[str, ...]
) -> None:
    """Issued and bound tokens, on both workers; with a user only that user's.

    Tokens that are issued afterwards are good.
    """
    async with Backend(live.url) as backend:
        tokens = {user: [await backend.token(user), f"the-custom-token-of-{user}"] for user in ("ann", "ben")}
        for user, (_, custom) in tokens.items():
            await backend.call("PUT", f"/admin/clients/{user}/token", {"token": custom, **FOR_LONG})
        async with device(backend) as issued, device(backend) as bound, device(backend) as other:
            for phone, token in ((issued, tokens["ann"][0]), (bound, tokens["ann"][1]), (other, tokens["ben"][0])):
                assert (await phone.authenticate(token))["RC"] == 0
            code, said = await readstate(live, "tokens", "end", *whose)
            ended_at = time.monotonic()
            assert code == 0
            assert "within 5 seconds" in said
            ended = tokens["ann"] if "--user" in whose else tokens["ann"] + tokens["ben"]

            async def all_ended() -> bool:
                return {code for token in ended for code in await codes(live, token)} == {401}

            await wait_until(all_ended, "the tokens to end on both workers", timeout_s=WITHIN_S)
            for phone in (issued, bound) if "--user" in whose else (issued, bound, other):
                await phone.wait_until_closed(WITHIN_S)
            assert time.monotonic() - ended_at < WITHIN_S
            if "--user" in whose:
                assert other.client.connected
                assert {code for token in tokens["ben"] for code in await codes(live, token)} == {200}
        await asyncio.sleep(ended_at + WITHIN_S - time.monotonic())
        assert set(await codes(live, await backend.token("ann"))) == {200}


async def codes(live: ServiceProcess, token: str) -> list[int]:
    """The answers to calls with a token, over new connections, so that both workers are asked."""
    headers = {"IM-CLIENT-KEY": devices.CLIENT_KEY, "IM-Authorization": token, "Connection": "close"}
    async with httpx.AsyncClient(base_url=live.url) as client:
        answers = await asyncio.gather(*(client.get("/me/badge", headers=headers) for _ in range(8)))
    return [answer.status_code for answer in answers]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("tokens", "end", "--app", "nobody"), "there is no app nobody"),
        (("tokens", "end", "--app", "nobody", "--user", "ann"), "there is no app nobody"),
        (("tokens", "end", "--app", "default", "--user", "stranger"), "there is no user stranger in app default"),
        (("tokens", "end"), "--app"),
        (("apps", "rotate", "default"), "READSTATE_API_KEY"),
        *(
            (("apps", "rotate", "acme", "--keep-old-for", odd), "1m to 90d")
            for odd in ("0m", "24", "1w", "91d", "1.5h", "1h30m", "9999999d", "")
        ),
    ],
)
async def test_what_cannot_be_ended_or_rotated_is_refused(
    live: ServiceProcess, arguments: tuple[str, ...], says: str
) -> None:
    code, said = await readstate(live, *arguments)
    assert code == 2
    assert says in said
    assert "Traceback" not in said


async def test_the_commands_of_apps_take_what_they_say(live: ServiceProcess) -> None:
    """A key that is kept works, and a name that was used is taken only with its data."""
    async with Backend(live.url) as backend:
        keys = [(await readstate(live, "apps", "add", "acme"))[1].split()[-1]]
        code, said = await readstate(live, "apps", "rotate", "acme", "--keep-old-for", "30m")
        assert code == 0
        keys.append(said.split()[-1])

        async def both_work() -> bool:
            return {await status(backend, key) for key in keys for _ in range(8)} == {200}

        await wait_until(both_work, "both keys to be taken by both workers")
        assert (await readstate(live, "apps", "remove", "acme"))[0] == 0
        code, said = await readstate(live, "apps", "add", "acme")
        assert code == 2
        assert "--keep-data" in said
        assert (await readstate(live, "apps", "add", "acme", "--keep-data"))[0] == 0


async def status(backend: Backend, api_key: str) -> int:
    headers = {"IM-API-KEY": api_key, "Connection": "close"}
    answer = await backend._http.post("/admin/clients", json={"_id": "al"}, headers=headers)
    return answer.status_code
