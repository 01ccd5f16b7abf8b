"""Durability: what a change has survived before its call is answered.

fast        nothing more than the memory of one server
fsynced     a crash, or a power cut, of that server: it is in the append-only file on its disk
replicated  the loss of that server: a replica has it
"""

from collections.abc import Awaitable
from enum import StrEnum
from typing import Protocol, TypeVar

Result = TypeVar("Result")


class Durability(StrEnum):
    """The levels, by the names that settings and callers use."""

    FAST = "fast"
    FSYNCED = "fsynced"
    REPLICATED = "replicated"


class Confirmation(Protocol):
    """Has changes confirmed by the servers."""

    default: Durability  # of calls that ask for none

    async def confirmed(self, level: Durability, work: Awaitable[Result]) -> Result:
        """What `work` returns, when all that it has written has reached `level`.

        Raises what `work` raises; NotConfirmed when the level was not reached in time: the change
        is made all the same.
        """
