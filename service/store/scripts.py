"""The scripts: files of `lua/`, put together with what they use of the libraries.

A line `--@include lib/name` stands for `lua/lib/name.lua`, a line `--@plan` for the library of the plan that runs. A library is a
row of definitions, each `local function ... end` or one `local` line. A script gets those that it uses, directly or through others,
dependencies first, each under a line that names where it stands: making a function costs 0.1 us in every call, used or not. A constant
(`local NAME = 12`) is put in as its value, for a variable that a function refers to has its price as well.
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
_COMMENT = re.compile(r"--.*$", re.MULTILINE)
_DIRECTIVE = re.compile(r"^--@(?:include (?P<library>\S+)|(?P<plan>plan))$", re.MULTILINE)


class Script(Struct, frozen=True):
    """One operation as the server knows it: its text and the SHA-1 by which it is called."""

    name: str
    text: bytes
    sha: str
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
    parts = [f"-- {definition.place}\n{definition.text}" for definition in used if not _constant(definition)]
    code = _WORD.sub(lambda word: constants.get(word[0], word[0]), "\n".join([*parts, f"-- {path.name}:2\n{rest}"]))
    text = f"{shebang}\n{code}".encode()
    return Script(name=path.stem, text=text, sha=hashlib.sha1(text, usedforsecurity=False).hexdigest(), writes="no-writes" not in shebang)


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
