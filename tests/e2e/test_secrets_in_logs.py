"""No secret of a client is in the log, even if everything is logged."""

from tests.support.devices import API_KEY, CLIENT_KEY, Backend, device
from tests.support.processes import own_service

TOKEN = "own-token-of-ann"
WORDS = "what ann says"


async def test_at_debug_no_token_and_no_message_is_logged() -> None:
    """Neither of HTTP nor of sockets: headers, queries, bodies and frames."""
    keys = {"api_key": API_KEY, "client_key": CLIENT_KEY}
    with own_service(log_level="debug", **keys) as process:
        async with Backend(process.url) as backend:
            user = {"_id": "ann", "token": TOKEN, "expirationDate": "2099-01-01"}
            assert (await backend.call("POST", "/admin/clients", user))["RC"] == 0
            await backend.room("garden", "ann")
            async with device(backend, headers={"IM-Authorization": TOKEN, "Cookie": TOKEN}) as phone:
                assert (await phone.authenticate(TOKEN))["RC"] == 0
                assert (await phone.call("chat message", {"room": "garden", "message": WORDS}))["RC"] == 0
                await phone.wait_for("chat message", 1, "garden")
            assert (await backend.call("GET", f"/me?token={TOKEN}", token=TOKEN))["RC"] == 0
            await backend.post("garden", "ann", WORDS)
    log = "".join(process.logged)
    assert '"level": "debug"' in log
    assert [secret for secret in (TOKEN, API_KEY, CLIENT_KEY, WORDS) if secret in log] == []
