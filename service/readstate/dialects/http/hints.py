"""Hints: what to send instead of a request that was refused.

They are worked out from the body and the type it should have had, or from the known names. Only the
sender of a wrong request waits for them.
"""

import re
from collections.abc import Collection
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import inspect

MAX_NAME_CHARS = 64  # of a caller's name in an answer
MAX_SHOWN_BYTES = 64  # of a caller's value in an answer
MAX_NAMES = 32  # of a caller's fields that are compared with a missing one

# How msgspec says where in a body an error is.
PATH = re.compile(r" - at `\$(.*)`$")

_LIKENESS = 0.5  # enough for tag and roomTags
_STEPS = re.compile(r"\.([^.\[]+)|\[(\d+)\]")
_MISSING = re.compile(r"^Object missing required field `(.+?)`")
_UNKNOWN = re.compile(r"^Object contains unknown field `(.+?)`( - at `\$.*`)?$", re.DOTALL)
_NO_CHOICE = re.compile(r"^Invalid enum value ")
_LIST_WANTED = re.compile(r"^Expected `array[^`]*`, got `str`")


def hint(text: str, body: bytes, wanted: Any) -> str:
    """A sentence to add to `text`, msgspec's error about a `body` that does not have the type
    `wanted`.

    "" when there is nothing to add.
    """
    steps = _steps(text)
    if found := _UNKNOWN.match(text):
        return unknown("field", found[1], _names(_described(wanted), steps))
    if found := _MISSING.match(text):
        return _written_instead(found[1], _at(body, steps), _names(_described(wanted), steps))
    if _NO_CHOICE.match(text):
        return _choices(_type_at(_described(wanted), steps))
    if _LIST_WANTED.match(text):
        return _as_a_list(_at(body, steps))
    return ""


@lru_cache
def _described(wanted: Any) -> inspect.Type:
    return inspect.type_info(wanted)


def _written_instead(field: str, given: Any, known: Collection[str]) -> str:
    names = [name for name in given if name not in known] if isinstance(given, dict) else []
    likest = nearest(field, names[:MAX_NAMES])
    return f"did you write {likest[:MAX_NAME_CHARS]} for it?" if likest else ""


def _as_a_list(given: Any) -> str:
    shown = msgspec.json.encode([given]).decode()
    return f"for one send {shown}" if given and len(shown) <= MAX_SHOWN_BYTES else "send an array, also for one"


def _steps(text: str) -> list[str | int]:
    """The steps from the top of the body to what msgspec names."""
    path = PATH.search(text)
    return [name or int(index) for name, index in _STEPS.findall(path[1])] if path else []


def _at(body: bytes, steps: list[str | int]) -> Any:
    """The value at the end of `steps` in the body; None when it is not there.

    msgspec stops at the first error, so behind it the same name may occur again, or the JSON may be
    invalid.
    """
    try:
        value = msgspec.json.decode(body)
        for step in steps:
            value = value[step]
    except (LookupError, TypeError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return value


def _choices(wanted: inspect.Type) -> str:
    literal = _only(wanted, inspect.LiteralType)
    return f"it is one of {', '.join(map(str, literal.values))}" if literal else ""


def _names(wanted: inspect.Type, steps: list[str | int]) -> list[str]:
    """The fields of the object at the end of `steps` in the type."""
    one = _only(_type_at(wanted, steps), inspect.StructType)
    return [field.encode_name for field in one.fields] if one else []


def _type_at(wanted: inspect.Type, steps: list[str | int]) -> inspect.Type:
    for step in steps:
        wanted = _struct_or_list(wanted, step)
    return wanted


def _struct_or_list(wanted: inspect.Type, step: str | int) -> inspect.Type:
    if isinstance(step, int):
        items = _only(wanted, inspect.ListType)
        return items.item_type if items else inspect.AnyType()
    struct = _only(wanted, inspect.StructType)
    fields = struct.fields if struct else ()
    return next((field.type for field in fields if field.encode_name == step), inspect.AnyType())


def _only(wanted: inspect.Type, kind: type[Any]) -> Any:
    """The type itself, or the part of a union, that is of a kind; None if there is none."""
    parts = wanted.types if isinstance(wanted, inspect.UnionType) else (wanted,)
    return next((part for part in parts if isinstance(part, kind)), None)


def nearest(name: str, known: Collection[str]) -> str:
    """The known name that is most similar to `name`, whatever its case; "" when none is similar."""
    by_likeness = {one.casefold(): one for one in known}
    found = get_close_matches(name[:MAX_NAME_CHARS].casefold(), by_likeness, n=1, cutoff=_LIKENESS)
    return by_likeness[found[0]] if found else ""


def unknown(kind: str, name: str, known: Collection[str]) -> str:
    """The sentence that refuses `name`, a `kind` (such as "field") that a call does not take."""
    shown = name[:MAX_NAME_CHARS]
    if meant := nearest(name, known):
        return f"{shown} is no {kind} of this call; did you mean {meant}?"
    takes = f"it takes {', '.join(sorted(known))}" if known else "it takes none"
    return f"{shown} is no {kind} of this call; {takes}"
