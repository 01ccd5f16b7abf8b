"""The scripts: files of `lua/`, put together with what they use of the libraries, as functions that the server keeps (FUNCTION LOAD).

A line `--@include lib/name` stands for `lua/lib/name.lua`, a line `--@plan` for the library of the plan that runs. A library is a
row of definitions, each `local function ... end` or one `local` line. A script gets those that it uses, directly or through others,
dependencies first, each under a line that names where it stands. A constant (`local NAME = 12`) is put in as its value; any other
variable is set anew in every call, unless its line ends in `-- kept`.

Why functions and not EVALSHA: the server runs a script's text from its first line in every call and so makes each of its functions anew,
for 0.1 us each (docs/decisions/0008). A function's name ends in a digest of its text: two versions of the service can work on one server.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
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
_LIBRARY = re.compile(r"\b(?:redis|cmsgpack|struct|math|string|table)\.[a-z_0-9]+|\b(?<!\.)(?:unpack|tonumber|ipairs|select)(?=\()")
_COMMENT = re.compile(r"--.*$", re.MULTILINE)
_DIRECTIVE = re.compile(r"^--@(?:include (?P<library>\S+)|(?P<plan>plan))$", re.MULTILINE)


PREFIX = "readstate_"  # of every library and function of ours


class Script(Struct, frozen=True):
    """One operation as the server knows it: a library with one function of the same name."""

    name: str  # of the operation
    function: str  # by which it is called
    text: bytes
    writes: bool  # False: the text says `flags=no-writes`


class ScriptError(Exception):
    """A script file is missing or includes itself; the message names the path."""


def lua_dir() -> Path:
    """The directory of the scripts: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent
    for place in (package / "lua", package.parent / "lua"):
        if (place / "lib").is_dir():
            return place
    raise ScriptError(f"no lua/ beside or inside {package}; reinstall readstate")


def load_scripts(plan: Plan, directory: Path | None = None) -> dict[str, Script]:
    """Every script of `directory` (default: lua_dir()) by name, assembled for `plan`."""
    root = directory or lua_dir()
    return {path.stem: _assemble(path, root, plan) for path in sorted(root.glob("*.lua"))}


class _Definition(Struct, frozen=True):
    """One definition of a library."""

    place: str  # file and line
    names: frozenset[str]
    text: str


def _assemble(path: Path, root: Path, plan: Plan) -> Script:
    body = path.read_text(encoding="utf-8")
    shebang, _, rest = body.partition("\n")
    libraries: dict[str, list[_Definition]] = {}
    for library in _included(rest, plan):
        _collect(library, root, plan, libraries, (path.stem,))
    used = _used(rest, [definition for definitions in libraries.values() for definition in definitions])
    constants = {next(iter(definition.names)): value for definition in used if (value := _constant(definition))}
    used = [definition for definition in used if not _constant(definition)]
    functions = [f"-- {definition.place}\n{_declared(definition)}" for definition in used]
    variables = [_set_anew(definition) for definition in used if _is_variable(definition)]
    code = "\n".join([*functions, "local function run(keys, args)", "KEYS, ARGV = keys, args", *variables, f"-- {path.name}:2", rest])
    code = _bind(_WORD.sub(lambda word: constants.get(word[0], word[0]), code))
    flags = "" if "no-writes" not in shebang else ', flags = {"no-writes"}'
    name = f"{PREFIX}{path.stem}_{hashlib.sha1((code + flags).encode(), usedforsecurity=False).hexdigest()[:16]}"
    register = f'redis.register_function{{function_name = "{name}", callback = run{flags}}}'
    text = f"#!lua name={name}\nlocal KEYS, ARGV\n{code}end\n{register}\n"
    return Script(name=path.stem, function=name, text=text.encode(), writes=not flags)


def _bind(code: str) -> str:
    """The code with the server's and Lua's functions bound to variables at the first call, which spares two look-ups for each use."""
    names = sorted(set(_LIBRARY.findall(code)))
    bound = ", ".join(map(_bound, names))
    code = _LIBRARY.sub(lambda match: _bound(match[0]), code)
    # While a library is loaded, most of them are not there yet.
    first = f"KEYS, ARGV = keys, args\nif not {_bound(names[0])} then {bound} = {', '.join(names)} end"
    return f"local {bound}\n" + code.replace("KEYS, ARGV = keys, args", first, 1)


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


def _collect(library: str, root: Path, plan: Plan, libraries: dict[str, list[_Definition]], within: tuple[str, ...]) -> None:
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


def _used(script: str, definitions: Sequence[_Definition]) -> list[_Definition]:
    """What `script` uses. A definition can only use earlier ones, so one walk from the last to the first finds all."""
    wanted = _words(script)
    used = []
    for definition in reversed(definitions):
        if not wanted.isdisjoint(definition.names):
            wanted |= _words(definition.text)
            used.append(definition)
    return used[::-1]


def _constant(definition: _Definition) -> str | None:
    """The value of a constant, None for any other definition."""
    match = _CONSTANT.match(definition.text)
    return match[1] if match else None


def _words(code: str) -> set[str]:
    return set(_WORD.findall(_COMMENT.sub("", code)))
