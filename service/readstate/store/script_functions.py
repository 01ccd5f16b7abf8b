"""A script as a function of the library: how it takes its key and its arguments, and how it reaches
the functions of Lua and of the server.
"""

import re
from collections.abc import Sequence

from readstate.store.script_headers import Argument, Header, HeaderError

# Looking these up takes time, so `bind` binds them to variables.
_LIBRARY = re.compile(
    r"\b(?:redis\.call|cmsgpack\.[a-z_]+|struct\.[a-z]+|math\.(?:floor|max|min)|string\.(?:byte|format|sub))\b"
    r"|\b(?<!\.)(?:unpack|tonumber|ipairs|select)(?=\()"
)

SLICE = """\
local no_items = {}
local function slice(args, first, last)
    local list = {}
    for i = first, last do
        list[i - first + 1] = args[i]
    end
    return list
end"""


def as_function(name: str, function: str, body: str, header: Header, given: Sequence[str], guard: str) -> str:
    """The statement that registers a script as `function`.

    `given`: the arguments that `begin` takes, in their order. `guard`: what comes first.
    """
    _, _, rest = body.partition("\n")
    named = ", ".join(f'"{flag}"' for flag in flags_of(body))
    flags = f", flags = {{{named}}}" if named else ""
    positions = {argument.name: position for position, argument in enumerate(header.arguments, 1)}
    passed = ", ".join(f"args[{positions[name]}]" if name in positions else "nil" for name in given)
    callback = f"function(keys, args)\n{guard}begin({passed})\n{_locals(header)}\n-- {name}.lua:2\n{rest}end"
    return f'redis.register_function{{function_name = "{function}"{flags}, callback = {callback}}}'


def _locals(header: Header) -> str:
    """The statements that bind a script's key and arguments to locals."""
    single = [argument for argument in header.arguments if not argument.many]
    lists = [argument for argument in header.arguments if argument.many]
    if list(header.arguments) != single + lists:
        raise HeaderError(f"{header}: lists come last")
    names = ", ".join(["key", *(argument.name for argument in single)])
    values = ", ".join(["keys[1]", *(_converted(argument, f"args[{n}]") for n, argument in enumerate(single, 1))])
    lines = [f"local {names} = {values}"]
    if len(lists) == 1:
        first_position = len(single) + 1
        whole = f"#args >= {first_position} and slice(args, {first_position}, #args) or no_items" if single else "args"
        return "\n".join([*lines, f"local {lists[0].name} = {whole}"])
    first = f"{len(single) + 1}"
    for argument in lists[:-1]:
        lines.append(f"local {argument.name}_end = {first} + args[{first}]")
        lines.append(f"local {argument.name} = slice(args, {first} + 1, {argument.name}_end)")
        first = f"{argument.name}_end + 1"
    return "\n".join([*lines, *(f"local {one.name} = slice(args, {first}, #args)" for one in lists[-1:])])


def _converted(argument: Argument, value: str) -> str:
    """An argument as the script sees it."""
    if argument.type == "int":
        return f"tonumber({value})"
    return f'{value} == "1"' if argument.type == "flag" else value


def flags_of(body: str) -> list[str]:
    """Those in a script's first line."""
    return [flag for flag in body.partition("\n")[0].partition("flags=")[2].split(",") if flag]


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
