"""A running service as backends and devices see it: HTTP calls, and Socket.IO clients."""

import base64
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import aiohttp
import httpx
import socketio

from tests.support.processes import ServiceProcess
from tests.support.waiting import wait_until

EVENTS = ("chat message", "lastRead", "room", "messageDeleted", "badge", "sync")
API_KEY = "the-backend-of-the-tests"
CLIENT_KEY = "the-clients-of-the-tests"
QUIET_S = 0.3  # an event that has not arrived after this time does not come


def fresh(name: str) -> str:
    """The id of a room or user that no other test uses."""
    return f"{name}-{secrets.token_hex(4)}"


class Backend:
    """Calls of the chat product's backend and of its users."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.AsyncClient(base_url=url, timeout=20)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def call(self, method: str, path: str, body: object = None, *, token: str = "") -> dict[str, Any]:
        """The answer to a call: of a user with `token`, else of the backend."""
        headers = {"IM-CLIENT-KEY": CLIENT_KEY, "IM-Authorization": token} if token else {"IM-API-KEY": API_KEY}
        answer = await self._http.request(method, path, json=body, headers=headers)
        return dict(answer.json())

    async def token(self, user: str) -> str:
        """A new token. The user is created if necessary."""
        answer = await self.call(
            "POST", "/admin/clients", {"_id": user, "nickname": f"né {user}", "issueAccessToken": True}
        )
        return str(answer["result"]["token"])

    async def room(self, room: str, *members: str) -> str:
        await self.call("POST", "/rooms/", {"_id": room, "members": members})
        return room

    async def add(self, room: str, *members: str) -> None:
        await self.call("POST", f"/rooms/{room}/members", {"invitees": members})

    async def remove(self, room: str, *members: str) -> None:
        await self.call("POST", f"/rooms/{room}/delete/members", {"members": members})

    async def post(self, room: str, sender: str, text: str = "hello") -> str:
        answer = await self.call(
            "POST", "/messages", {"room": room, "sender": sender, "message": text, "messageType": "text"}
        )
        return str(answer["result"]["_id"])

    async def batch(self, room: str, sender: str, count: int) -> list[str]:
        """The ids of `count` messages that `sender` posts in one call, after joining."""
        await self.add(room, sender)
        posts = [{"room": room, "sender": sender, "message": "hello", "messageType": "text"} for _ in range(count)]
        answer = await self.call("POST", "/messages/batch", {"messages": posts})
        return [str(one["result"]["_id"]) for one in answer["result"]["results"]]

    async def read(self, token: str, room: str, message: str) -> dict[str, Any]:
        return await self.call("PUT", f"/rooms/{room}/lastRead", {"message": message}, token=token)


class _ReadAtOnce(aiohttp.ClientResponse):
    """Reads each body. The client only looks at the status of some, and would leave them unread."""

    async def start(self, connection: Any) -> Self:
        await super().start(connection)
        if self.status != 101:
            await self.read()
        return self


class Device:
    """One Socket.IO client (PyPI's), and the events that it received, decoded, in order."""

    def __init__(self, backend: Backend, *, encoding: str = "") -> None:
        self._url = backend.url
        self.encoding = encoding
        self.received: list[tuple[str, Any]] = []
        self.only_strings = True  # all payloads so far were strings
        self._http = aiohttp.ClientSession(response_class=_ReadAtOnce)
        self.client = socketio.AsyncClient(reconnection=False, http_session=self._http)
        for event in EVENTS:
            self.client.on(event, self._handler(event))

    def _handler(self, event: str) -> Any:
        def receive(payload: Any) -> None:
            self.only_strings = self.only_strings and isinstance(payload, str)
            self.received.append((event, self.decode(payload)))

        return receive

    def decode(self, payload: Any) -> Any:
        if isinstance(payload, str):
            return json.loads(base64.b64decode(payload, validate=True).decode("ascii"))
        return payload

    async def connect(
        self,
        *,
        transports: tuple[str, ...] = ("websocket",),
        headers: dict[str, str] | None = None,
        auth: dict[str, Any] | None = None,
    ) -> Self:
        await self.client.connect(self._url, transports=list(transports), headers=headers or {}, auth=auth)
        if self.encoding:
            assert (await self.call("conf", {"encoding": self.encoding}))["RC"] == 0
        return self

    async def authenticate(self, token: str, event: str = "auth2") -> dict[str, Any]:
        return dict(await self.call(event, (token, {"IM-CLIENT-KEY": CLIENT_KEY})))

    async def call(self, event: str, content: Any = None) -> Any:
        """Send an event and wait for the ack."""
        return self.decode(await self.client.call(event, content, timeout=10))

    def payloads(self, event: str, room: str = "") -> list[Any]:
        """The payloads of one event, of one room if named."""
        payloads = [payload for name, payload in self.received if name == event]
        return [
            payload
            for payload in payloads
            if room in ("", payload.get("roomID"), payload.get("room"), payload.get("_id"))
        ]

    async def wait_for(self, event: str, count: int = 1, room: str = "") -> list[Any]:
        """The payloads of an event, once there are `count`."""

        async def enough() -> bool:
            return len(self.payloads(event, room)) >= count

        await wait_until(enough, f"{count} x {event} (received: {[name for name, _ in self.received]})")
        return self.payloads(event, room)

    async def wait_for_payload(self, event: str, payload: Any) -> None:
        """Wait for an event with exactly this payload."""

        async def arrived() -> bool:
            return (event, payload) in self.received

        await wait_until(arrived, f"{event} {payload} (received: {self.payloads(event)[-3:]})")

    async def wait_until_closed(self, timeout_s: float = 10.0) -> None:
        async def closed() -> bool:
            return not self.client.connected and self.client.eio.state == "disconnected"

        await wait_until(closed, "the service to close the connection", timeout_s=timeout_s)

    async def close(self) -> None:
        await self.client.shutdown()
        await self._http.close()


@asynccontextmanager
async def device(backend: Backend, user: str = "", *, encoding: str = "", **connection: Any) -> AsyncIterator[Device]:
    """A connected device; with `user`, an authenticated one."""
    made = Device(backend, encoding=encoding)
    try:
        await made.connect(**connection)
        if user:
            assert await made.authenticate(await backend.token(user)) == {
                "RC": 0,
                "RM": "OK",
                "result": {"client": user},
            }
        yield made
    finally:
        await made.close()


def faults(process: ServiceProcess) -> list[str]:
    """Lines of the service's log about faults."""
    return [
        line for line in process.logged if '"level": "error"' in line or "Traceback" in line or '"traceback"' in line
    ]


async def reached(things: list[Any], count: int) -> bool:
    """Whether there are `count` things by now."""
    return len(things) >= count
