"""Answers of this dialect as bytes: no envelope but `success` among the fields."""

from collections.abc import Mapping
from typing import Self

from msgspec import UNSET, Struct

from readstate import errors
from readstate.dialects.http.reply import Headers, Reply, encode
from readstate.dialects.rocketchat.schemas import FailureAnswer

JSON = b"application/json"  # without a charset, since Rocket.Chat's own tests compare the whole value
_PRAGMA = (b"pragma", b"no-cache")  # as Rocket.Chat says it to caches of old


def reply(body: Struct, status: int = 200, code: str = "ok", headers: Headers = ()) -> Reply:
    """`body` as the answer; `code` is the outcome for metrics and logs."""
    return Reply(encode(body), status, code, (_PRAGMA, *headers), JSON)


class Problem(Struct, frozen=True):
    """One error as it is answered."""

    status: int
    code: str  # the outcome in metrics and logs; on the wire only with `typed`
    error: str
    typed: bool = False  # with `errorType`
    details: Mapping[str, str] | None = None
    old: bool = False  # with `status` and `message`, which the documentation and older clients have

    @classmethod
    def coded(cls, code: str, reason: str, **details: str) -> Self:
        """An error that the original throws with a code."""
        return cls(400, code, f"{reason} [{code}]", typed=True, details=details or None)

    def reply(self, error: str = "", headers: Headers = ()) -> Reply:
        """The answer; `error` replaces the problem's own text."""
        text = error or self.error
        failure = FailureAnswer(
            error=text,
            error_type=self.code if self.typed else UNSET,
            details=self.details or UNSET,
            status="error" if self.old else UNSET,
            message=text if self.old else UNSET,
        )
        return reply(failure, self.status, self.code, headers)


Problems = Mapping[type[errors.Refusal], Problem]
