"""The scripts: files of `lua/`, put together as one library of functions that the server keeps (FUNCTION LOAD, FCALL).

A line `--@include lib/name` stands for `lua/lib/name.lua`, a line `--@plan` for the library of the plan that runs. Such a library is a
row of definitions, each `local function ... end` or one `local` line. They come first, each under a line that names where it stands,
dependencies before what needs them; then each script as a function. A constant (`local NAME = 12`) is put in as its value; any other
variable is set anew in every call, unless its line ends in `-- kept`.

Why functions and not EVALSHA: the server runs a script's text from its first line in every call and so makes each of its functions anew,
for 0.1 us each. Why one library: what they share is there once, and the server's garbage collector goes over all of it again and again
(docs/decisions/0008). All names end in a digest of the whole: two versions of the service can work on one server.

A script's first line is `#!lua` and may end in one of two flags:

    flags=no-writes   It writes nothing. The server holds it to that.
    flags=allow-oom   It runs although the server has reached its maxmemory. For what frees memory
                      (deleting, leaving, delivering) with all that follows from it, and for what
                      must go on and keeps little (counting calls, putting members in order).

Any other script is then refused with OOM before it begins. None is stopped in the middle: the server
looks at its memory before a script and not within (`pre_command_oom_state` in src/script.c of Valkey).
It checks MISCONF, NOREPLICAS and READONLY before a script as well.

What a script costs at most stands in its header, as `-- Cost       commands <= 6 + 2 * members, turns <= members`: the Redis commands
that it runs, and how often the bodies of its loops are entered, those of the libraries and of `string.gmatch` included. The formulas
are Python's, with `min`, `max` and `log` (of base 2, rounded up); lines below say what a name means where it is not plain. `members` and
`lot` are users, `tags` those of a room. tests/lua/test_cost_formulas.py runs each script at its limits and counts.

Two things come on top. On the split plan, a call that is repeated tells up to 500 members whom the
room still owes news, with two commands and five turns each. And where an older version has written a
user's side, the first tag set that comes or goes takes one walk over all of that user's tag sets.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

from msgspec import Struct

Plan = Literal["atomic", "split"]

_WORD = re.compile(r"[A-Za-z_]\w*")
_DEFINITION = re.compile(
    r"^local function (?P<function>\w+)\(.*?^end$"
    r"|^local (?P<names>[\w, ]+?)(?: =[^\n]*)?$"
    r"|^(?P<stray>[^\s-][^\n]*|-[^-][^\n]*)$",
    re.MULTILINE | re.DOTALL,
)
_CONSTANT = re.compile(r"local [A-Z_]+ = (\d[\d *]*|\"[^\"]*\")(?: --.*)?$")
_ASSIGNED = re.compile(r" =.*$", re.MULTILINE)
_WORDS_AND_OTHERS = re.compile(r"\"(?:\\.|[^\"\\])*\"|--[^\n]*|[A-Za-z_]\w*")
_LIBRARY = re.compile(
    r"\b(?:redis|cmsgpack|struct|math|string|table)\.[a-z_0-9]+|\b(?<!\.)(?:unpack|tonumber|ipairs|select)(?=\()"
)
_DIRECTIVE = re.compile(r"^--@(?:include (?P<library>\S+)|(?P<plan>plan))$", re.MULTILINE)


PREFIX = "readstate_"  # of every library and function of ours


class Library(Struct, frozen=True):
    """All scripts of a plan, as FUNCTION LOAD takes them."""

    name: str
    text: bytes


class Script(Struct, frozen=True):
    """One operation as the server knows it: a function of the library."""

    name: str  # of the operation
    function: str  # by which it is called
    lib: Library
    writes: bool
    when_full: bool  # whether it runs although the server's memory is full


class ScriptError(Exception):
    """The files do not fit together; the message names the place."""


def lua_dir() -> Path:
    """The directory of the scripts: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    for place in (package / "lua", package.parent.parent / "lua"):
        if (place / "lib").is_dir():
            return place
    raise ScriptError(f"no lua/ inside {package} or in its checkout; reinstall readstate")


def load_scripts(plan: Plan, directory: Path | None = None) -> dict[str, Script]:
    """Every script of `directory` (default: lua_dir()) by name, assembled for `plan`."""
    root = directory or lua_dir()
    libraries: dict[str, list[_Definition]] = {}
    bodies = {path.stem: path.read_text(encoding="utf-8") for path in sorted(root.glob("*.lua"))}
    for name, body in bodies.items():
        for library in _included(body, plan):
            _collect(library, root, plan, libraries, (name,))
    definitions = [definition for library in libraries.values() for definition in library]
    _check_names(definitions)
    code = _assemble(definitions, bodies)
    digest = hashlib.sha1(code.encode(), usedforsecurity=False).hexdigest()[:16]
    named = _named(plan, digest)
    made = Library(name=named, text=f"#!lua name={named}\n{code.replace(_DIGEST, digest)}".encode())
    return {
        name: Script(
            name=name,
            function=_named(name, digest),
            lib=made,
            writes="no-writes" not in _flags(body),
            when_full=bool(_flags(body)),
        )
        for name, body in bodies.items()
    }


