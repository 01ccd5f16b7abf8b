"""Which of two things happened later: members come and go, groups begin and end.

Callbacks may come in any order, and again. For a group, and for an account in a group, the latest
time is kept, and beside it the time of the latest end.
"""

from collections.abc import Awaitable, Callable, Sequence

from readstate.batches import gather_batched
from readstate.dialects.tencent.callbacks.context import CallbackContext

Condition = Callable[[CallbackContext, str, int], Awaitable[bool]]


async def begins(context: CallbackContext, what: str, at_ms: int) -> bool:
    """Note that `what` began at `at_ms`. Returns whether that holds: nothing later is known of it.

    A repeat of the latest holds too, since it may have failed halfway.
    """
    return await context.read_state.latest.note_newest(app=context.app, what=what, at_ms=at_ms)


async def ends(context: CallbackContext, what: str, at_ms: int) -> bool:
    """Note that `what` ended, as `begins` does for a beginning."""
    condition = await begins(context, what, at_ms)
    if condition:
        await begins(context, _end_of(what), at_ms)
    return condition


async def has_ended(context: CallbackContext, what: str, since_ms: int) -> bool:
    """Whether `what` is known to have ended after `since_ms`."""
    ended_ms = await context.read_state.latest.newest(app=context.app, what=_end_of(what))
    return ended_ms is not None and ended_ms > since_ms


async def came(context: CallbackContext, group: str, members: Sequence[str], at_ms: int) -> list[str]:
    """Those of `members` that came to a group at `at_ms` and of which nothing later is known."""
    return await _filter(begins, context, group, members, at_ms)


async def went(context: CallbackContext, group: str, members: Sequence[str], at_ms: int) -> list[str]:
    """The same for members that went."""
    return await _filter(ends, context, group, members, at_ms)


async def gone_since(context: CallbackContext, group: str, members: Sequence[str], at_ms: int) -> list[str]:
    """Those of `members` that left a group after `at_ms`, and did not come back."""
    ended = await _filter(has_ended, context, group, members, at_ms)
    back = frozenset(await back_since(context, group, ended, at_ms))
    return [member for member in ended if member not in back]


async def back_since(context: CallbackContext, group: str, members: Sequence[str], at_ms: int) -> list[str]:
    """Those of `members` that came to a group after `at_ms`, and stayed."""
    return await _filter(_goes_on, context, group, members, at_ms)


def membership(group: str, member: str) -> str:
    """The name of an account in a group, beside group ids. No id has a line break."""
    return f"{group}\n{member}"


async def _goes_on(context: CallbackContext, what: str, since_ms: int) -> bool:
    began_ms = await context.read_state.latest.newest(app=context.app, what=what)
    return began_ms is not None and began_ms > since_ms and not await has_ended(context, what, began_ms - 1)


def _end_of(what: str) -> str:
    return f"{what}\n"


async def _filter(
    condition: Condition, context: CallbackContext, group: str, members: Sequence[str], at_ms: int
) -> list[str]:
    distinct = list(dict.fromkeys(members))
    answers = await gather_batched(lambda member: condition(context, membership(group, member), at_ms), distinct)
    return [member for member, answer in zip(distinct, answers, strict=True) if answer]
