"""Calls for the tests of keys and tokens."""

from tests.support.imkit import API_KEY, CLIENT_KEY, Imkit, result

WITHIN_S = 5.0


FOR_LONG = {"expirationDate": "2099-01-01T00:00:00Z"}


CUSTOM = "the-custom-token-of-al"


SECRET = "t" * 32


async def heard(imkit: Imkit) -> None:
    """The worker looks at the store now."""
    services = imkit.services
    await services.apps.refresh()
    await services.tokens.refresh_revocations()


async def issued_and_bound(
    imkit: Imkit, api_key: str = API_KEY, *, user: str = "al", custom: str = CUSTOM
) -> list[str]:
    """Both kinds of token for a user."""
    backend = {"IM-API-KEY": api_key}
    issued = result(await imkit.call("POST", "/admin/clients", {"_id": user, "issueAccessToken": True}, backend))[
        "token"
    ]
    result(await imkit.call("POST", "/admin/clients", {"_id": user, "token": custom, **FOR_LONG}, backend))
    return [issued, custom]


async def good(imkit: Imkit, tokens: list[str], client_key: str = CLIENT_KEY) -> list[bool]:
    """Which of the tokens are good. A bad one is answered 401."""
    answers = [
        await imkit.call("GET", "/me/badge", None, {"IM-CLIENT-KEY": client_key, "IM-Authorization": token})
        for token in tokens
    ]
    assert {answer.status_code for answer in answers} <= {200, 401}
    return [answer.status_code == 200 for answer in answers]


async def backend_status(imkit: Imkit, api_key: str) -> int:
    return (await imkit.call("GET", "/me/badge", None, {"IM-API-KEY": api_key, "IM-CLIENT-ID": "al"})).status_code
