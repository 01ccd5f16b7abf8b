"""Users of the Rocket.Chat dialect in short calls."""

import re
from typing import Any

import httpx

from tests.support.imkit import Imkit

PATH = "/api/v1"

_VARIES = (
    (re.compile(r'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"'), '"ISO"'),
    (re.compile(r'"eyJ[\w-]+\.[\w-]+\.[\w-]+"'), '"JWT"'),
)


class Rocketchat:
    """A running service. Rooms, users and messages come from its backend, over IMKit."""

    def __init__(self, backend: Imkit) -> None:
        self.backend = backend
        self.client = backend.client

    async def headers(self, user: str) -> dict[str, str]:
        """The two headers of `user`, who is created when first used."""
        token = self.backend.tokens.get(user) or await self.backend.sign_in(user)
        return {"X-Auth-Token": token, "X-User-Id": user}

    async def get(self, user: str, call: str, **query: Any) -> httpx.Response:
        """GET a call as `user`."""
        return await self.client.get(f"{PATH}/{call}", params=query, headers=await self.headers(user))

    async def post(self, user: str, call: str, body: Any) -> httpx.Response:
        """POST to a call as `user`; bytes are sent as they are."""
        content: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {"json": body}
        return await self.client.post(f"{PATH}/{call}", headers=await self.headers(user), **content)

    async def read(self, user: str, room: str) -> None:
        """`user` reads the whole room."""
        assert (await self.post(user, "subscriptions.read", {"rid": room})).status_code == 200

    async def subscription(self, user: str, room: str) -> dict[str, Any]:
        """The room as `user` sees it."""
        answer = await self.get(user, "subscriptions.getOne", roomId=room)
        found: dict[str, Any] = answer.json()["subscription"]
        return found

    async def readers(self, user: str, message: str, **query: Any) -> list[str]:
        """The readers of a message, in the order of the answer."""
        answer = await self.get(user, "chat.getMessageReadReceipts", messageId=message, **query)
        assert answer.status_code == 200, answer.text
        return [receipt["userId"] for receipt in answer.json()["receipts"]]


def seen(answer: httpx.Response) -> str:
    """Status and body of an answer, without what differs from run to run."""
    text = answer.text
    for pattern, name in _VARIES:
        text = pattern.sub(name, text)
    return f"{answer.status_code} {text}"


def failed(error: str, code: str = "", details: str = "", status: int = 400) -> str:
    """An error as `seen` has it."""
    error_type = f',"errorType":"{code}"' if code else ""
    return f'{status} {{"success":false,"error":"{error}"{error_type}{details}}}'


def coded(code: str, reason: str, method: str = "") -> str:
    """An error whose code stands in brackets behind its text, too."""
    return failed(f"{reason} [{code}]", code, f',"details":{{"method":"{method}"}}' if method else "")