class _Definition(Struct, frozen=True):
    """One definition of a library."""

    place: str  # file and line
    names: frozenset[str]
    text: str


_DIGEST = "<digest>"


def _check_names(definitions: Sequence[_Definition]) -> None:
    """All stand in one scope."""
    places: dict[str, str] = {}
    for definition in definitions:
        for name in definition.names:
            if name in places:
                raise ScriptError(f"{definition.place}: {name} is defined at {places[name]} already")
            places[name] = definition.place


def _named(what: str, digest: str) -> str:
    return f"{PREFIX}{what}_{digest}"


def _assemble(definitions: Sequence[_Definition], bodies: Mapping[str, str]) -> str:
    """The library's code, with _DIGEST for the digest of all of it."""
    constants = {next(iter(definition.names)): value for definition in definitions if (value := _constant(definition))}
    others = [definition for definition in definitions if not _constant(definition)]
    begin = ["KEYS, ARGV = keys, args", *(_set_anew(definition) for definition in others if _is_variable(definition))]
    parts = [
        *(f"-- {definition.place}\n{_declared(definition)}" for definition in others),
        "\n".join(["local function begin(keys, args)", *begin, "end"]),
        *(_registered(name, body) for name, body in bodies.items()),
    ]
    code = _WORDS_AND_OTHERS.sub(lambda match: constants.get(match[0], match[0]), "\n".join(parts))
    return "local KEYS, ARGV\n" + _bind(code)


def _registered(name: str, body: str) -> str:
    """A script as a function of the library."""
    _, _, rest = body.partition("\n")
    named = ", ".join(f'"{flag}"' for flag in _flags(body))
    flags = f", flags = {{{named}}}" if named else ""
    callback = f"function(keys, args)\nbegin(keys, args)\n-- {name}.lua:2\n{rest}end"
    return f'redis.register_function{{function_name = "{_named(name, _DIGEST)}"{flags}, callback = {callback}}}'


def _flags(body: str) -> list[str]:
    """Those in a script's first line."""
    return [flag for flag in body.partition("\n")[0].partition("flags=")[2].split(",") if flag]


def _bind(code: str) -> str:
    """The code with the server's and Lua's functions bound to variables at the first call, which spares two look-ups for each use."""
    names = sorted(set(_LIBRARY.findall(code)) - {"redis.register_function"})
    bound = ", ".join(map(_bound, names))
    code = _LIBRARY.sub(lambda match: _bound(match[0]) if match[0] in names else match[0], code)
    # While a library is loaded, most of them are not there yet.
    first = f"if not {_bound(names[0])} then {bound} = {', '.join(names)} end"
    return f"local {bound}\n" + code.replace("KEYS, ARGV = keys, args", f"KEYS, ARGV = keys, args\n{first}", 1)


def _bound(name: str) -> str:
    return name.replace(".", "_") if "." in name else f"lua_{name}"


def _is_variable(definition: _Definition) -> bool:
    """Whether every call sets it anew: neither a function nor marked as kept between calls."""
    return not definition.text.startswith("local function") and not definition.text.endswith("-- kept")


def _declared(definition: _Definition) -> str:
    """A function, or what is kept, as it stands; of a variable its name."""
    return _ASSIGNED.sub("", definition.text) if _is_variable(definition) else definition.text


def _set_anew(definition: _Definition) -> str:
    names, _, value = definition.text.removeprefix("local ").partition(" = ")
    return f"{names} = {value or 'nil'}"


def _included(text: str, plan: Plan) -> list[str]:
    return [match["library"] or f"lib/plan_{plan}" for match in _DIRECTIVE.finditer(text)]


def _collect(
    library: str, root: Path, plan: Plan, libraries: dict[str, list[_Definition]], within: tuple[str, ...]
) -> None:
    """Add the definitions of `library` to `libraries` after those of everything that it includes itself."""
    if library in within:
        raise ScriptError(f"lua/{library}.lua includes itself: {' -> '.join((*within, library))}")
    if library in libraries:
        return
    path = root / f"{library}.lua"
    if not path.is_file():
        raise ScriptError(f"{path} is missing; it is included by {within[-1]}")
    text = path.read_text(encoding="utf-8")
    for inner in _included(text, plan):
        _collect(inner, root, plan, libraries, (*within, library))
    libraries[library] = list(_definitions(text, path.name))


def _definitions(text: str, file: str) -> Iterator[_Definition]:
    """The definitions of a library in their order. Anything else at the left margin but a comment is an error."""
    for match in _DEFINITION.finditer(text):
        if match["stray"]:
            raise ScriptError(f"{file}: not a definition: {match['stray']}")
        line = text.count("\n", 0, match.start()) + 1
        names = match["function"] or match["names"]
        yield _Definition(place=f"{file}:{line}", names=frozenset(_WORD.findall(names)), text=match[0])


def _constant(definition: _Definition) -> str | None:
    """The value of a constant, None for any other definition."""
    match = _CONSTANT.match(definition.text)
    return match[1] if match else None
