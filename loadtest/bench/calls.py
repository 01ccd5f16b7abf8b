"""The calls of a file as bytes, and percentiles.

Locust's process has it too, so it imports nothing of the service. `call_file.lua` is the same for
wrk.
"""

from collections.abc import Iterable
from pathlib import Path

PERCENTILES = (50.0, 90.0, 99.0, 99.9)


def message_id(number: int) -> str:
    """The id of the message of round `number`, from 1: 24 hex that rise as strings."""
    return f"67a1b2c3{number:016x}"


class Calls:
    """The requests in `file` from `position` on. After the last line the next round begins."""

    def __init__(self, file: Path, position: int, client_key: str) -> None:
        self.position = position
        self._lines = [line.split("\t") for line in file.read_text(encoding="utf-8").splitlines()]
        self._client_key = client_key

    def next(self) -> bytes:
        method, path, token, body = self._lines[self.position % len(self._lines)]
        body = body.replace("@", message_id(self.position // len(self._lines) + 1))
        self.position += 1
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: bench\r\nIM-CLIENT-KEY: "
            f"{self._client_key}\r\nIM-Authorization: {token}\r\n"
        )
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return f"{head}\r\n{body}".encode()


def percentiles(seconds: Iterable[float]) -> dict[str, float]:
    """Milliseconds by percentile: the smallest value that so many percent do not exceed.

    Empty when there are no values.
    """
    ordered = sorted(seconds)
    return (
        {f"{percent:g}": round(ordered[_rank(len(ordered), percent)] * 1000, 4) for percent in PERCENTILES}
        if ordered
        else {}
    )


def _rank(count: int, percent: float) -> int:
    # In thousandths, since 99.9 % of a number is not exact in binary.
    return max(0, -(-count * round(percent * 10) // 1000) - 1)
