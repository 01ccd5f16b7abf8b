"""The IMKit envelope (docs.imkit.io, Response Format)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

from readstate import errors
from readstate.dialects.http.reply import Headers, Reply, encode, retry_after


class Ok(Struct, frozen=True, kw_only=True):
    """`{"RC": 0, "RM": "OK", "result": ...}`"""

    RC: Literal[0] = 0
    RM: str = "OK"
    result: Any


class Error(Struct, frozen=True):
    """What went wrong; `code` is stable, `message` is for people."""

    code: str
    message: str


class Failure(Struct, frozen=True):
    """`{"RC": 404, "RM": "Not Found", "error": {"code": ..., "message": ...}}`; RC is the HTTP
    status.

    `retryAfter`, only with 429: seconds.
    """

    RC: int
    RM: str
    error: Error
    retryAfter: int | UnsetType = UNSET  # noqa: N815 - as it is on the wire


def ok(result: Any) -> Reply:
    """A success with `result`."""
    return Reply(encode(Ok(result=result)))


class Problem(Struct, frozen=True):
    """One documented error. An empty `text` is filled with the text of the refusal."""

    status: int
    code: str
    text: str = ""
    words: str = ""  # as RM; "": those of the status

    @property
    def rm(self) -> str:
        return self.words or HTTPStatus(self.status).phrase

    def reply(self, text: str = "", headers: Headers = ()) -> Reply:
        """The answer. `text` is used when the problem has no text of its own."""
        return self._reply(self.text or text, headers, UNSET)

    def reply_to(self, error: Exception, text: str) -> Reply:
        """The answer with `text` instead of its own text, and with `retry-after` if the error
        has one.
        """
        retry_after_s: int | None = getattr(error, "retry_after_s", None)
        headers = () if retry_after_s is None else retry_after(retry_after_s)
        in_body = error.retry_after_s if isinstance(error, errors.TooManyRequests) else UNSET
        return self._reply(text, headers, in_body)

    def _reply(self, text: str, headers: Headers, retry_after_s: int | UnsetType) -> Reply:
        failure = Failure(self.status, self.rm, Error(self.code, text), retry_after_s)
        return Reply(encode(failure), self.status, self.code, headers)

    def envelope(self, text: str = "") -> Failure:
        """The same as a result for one item of several."""
        return Failure(self.status, self.rm, Error(self.code, self.text or text))


Problems = Mapping[type[errors.Refusal], Problem]
