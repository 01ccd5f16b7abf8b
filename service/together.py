"""Many questions to the store for one request: together, but not all at once, so that there is room in the lane for everybody else's."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

AT_ONCE = 200

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


async def together(ask: Callable[[Asked], Awaitable[Answer]], asked: Sequence[Asked]) -> list[Answer]:
    """What `ask` answers for each of `asked`, in their order. Raises what `ask` raises."""
    answers: list[Answer] = []
    for start in range(0, len(asked), AT_ONCE):
        answers += await asyncio.gather(*map(ask, asked[start : start + AT_ONCE]))
    return answers
