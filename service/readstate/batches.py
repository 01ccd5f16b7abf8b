"""Many questions to the store for one request: in batches, so that other requests get a turn."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import TypeVar

AT_ONCE = 200

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


def in_batches(items: Sequence[Asked], size: int = AT_ONCE) -> Iterator[Sequence[Asked]]:
    """`items` in batches of `size`. Waiting for the store after each batch lets other calls run."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


async def as_batches(items: AsyncIterator[Asked], size: int) -> AsyncIterator[list[Asked]]:
    """The same of items that come one by one."""
    batch: list[Asked] = []
    async for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


async def gather_batched(ask: Callable[[Asked], Awaitable[Answer]], asked: Sequence[Asked]) -> list[Answer]:
    """The answers of `ask` to each of `asked`, in their order. Raises what `ask` raises."""
    answers: list[Answer] = []
    for batch in in_batches(asked):
        answers += await asyncio.gather(*map(ask, batch))
    return answers
