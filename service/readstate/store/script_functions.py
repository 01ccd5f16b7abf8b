"""A script as a function of the library: how it takes its key and its arguments."""

from collections.abc import Sequence

from readstate.store.script_headers import Argument, Header, HeaderError

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
