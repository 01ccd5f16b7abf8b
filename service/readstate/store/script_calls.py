"""Calls of scripts: by keyword, with typed replies.

    @script
    def mark_read(*, app: str, user: str, ...) -> ReadReply: ...

declares a call of lua/mark_read.lua. When the module is imported, the signature is compared with
the header of the script: the same names in the same order, types that fit, and a reply of the same
shape. `mark_read(app=..., user=...)` is then a Call, which an executor runs.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from functools import cache
from typing import Any, Generic, ParamSpec, TypeVar, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Struct

from readstate.store.script_headers import Argument, Header, HeaderError, Shape, read_header
from readstate.store.scripts import script_texts
from readstate.store.states import SEPARATOR

Part = str | int | bytes  # of a command
P = ParamSpec("P")
Reply = TypeVar("Reply")
Reply_co = TypeVar("Reply_co", covariant=True)


class Call(Struct, Generic[Reply_co], frozen=True):
    """One call of a script: its name, its arguments as they are sent, and how its reply is read."""

    script: str
    args: tuple[Part, ...]
    read: Callable[[Any], Reply_co]


def script(declaration: Callable[P, Reply]) -> Callable[P, Call[Reply]]:
    """The function that makes calls of the script of this name.

    Raises HeaderError when it does not fit.
    """
    name = declaration.__name__
    header = _headers().get(name)
    if header is None:
        raise HeaderError(f"there is no lua/{name}.lua")
    hints = get_type_hints(declaration)
    parameters = list(inspect.signature(declaration).parameters)
    declared = [argument.name for argument in header.arguments]
    if parameters != declared:
        raise HeaderError(f"{name}.lua declares ({', '.join(declared)}), its caller ({', '.join(parameters)})")
    try:
        parts = ", ".join(_sent(header.arguments, hints))
        scope: dict[str, Any] = {"Call": Call, "name": name}
        scope["read"] = eval(f"lambda reply: {_read(header.reply, hints['return'], 'reply', scope)}", scope)
    except ValueError as error:
        raise HeaderError(f"{name}.lua and its caller: {error}") from None
    names = f"*, {', '.join(declared)}" if declared else ""
    sent = f"({parts},)" if parts else "()"
    made: Callable[P, Call[Reply]] = eval(f"lambda {names}: Call(name, {sent}, read)", scope)
    return made


@cache
def _headers() -> Mapping[str, Header]:
    return {name: read_header(name, text) for name, text in script_texts().items()}


def _sent(arguments: Sequence[Argument], hints: Mapping[str, Any]) -> Iterable[str]:
    """Expressions for what is sent for these arguments, in their order."""
    for index, argument in enumerate(arguments):
        name, hint = argument.name, hints[argument.name]
        if not argument.many:
            yield _one_sent(argument, hint)
            continue
        items = name
        if argument.row:
            row = _item_of(hint)
            if getattr(row, "_fields", argument.row) != argument.row:
                raise ValueError(f"rows of {name} are {', '.join(argument.row)}")
            items = f"[part for row in {name} for part in row]"
        if index < len(arguments) - 1:
            yield f"len({name}) * {len(argument.row) or 1}"
        yield f"*{items}"


def _one_sent(argument: Argument, hint: Any) -> str:
    fits = {"text": (str, bytes), "bytes": (bytes,), "int": (int,), "digits": (int,), "flag": (bool,)}
    if isinstance(hint, type) and issubclass(hint, Enum):
        return f"{argument.name}.value"
    if argument.type == "tagset":
        return f"{SEPARATOR!r}.join({argument.name})"
    if hint not in fits[argument.type]:
        raise ValueError(f"{argument.name} is {argument.type} and not {hint}")
    return f"int({argument.name})" if argument.type == "flag" else argument.name


def _item_of(hint: Any) -> Any:
    return (get_args(hint) or (None,))[0]


# How a reply of a type is read as a type of Python.
_SCALARS = {
    ("text", str): "{}.decode()",
    ("text", bytes): "{}",
    ("bytes", bytes): "{}",
    ("int", int): "{}",
    ("flag", bool): "({} == 1)",
}


def _read(shape: Shape, hint: Any, value: str, scope: dict[str, Any]) -> str:
    """The expression that reads `value`. `scope` gets what it needs."""
    if (type(None) in get_args(hint)) != shape.optional:
        raise ValueError(f"{hint} and {shape.kind}{'?' * shape.optional} are not both optional")
    if shape.optional:
        (inner,) = (one for one in get_args(hint) if one is not type(None))
        # "" is none
        there = f"{value} is not None" if shape.kind in ("bytes", "int", "flag") else value
        return f"({_read(Shape(shape.kind, shape.fields), inner, value, scope)} if {there} else None)"
    if shape.kind == "record":
        return _read_record(shape, hint, value, scope)
    if shape.kind == "list":
        return _read_list(shape, hint, value, scope)
    if shape.kind == "tagset":
        return f"tuple({value}.decode().split({SEPARATOR!r}) if {value} else ())"
    if (shape.kind, hint) in _SCALARS:
        return _SCALARS[shape.kind, hint].format(value)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return f"{_known(hint, scope)}({value})"
    if shape.kind == "bytes" and isinstance(hint, type) and issubclass(hint, Struct):
        return f"{_known(msgspec.msgpack.Decoder(hint).decode, scope)}({value})"
    raise ValueError(f"{shape.kind} of a reply is not read as {hint}")


def _read_record(shape: Shape, hint: Any, value: str, scope: dict[str, Any]) -> str:
    hints = _field_types(hint, shape)
    fields = enumerate(zip(shape.fields, hints, strict=True))
    parts = [_read(field, one, f"r[{n}]", scope) for n, ((_, field), one) in fields]
    function = eval(f"lambda r: {_known(hint, scope)}({', '.join(parts)})", scope)
    return f"{_known(function, scope)}({value})"


def _read_list(shape: Shape, hint: Any, value: str, scope: dict[str, Any]) -> str:
    origin = get_origin(hint)
    is_dict = origin in (dict, Mapping)
    if len(shape.fields) == 1:
        items = f"[{_read(shape.fields[0][1], _item_of(hint), 'item', scope)} for item in {value}]"
        return items if origin is list else f"tuple({items})"
    row = _item_of(hint)
    hints = get_args(hint) if is_dict else _field_types(row, shape)
    names = [f"item{n}" for n in range(len(shape.fields))]
    parts = [_read(field, one, name, scope) for (_, field), one, name in zip(shape.fields, hints, names, strict=True)]
    loop = f"for {', '.join(names)} in zip(*[iter({value})] * {len(names)})"
    if is_dict:
        return f"{{{parts[0]}: {parts[1]} {loop}}}"
    made = f"({', '.join(parts)})" if get_origin(row) is tuple else f"{_known(row, scope)}({', '.join(parts)})"
    return f"[{made} {loop}]" if origin is list else f"tuple([{made} {loop}])"


def _field_types(hint: Any, shape: Shape) -> Sequence[Any]:
    """The types of the fields of `shape` in a struct or tuple. Others must have defaults."""
    if get_origin(hint) is tuple:
        return get_args(hint)
    hints, names = get_type_hints(hint), [name for name, _ in shape.fields]
    required = len(hints) - len(getattr(hint, "__struct_defaults__", ()))
    if list(hints)[: len(names)] != names or len(names) < required:
        raise ValueError(f"{hint.__name__} has the fields {', '.join(hints)} instead of {', '.join(names)}")
    return list(hints.values())[: len(names)]


def _known(thing: Any, scope: dict[str, Any]) -> str:
    """The name in `scope` by which an expression reaches a type or function."""
    name = f"known_{len(scope)}_{getattr(thing, '__name__', 'thing').strip('<>')}"
    scope[name] = thing
    return name
