"""Sends requests to the receiver.

Its answers are treated as hostile: limits on time, headers and bytes, no redirects, no cookies.
"""

import asyncio
import ssl
from email.utils import parsedate_to_datetime
from time import time
from typing import Self

import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver
from yarl import URL

from readstate.webhooks.addresses import AddressRefused, connector_arguments
from readstate.webhooks.forms import Answer, WebhookRequest

TIMEOUT_S = 2.0  # of one request, from looking the name up to the end of the answer
_AFTERWARDS_S = 0.5  # for the library to end a request
MAX_ANSWER_BYTES = 64 * 1024
MAX_CONNECTIONS = 128
# Servers close idle connections after five seconds or later. So no connection is used while its
# server is closing it.
KEEP_ALIVE_S = 4.0
MAX_RETRY_AFTER_S = 3600.0
_HEADERS = {"Content-Type": "application/json", "Accept-Encoding": "identity", "User-Agent": "readstate"}


ACCEPTED = Answer("")


class Sender:
    """Sends to one URL over kept-alive connections. Open it (`async with`) inside the running loop.

    `tls` has the trusted authorities and the client certificate; `resolver` is for tests.
    """

    def __init__(
        self, url: str, *, allow_private: bool, tls: ssl.SSLContext, resolver: AbstractResolver | None = None
    ) -> None:
        self._url = URL(url, encoded=True)
        self._allow_private = allow_private
        self._tls = tls
        self._resolver = resolver

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(
            limit=MAX_CONNECTIONS,
            ssl=self._tls,
            keepalive_timeout=KEEP_ALIVE_S,
            **connector_arguments(allow_private=self._allow_private, resolver=self._resolver),
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
            headers=_HEADERS,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def send(self, request: WebhookRequest) -> Answer:
        """Send once. The receiver has TIMEOUT_S, whatever it does."""
        post = self._session.post(
            self._address(request), data=request.body, headers=request.headers, allow_redirects=False
        )
        try:
            # The session's limit ends with the answer. This one covers what the library does after
            # it.
            async with asyncio.timeout(TIMEOUT_S + _AFTERWARDS_S), post as response:
                return await _judge(response, request)
        except TimeoutError:
            return Answer("timeout", f"no answer within {TIMEOUT_S:g} s")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return _failure(error)

    def _address(self, request: WebhookRequest) -> URL:
        if not request.query:
            return self._url
        url = str(self._url)
        return URL(f"{url}{'&' if '?' in url else '?'}{request.query}", encoded=True)


async def _judge(response: aiohttp.ClientResponse, request: WebhookRequest) -> Answer:
    status = response.status
    if status == 200 and request.wants_json:
        return await _judge_json(response)
    if 200 <= status < 300 and not request.wants_json:
        await _drain(response)
        return ACCEPTED
    response.close()
    retry_after_s = _retry_after_s(response.headers.get("Retry-After", ""))
    return Answer(
        f"status_{status // 100}xx",
        f"status {status}",
        retry_after_s,
        status in (429, 503) and retry_after_s > 0,
        status == 410,
    )


async def _judge_json(response: aiohttp.ClientResponse) -> Answer:
    body = await _read(response)
    try:
        msgspec.json.decode(body or b"")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Answer("not_json", f"the answer is no JSON of at most {MAX_ANSWER_BYTES} bytes")
    return ACCEPTED


async def _drain(response: aiohttp.ClientResponse) -> None:
    """Read a body that does not matter, so that the connection can be used again.

    A long body costs the connection.
    """
    try:
        await _read(response)
    except (aiohttp.ClientError, OSError):  # a time-out is an OSError too
        response.close()


async def _read(response: aiohttp.ClientResponse) -> bytes | None:
    """The whole body; None when it is too long, and then the connection is closed."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            response.close()
            return None
    return bytes(body)


def _failure(error: Exception) -> Answer:
    if refused := _refused(error):
        return Answer("refused_address", _one_line(refused))
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Answer("dns", "the name cannot be looked up")
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
        return Answer("tls", _one_line(error))
    return Answer("connection", _one_line(error))


def _one_line(error: Exception) -> str:
    """What went wrong, on one line for a terminal: the receiver may have written the text."""
    # When an answer is no HTTP, the library's own text shows the URL, which may hold secrets.
    text = error.message if isinstance(error, aiohttp.ClientResponseError) else str(error)
    words = " ".join(text.split()) or type(error).__name__
    return "".join(char if char.isprintable() else "?" for char in words)


def _refused(error: BaseException | None) -> AddressRefused | None:
    while error is not None:
        if isinstance(error, AddressRefused):
            return error
        error = getattr(error, "os_error", None) or error.__cause__
    return None


def _retry_after_s(value: str) -> float:
    """Retry-After, a number or a date, as seconds from now; 0 for anything else."""
    if value.isascii() and value.isdecimal() and len(value) < 10:
        return min(float(value), MAX_RETRY_AFTER_S)
    try:
        at_s = parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError):
        return 0.0
    return min(max(at_s - time(), 0.0), MAX_RETRY_AFTER_S)
