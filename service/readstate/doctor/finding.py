"""What one check has found, and how its questions are asked."""

import asyncio
from collections.abc import Awaitable, Callable
from enum import Enum

from msgspec import Struct

from readstate.errors import Doubt, ReadStateError, SettingsError
from readstate.process.embedded import EmbeddedError
from readstate.process.listener import StartError
from readstate.store.server_check import ServerRefused


class Level(Enum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"  # it works, but should be looked at
    WRONG = "wrong"  # the service does not start, or does not do what it is set up for


class Finding(Struct, frozen=True):
    """What a check has found: one sentence, which says what to do unless the level is OK."""

    check: str
    level: Level
    says: str


class Wrong(Exception):
    """What was checked does not work. The message is one sentence that says what to change."""


_REFUSALS = (Wrong, SettingsError, StartError, EmbeddedError, ServerRefused, ReadStateError, OSError)


def ask(check: str, question: Callable[[], str]) -> Finding:
    """The finding of a question.

    It answers with a sentence, raises Doubt for a warning, and any known error for what is wrong.
    """
    try:
        return Finding(check, Level.OK, question())
    except Doubt as doubt:
        return Finding(check, Level.WARNING, str(doubt))
    except _REFUSALS as error:
        return Finding(check, Level.WRONG, str(error))


async def ask_later(check: str, answer: Awaitable[str]) -> Finding:
    """`ask` for an answer that must be awaited."""
    task = asyncio.ensure_future(answer)
    await asyncio.wait([task])
    return ask(check, task.result)
