"""Bodies of requests: read within a limit, decoded strictly, the same for every dialect."""

from collections.abc import Callable
from typing import Any

import msgspec
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from litestar.types import Receive

from service.domain.limits import MAX_BODY_BYTES


class BadBody(Exception):
    """The body is not the JSON that the call takes; the message says where."""


class ClientGone(Exception):
    """The client went away before its request was complete."""


async def read_body(receive: Receive, limit: int = MAX_BODY_BYTES) -> bytes:
    """The whole body. Raises ClientGone, and what the framework raises for a body over `limit` bytes."""
    body = b""
    while True:
        message: Any = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        body = body + message["body"] if body else message["body"]
        if len(body) > limit:
            raise RequestEntityTooLarge
        if not message.get("more_body", False):
            return bytes(body)


def decode(decoder: Callable[[bytes], Any], value: bytes) -> Any:
    """Decode JSON. Raises BadBody for whatever is wrong with it, bad UTF-8 and deep nesting included."""
    try:
        return decoder(value)
    except msgspec.DecodeError as error:
        raise BadBody(str(error)) from None
    except UnicodeDecodeError:
        raise BadBody("The body must be UTF-8") from None
    except RecursionError:
        raise BadBody("The body is nested too deeply") from None
