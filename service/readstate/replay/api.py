"""The public HTTP interface as its callers use it."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Self
from urllib.parse import quote, urlencode

import aiohttp
import msgspec
from yarl import URL

MAX_ATTEMPTS = 6
MAX_WAIT_S = 5.0
_BUSY = (429, 503)


class ReplayError(Exception):
    """The replay cannot go on; the message says why in a sentence."""


class Refused(ReplayError):
    """The service answered with an error."""

    def __init__(self, request: str, status: int, code: str, message: str) -> None:
        super().__init__(f"{request} was refused with {status} {code}: {message}")
        self.status = status
        self.code = code


def path(*segments: str) -> str:
    """A path of literal segments and ids.

    Ids are percent-encoded, so they may hold any character.
    """
    return "/" + "/".join(quote(segment, safe="") for segment in segments)


class Api:
    """A pool of connections to one service.

    `calls` counts the requests, `repeats` those that were sent again.
    """

    def __init__(
        self, url: str, *, api_key: str, client_key: str = "", concurrency: int = 32, timeout_s: float = 60.0
    ) -> None:
        self._base = url.rstrip("/")
        self.api_key = api_key
        self.client_key = client_key
        self._concurrency = concurrency
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self.tokens: dict[str, str] = {}  # user -> access token; for users without one the backend calls
        self.calls = 0
        self.repeats = 0

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._concurrency),
            timeout=self._timeout,
            headers={"Content-Type": "application/json"},
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def backend(self, method: str, where: str, body: Any = None, *, on_behalf_of: str = "") -> Any:
        """Call as the backend, with the API key.

        `on_behalf_of` names the user of a call that needs one.
        """
        headers = {"IM-API-KEY": self.api_key}
        if on_behalf_of:
            # Percent-encoded, since a header holds only ASCII and loses blanks at its ends.
            headers["IM-CLIENT-ID"] = quote(on_behalf_of, safe="")
        return await self._call(method, where, headers, body)

    async def post_batch(self, messages: Sequence[Mapping[str, Any]]) -> None:
        """Post messages of one room in order, each with an `_id` of its own.

        Those that a busy service refused are sent again.
        """
        for attempt in range(1, MAX_ATTEMPTS + 1):
            results = (await self.backend("POST", path("messages", "batch"), {"messages": messages}))["results"]
            busy = [result["RC"] for result in results].count(503)
            if not busy or attempt == MAX_ATTEMPTS:
                break
            # A message that failed holds up those after it, so the refused ones are the last.
            messages = messages[-busy:]
            self.repeats += 1
            await asyncio.sleep(1)
        for result in results:
            understand("a message of POST /messages/batch", 200, result)

    async def user(
        self, user: str, method: str, where: str, body: Any = None, query: Sequence[tuple[str, str]] = ()
    ) -> Any:
        """Call as `user`: with their token if we have one, else as the backend on their behalf."""
        if query:
            where = f"{where}?{urlencode(query)}"
        token = self.tokens.get(user)
        if token is None:
            return await self.backend(method, where, body, on_behalf_of=user)
        return await self._call(method, where, {"IM-CLIENT-KEY": self.client_key, "IM-Authorization": token}, body)

    async def _call(self, method: str, where: str, headers: Mapping[str, str], body: Any) -> Any:
        url = URL(self._base + where, encoded=True)
        data = None if body is None else msgspec.json.encode(body)
        for attempt in range(1, MAX_ATTEMPTS + 1):
            self.calls += 1
            try:
                async with self._session.request(method, url, data=data, headers=headers) as response:
                    text = await response.read()
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                if attempt < MAX_ATTEMPTS and _was_cut(error):
                    self.repeats += 1
                    continue
                raise ReplayError(f"{method} {where} got no answer: {error or type(error).__name__}") from None
            # Every call of the replay may be repeated, since posts have ids. But only an answer
            # that names a time asks for it.
            retry_after = response.headers.get("Retry-After")
            if response.status not in _BUSY or retry_after is None or attempt == MAX_ATTEMPTS:
                break
            self.repeats += 1
            await asyncio.sleep(_wait_s(retry_after))
        return _result(f"{method} {where}", response.status, text)


def _was_cut(error: Exception) -> bool:
    """Whether the connection ended under the call: a service closes those that rest, also in the
    moment in which one is used again.
    """
    return isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError | ConnectionResetError) and not (
        isinstance(error, aiohttp.ClientConnectorError)
    )


def _wait_s(retry_after: str) -> float:
    try:
        return min(max(float(retry_after), 0.05), MAX_WAIT_S)
    except ValueError:
        return 1.0


def _result(request: str, status: int, text: bytes) -> Any:
    try:
        return understand(request, status, msgspec.json.decode(text))
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ReplayError(f"{request} was answered with {status} and a body that is not JSON: {text[:200]!r}") from None


def understand(request: str, status: int, envelope: Any) -> Any:
    """The `result` of an envelope.

    Raises Refused if it holds an error, ReplayError if it is none.
    """
    match envelope:
        case {"RC": 0, "result": result} if status == 200:
            return result
        case {"RC": int(), "error": {"code": code, "message": message}}:
            raise Refused(request, status, str(code), str(message))
    raise ReplayError(
        f"{request} was answered with {status} and a body that is not of this interface: {str(envelope)[:200]}"
    )
