"""An IMKit backend and its users in short calls."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self
from urllib.parse import quote

import httpx
import pytest
from litestar.types import ASGIApp

from readstate.app import create_app
from readstate.settings import Settings
from readstate.store.connect import connect
from readstate.store.executor import Executor
from readstate.store.keys import Keys
from tests.support.nouns import noun_of

API_KEY = "api-key-of-the-backend"
CLIENT_KEY = "client-key-of-the-app"


class Lifespan:
    """Starts an ASGI application up and shuts it down, as a server does.

    It runs in the loop of the test.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._to_app: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self._from_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        scope: Any = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
        self._task = asyncio.create_task(self._app(scope, self._to_app.get, self._from_app.put))  # type: ignore[arg-type]
        await self._say("startup")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._say("shutdown")
        assert self._task is not None
        await self._task

    async def _say(self, what: str) -> None:
        await self._to_app.put({"type": f"lifespan.{what}"})
        answer = await self._from_app.get()
        if answer["type"] != f"lifespan.{what}.complete":
            raise RuntimeError(answer.get("message", answer["type"]))


class Imkit:
    """A running service.

    `as_user` and `as_backend` make calls; `everything` is all that is stored.
    """

    def __init__(self, service: Any, client: httpx.AsyncClient, executor: Executor) -> None:
        self.service = service
        self.client = client
        self.executor = executor
        self.tokens: dict[str, str] = {}

    @property
    def services(self) -> Any:
        """The services of the handlers, with all that the protocols hide."""
        return self.service.parts.services

    def noun_of(self, operation: str) -> Any:
        """The part of the store that has an operation, for tests in which it waits or fails."""
        return noun_of(self.services, operation)

    def fail(self, monkeypatch: pytest.MonkeyPatch, operation: str, error: Exception) -> None:
        """Have one operation of the store raise `error`."""

        async def failing(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr(self.noun_of(operation), operation, failing)

    @property
    def round_trips(self) -> int:
        """How often the service has asked its store."""
        return int(self.services.directory._executor.round_trips)

    async def as_backend(
        self, method: str, path: str, body: Any = None, *, user: str = "", **more: Any
    ) -> httpx.Response:
        """Call with the API key, in the name of `user` if given."""
        headers = {"IM-API-KEY": API_KEY} | ({"IM-CLIENT-ID": quote(user, safe="")} if user else {})
        return await self.call(method, path, body, headers, **more)

    async def as_user(self, user: str, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        """Call with the client key and a token of `user`, who is created when first used."""
        token = self.tokens.get(user) or await self.sign_in(user)
        return await self.call(method, path, body, {"IM-CLIENT-KEY": CLIENT_KEY, "IM-Authorization": token}, **more)

    async def call(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, **more: Any
    ) -> httpx.Response:
        content: dict[str, Any] = (
            {} if body is None else {"content": body} if isinstance(body, bytes) else {"json": body}
        )
        return await self.client.request(method, path, headers=headers, **content, **more)

    async def sign_in(self, user: str) -> str:
        """A new token for `user`."""
        answer = await self.as_backend(
            "POST", "/admin/clients", {"_id": user, "nickname": user.title(), "issueAccessToken": True}
        )
        self.tokens[user] = result(answer)["token"]
        return self.tokens[user]

    async def room(self, room: str, *members: str, tags: tuple[str, ...] = (), **fields: Any) -> None:
        """Create a room."""
        result(await self.as_backend("POST", "/rooms/", {"_id": room, "members": members, "roomTags": tags, **fields}))

    async def post(self, room: str, sender: str, message: str, **fields: Any) -> None:
        """Post a message under the id `message`."""
        body = {
            "_id": message,
            "room": room,
            "sender": sender,
            "message": f"says {sender}",
            "messageType": "text",
            **fields,
        }
        result(await self.as_backend("POST", "/messages", body))

    async def badge(self, user: str, *tags: str) -> int:
        """The user's unread messages over the rooms with all `tags`."""
        return int(
            result(await self.as_user(user, "GET", "/me/badge", params=[("roomTags", tag) for tag in tags]))["badge"]
        )

    async def everything(self) -> dict[str, bytes]:
        """Every key with its value, to check that nothing was written.

        Left out are the notes that workers write all the time, and that of the layout.
        """
        found = await self.executor.command("KEYS", "*", key="")
        keys = sorted(key for key in found if key != Keys.workers.encode() and not key.startswith(b"{readstate:"))
        held = await asyncio.gather(*(self.executor.command("DUMP", key, key=key.decode()) for key in keys))
        return {key.decode(): value for key, value in zip(keys, held, strict=True)}


def client_of(service: ASGIApp, **more: Any) -> httpx.AsyncClient:
    """A client that calls the service without a network."""
    transport = httpx.ASGITransport(app=service)  # type: ignore[arg-type]  # the same types by other names
    return httpx.AsyncClient(transport=transport, base_url="http://test", **more)


@asynccontextmanager
async def in_process(settings: Settings) -> AsyncIterator[Imkit]:
    """A service with `settings` in the loop of the test."""
    service, executor = create_app(settings), await connect(str(settings.redis_url))
    async with Lifespan(service), client_of(service) as client:
        yield Imkit(service, client, executor)
    await executor.close()


def result(answer: httpx.Response) -> Any:
    """The result of a success."""
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["RC"], body["RM"]) == (0, "OK")
    return body["result"]


def refusal(status: int, rm: str, code: str, message: str) -> bytes:
    """The exact bytes of an error."""
    return f'{{"RC":{status},"RM":"{rm}","error":{{"code":"{code}","message":"{message}"}}}}'.encode()
