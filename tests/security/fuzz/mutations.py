"""Changes to a value, a text or bytes that make them wrong, or nearly so."""

import json
from collections.abc import Callable
from copy import deepcopy
from itertools import islice
from random import Random
from typing import Any


class Raw(str):
    """JSON text that is written as it is."""


class Twice(dict[str, Any]):
    """An object each of whose fields is written two times: the second time with null."""


DEEP = (65, 500, 5_000, 30_000)  # levels
LARGEST = 300_000  # characters of a list that is made longer, about
DIGITS = "9" * 4_301  # one more than Python turns into a number

# Replacements for any value.
ODD: tuple[Any, ...] = (
    None,
    True,
    False,
    [],
    {},
    "",
    " ",
    0,
    -1,
    1,
    2**31,
    2**53,
    2**63,
    2**64,
    -(2**63) - 1,
    0.5,
    Raw("1e999"),
    Raw("-1e999"),
    Raw("1e-999"),
    Raw("-0"),
    Raw("1E5"),
    Raw(DIGITS),
    Raw("-" + DIGITS),
    Raw("0." + DIGITS),
    Raw("NaN"),
    Raw("Infinity"),
    Raw('"\\ud800"'),
    Raw('"\\udc00\\ud800x"'),
    Raw('"\\u0000"'),
    Raw('"\\x"'),
    Raw("tru"),
    Raw("01"),
    "\0",
    "\n",
    "\x1f",
    "\x7f",
    "\u0085",
    "a" * 129,
    "é" * 65,
    "a" * 5_000,
    "\U0001f600" * 3_000,
    DIGITS,
    f"direct:{DIGITS}:a:b",
    "direct:1:a:b",
    "direct:-1:a:b",
    "direct:²:a:b",
    "direct:" + "0" * 64,
    "tencent·topics:x",
    "_all",
    "__proto__",
    "..",
    "/",
    "a/b",
    "%2f",
    "%",
    "*",
    "{r:default:x}",
    "}{",
    "1_1_1",
    "1e5",
    "2099-01-01",
    "0000-00-00T00:00:00Z",
    "9999-12-31T23:59:60+99:99",
    "-" * 20,
    ["a"] * 1_001,
    ["\0", 1, None, {}],
    {"$gt": ""},
    {"$regex": "(a+)+$", "$options": "x"},
    {"": ""},
    {"#": 1},
    {"a" * 65: 1},
)


def deep(rng: Random) -> Raw:
    """Lists or objects in each other, closed or not."""
    levels = rng.choice(DEEP)
    opened, closed = rng.choice((("[", "]"), ('{"a":', "}")))
    inner = rng.choice(("", "1", "null"))
    return Raw(
        opened * levels + (inner or ("null" if opened != "[" else "")) + (closed * levels if rng.random() < 0.9 else "")
    )


def text_of(value: Any) -> str:
    """JSON of a value, with what is `Raw` as it is. Lone surrogates are escaped."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, Twice):
        pairs = [(name, text_of(one)) for name, one in value.items()]
        return (
            "{"
            + ",".join(f"{json.dumps(name)}:{text}" for name, text in [*pairs, *((name, "null") for name, _ in pairs)])
            + "}"
        )
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{text_of(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(text_of, value)) + "]"
    return json.dumps(value)


# Replacements for a text that is no JSON: an id, a parameter, a header.
ODD_TEXTS = tuple(filter(None, (one if isinstance(one, str) else text_of(one) for one in ODD)))


def mutated(value: Any, rng: Random) -> Any:
    """`value` with one thing changed somewhere in it, or in its place."""
    places = [*islice(_places(value), 200)]
    if not places or rng.random() < 0.05:
        return _other(value, rng)
    container, key = rng.choice(places)
    change = rng.random()
    if change < 0.7:
        container[key] = _other(container[key], rng)
    elif change < 0.8:
        del container[key]
    elif isinstance(container, list):
        # Changes that meet must not make a case that takes longer to write than to send.
        container *= min(rng.choice((2, 11, 51, 101, 201, 501, 1_001)), 1 + LARGEST // _size(container))
        del container[1_001:]
    elif change < 0.9:
        container[rng.choice((key.upper(), key + "s", "_" + key, key + "\0", ""))] = container.pop(key)
    elif value is container:
        return Twice(container)
    else:
        container[key] = Twice(a=container[key])
    return value


def _places(value: Any) -> Any:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in list(inner):
        yield value, key
        yield from _places(one)


def _size(value: Any) -> int:
    """About how many characters the JSON of a list has."""
    return 1 + sum(1 + (len(one) if isinstance(one := container[key], str) else 0) for container, key in _places(value))


def _other(value: Any, rng: Random) -> Any:
    how = rng.random()
    if how < 0.12:
        return deep(rng)
    if how < 0.2:
        return [value]
    if how < 0.25:
        return {"a": value}
    if how < 0.35 and isinstance(value, str):
        return value.swapcase() + rng.choice(("", " ", "\0", "\u200b", "x" * 130, "\ud800"))
    if how < 0.4 and isinstance(value, int):
        return str(value)
    # A copy, all through: another case must not find it changed.
    return deepcopy(rng.choice(ODD))


def damaged(data: bytes, rng: Random) -> bytes:
    """Bytes with some missing, changed or added."""
    place = rng.randrange(len(data) + 1)
    changes: tuple[Callable[[], bytes], ...] = (
        lambda: data[:place],
        lambda: data[place:],
        lambda: data[:place] + rng.randbytes(rng.choice((1, 1, 4, 64))) + data[place:],
        lambda: data[:place] + bytes([rng.randrange(256)]) + data[place + 1 :],
        lambda: data[:place] + b"\0" + data[place:],
        lambda: data[:place] + b"\xff\xfe" + data[place:],
        lambda: data[:place] + b"\xed\xa0\x80" + data[place:],
        lambda: b"\xef\xbb\xbf" + data,
        lambda: data + data,
        lambda: data + b" " * rng.choice((1, 70_000)),
        lambda: data.decode("utf-8", "replace").encode("utf-16"),
        lambda: data * rng.choice((3, 100)),
        lambda: b"",
    )
    return rng.choice(changes)()[:200_000]
