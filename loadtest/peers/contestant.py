"""What is compared: each answers the same calls, and says what its servers have used."""

from collections.abc import Mapping
from typing import Protocol

from loadtest.peers.work import Answers

STORE = "store"
WORKER = "worker"


class Contestant(Answers, Protocol):
    """A peer with its servers, which are on temporary directories and end with it."""

    name: str

    def cpu_s(self) -> Mapping[str, float]:
        """Seconds of CPU of its servers so far, by STORE and WORKER."""

    def memory(self) -> int:
        """Bytes of memory that its data takes now; for PostgreSQL, that its processes take."""

    async def disk(self) -> int:
        """Bytes on disk: of tables and indexes, or of the append-only file."""
