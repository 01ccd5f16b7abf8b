"""Which of two things happened later, in whatever order they are told, and told again: members come and go, groups begin and end.

The latest time is kept of a group, and of an account in a group; and beside it that of its latest end.
"""

from collections.abc import Awaitable, Callable, Sequence

from readstate.batches import gather_batched
from readstate.dialects.tencent.callbacks.context import CallbackContext

Condition = Callable[[CallbackContext, str, int], Awaitable[bool]]


async def begins(context: CallbackContext, what: str, at_ms: int) -> bool:
    """`what` began at `at_ms`. Whether that still holds: nothing later is known of it. From here on this is known.

    A repeat of what happened last still holds: it may have failed halfway.
    """
    return await context.read_state.latest.note_newest(app=context.app, what=what, at_ms=at_ms)


async def ends(context: CallbackContext, what: str, at_ms: int) -> bool:
    """The same for its end."""
    condition = await begins(context, what, at_ms)
    if condition:
        await begins(context, _end_of(what), at_ms)
    return condition


async def has_ended(context: CallbackContext, what: str, since_ms: int) -> bool:
    """Whether `what` is known to have ended after `since_ms`."""
    ended_ms = await context.read_state.latest.newest(app=context.app, what=_end_of(what))
    return ended_ms is not None and ended_ms > since_ms


async def came(context: CallbackContext, group: str, members: Sequence[str], at_ms: int) -> list[str]:
    """Those who came to a group at `at_ms`, without those of whom something later is known."""
    return await _filter(begins, context, group, members, at_ms)


async def went(context: CallbackContext, group: str, members: Sequence[str], at_ms: int) -> list[str]:
    """The same for those who went."""
    return await _filter(ends, context, group, members, at_ms)


async def gone_since(context: CallbackContext, group: str, members: Sequence[str], at_ms: int) -> list[str]:
    """Those who went from a group after `at_ms`, and did not come back."""
    ended = await _filter(has_ended, context, group, members, at_ms)
    back = frozenset(await back_since(context, group, ended, at_ms))
    return [member for member in ended if member not in back]


async def back_since(context: CallbackContext, group: str, members: Sequence[str], at_ms: int) -> list[str]:
    """Those who came to a group after `at_ms`, and stayed."""
    return await _filter(_goes_on, context, group, members, at_ms)


def membership(group: str, member: str) -> str:
    """Names an account in a group, as a group's id names the group. No id holds a line break."""
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
