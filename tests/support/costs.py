"""The cost of scripts, counted without a clock: their commands and the turns of their loops.

A header says it as `-- Cost commands <= 9 + 4 * members, turns <= members` (see
service/readstate/store/scripts.py).
"""

import hashlib
import math
import re
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from readstate.store.executor import Executor
from readstate.store.script_calls import Call
from readstate.store.scripts import Script
from tests.support.calls import plain_call

_SUM = r".+(?:\n-- +\+.+)*"  # may go on with a plus on the next line
FORMULA = re.compile(
    rf"^-- Cost +commands <= (?P<commands>{_SUM}),(?:\n-- +| )turns <= (?P<turns>{_SUM})$", re.MULTILINE
)
FUNCTIONS: Mapping[str, Any] = {"min": min, "max": max, "log": lambda count: math.ceil(math.log2(count + 1))}
_OWN = {"fcall", "info", "config|resetstat", "function|load"}  # what the counting itself runs
_TOKENS = re.compile(r"\"(?:\\.|[^\"\\])*\"|--[^\n]*|\b(?:for|while|do|repeat)\b")


class Cost(Struct, frozen=True, order=True):
    """Of one run of a script."""

    commands: int
    turns: int


def allowed(header: str, sizes: Mapping[str, int]) -> Cost:
    """The cost that a script's header allows for these sizes.

    Raises AssertionError when it has none or names unknown sizes.
    """
    formula = FORMULA.search(header)
    assert formula is not None, "the header has no line `-- Cost       commands <= ..., turns <= ...`"
    return Cost(commands=_evaluated(formula["commands"], sizes), turns=_evaluated(formula["turns"], sizes))


def _evaluated(formula: str, sizes: Mapping[str, int]) -> int:
    formula = formula.replace("\n--", "")
    unknown = set(re.findall(r"[a-z_]+", formula)) - sizes.keys() - FUNCTIONS.keys()
    assert not unknown, f"{formula!r} names {', '.join(sorted(unknown))}; known are {', '.join(sorted(sizes))}"
    most: float = eval(formula, {"__builtins__": {}}, {**FUNCTIONS, **sizes})
    return math.floor(most)


def with_turns_counted(scripts: Mapping[str, Script], tried: str) -> dict[str, Script]:
    """The same scripts; those in the library of the one that is tried count their turns.

    The script "turns" tells how many there were since it was asked last.
    """
    library = scripts[tried].lib
    before = library.name.rpartition("_")[2]
    digest = hashlib.sha1(library.text, usedforsecurity=False).hexdigest()[:15] + "c"
    head, _, code = library.text.decode().replace(before, digest).partition("\n")
    body = "local turns = no_items.turns; no_items.turns = 0; return turns"
    tell = f'redis.register_function("readstate_turns_{digest}", function() {body} end)'
    # In a variable that is there: Lua allows 200 of them, and the library has nearly as many.
    assert "local no_items = {}\n" in code
    code = code.replace("local no_items = {}\n", "", 1)
    text = "\n".join([head, "local no_items = { turns = 0 }", _counting(code), tell])
    made = replace(library, name=library.name.replace(before, digest), text=text.encode())
    counted = {
        name: replace(script, function=script.function.replace(before, digest), lib=made)
        for name, script in scripts.items()
        if script.lib is library
    }
    turns = Script(name="turns", function=f"readstate_turns_{digest}", lib=made, writes=True, when_full=False)
    return {**scripts, **counted, "turns": turns}


def _counting(code: str) -> str:
    """Lua with a count at the beginning of each loop's body."""
    heads = 0

    def counted(token: re.Match[str]) -> str:
        nonlocal heads
        word = token[0]
        heads += word in ("for", "while")
        if word == "repeat" or (word == "do" and heads):
            heads -= word == "do"
            return f"{word} no_items.turns = no_items.turns + 1; "
        return word

    return _TOKENS.sub(counted, code)


class Counting:
    """A caller's calls, of which those of one script are counted while `of` waits."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._call = executor.call
        self._script = ""
        self.counted: list[Cost] = []
        executor.call = self._one  # type: ignore[method-assign]
        executor.call_each = self._each  # type: ignore[method-assign]

    async def of(self, script: str, work: Awaitable[Any]) -> Any:
        """The result of `work`. Every run of `script` in it is counted."""
        self._script = script
        try:
            return await work
        finally:
            self._script = ""

    async def _one(self, call: Call[Any], key: str, *, repeatable: bool = True) -> Any:
        if call.script != self._script:
            return await self._call(call, key, repeatable=repeatable)
        await self._call(plain_call("turns"), key)
        await self._executor.command("CONFIG", "RESETSTAT", key=key)
        reply = await self._call(call, key, repeatable=repeatable)
        commands = await self._commands(key)
        self.counted.append(Cost(commands, await self._call(plain_call("turns"), key)))
        return reply

    async def _each(self, calls: Sequence[tuple[str, Call[Any]]]) -> list[Any]:
        return [await self._one(call, key) for key, call in calls]

    async def _commands(self, key: str) -> int:
        lines = (await self._executor.command("INFO", "commandstats", key=key)).decode().splitlines()
        counts = {
            line.partition(":")[0].removeprefix("cmdstat_"): int(line.partition("calls=")[2].partition(",")[0])
            for line in lines[1:]
        }
        return sum(count for name, count in counts.items() if name not in _OWN)
