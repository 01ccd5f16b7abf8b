"""The calls of a file as bytes.

Locust's process has it too, so it imports nothing of the service. `call_file.lua` is the same for
wrk.
"""

from pathlib import Path


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
