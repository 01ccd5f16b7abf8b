"""In which form, or forms, an event is told."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

from readstate.domain.events import ReadEvent
from readstate.webhooks.letters import Form
from readstate.webhooks.standard import Standard
from readstate.webhooks.tencent import Tencent

FormName = Literal["auto", "standard", "tencent", "both"]
Choice = Callable[[ReadEvent], Awaitable[Sequence[Form]]]


def choice_of(form: FormName, standard: Standard | None, tencent: Tencent | None) -> Choice:
    """How the forms of an event are chosen. `tencent` is None when no app of Tencent's is configured.

    auto      Tencent's form for what Tencent knows (one-to-one rooms, groups with receipts), the native form for the rest
    both      the native form for everything, and Tencent's as well for what Tencent knows
    """
    always = [
        one
        for one in (standard if form != "tencent" else None, tencent if form in ("tencent", "both") else None)
        if one
    ]

    async def choose(event: ReadEvent) -> Sequence[Form]:
        if form == "auto" and tencent is not None and await tencent.tells(event):
            return [tencent]
        return always

    return choose
