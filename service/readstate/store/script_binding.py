"""The functions of Lua and of the server are bound to variables: looking them up takes time."""

import re

_LIBRARY = re.compile(
    r"\b(?:redis\.call|cmsgpack\.[a-z_]+|struct\.[a-z]+|math\.(?:floor|max|min)|string\.(?:byte|format|sub))\b"
    r"|\b(?<!\.)(?:unpack|tonumber|ipairs|select)(?=\()"
)


def bind(code: str, *, at: str) -> str:
    """The code with the functions that are called most bound to variables at the first call.

    `at`: the line of the code that stands for the binding.
    """
    names = sorted({*_LIBRARY.findall(code), "redis.call"})
    bound = ", ".join(map(_bound, names))
    code = _LIBRARY.sub(lambda match: _bound(match[0]), code)
    # While a library is loaded, most of them are not there yet.
    first = f"if not {_bound(names[0])} then {bound} = {', '.join(names)} end"
    return f"local {bound}\n" + code.replace(at, first, 1)


def _bound(name: str) -> str:
    return name.replace(".", "_") if "." in name else f"lua_{name}"
