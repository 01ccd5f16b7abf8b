"""The scripts: files of `lua/`, assembled into one library of functions that the server keeps
(FUNCTION LOAD, FCALL).

A script declares its arguments and its reply in its header (script_headers.py), and finds its key
as `key` and each argument as a local of the declared name.

A line `--@include lib/name` stands for `lua/lib/name.lua`, a line `--@plan` for the library of the
plan that runs. Such a library is a row of definitions, each `local function ... end` or one `local`
statement. They come first, each under a line that names where it stands, dependencies before what
needs them; then each script as a function. A constant (`local NAME = 12`) is put in as its value. A
variable `local NAME = ARG.name` holds that argument of the script that is called. Any other
variable is set anew in every call, unless its text ends in `-- kept`.

Why functions and not EVALSHA: the server runs a script's text from its first line in every call and
so makes each of its functions anew, for 0.1 us each. Why one library: what they share is there
once, and the server's garbage collector goes over all of it again and again (docs/decisions/0008).
The scripts of the audit (`audit_*.lua`), those of export and import, and those that erase a user
are libraries of their own. The command loads the one that it needs, so no other call pays for it.
All names end in a digest of the whole: two versions of the service can work on one server.

A script's first line is `#!lua` and may end in one of two flags:

    flags=no-writes   It writes nothing. The server holds it to that.
    flags=allow-oom   It runs although the server has reached its maxmemory. For what frees memory
                      (deleting, leaving, delivering) with all that follows from it, and for what
                      must go on and keeps little (counting calls, putting members in order).

Any other script is then refused with OOM before it begins. None is stopped in the middle: the
server looks at its memory before a script and not within (`pre_command_oom_state` in src/script.c
of Valkey). It checks MISCONF, NOREPLICAS and READONLY before a script as well.

What a script costs at most stands in its header, as `-- Cost       commands <= 6 + 2 * members,
turns <= members`: the Redis commands that it runs, and how often the bodies of its loops are
entered, those of the libraries, of `string.gmatch` and of taking a list of arguments included. The
formulas are Python's, with `min`, `max` and `log` (of base 2, rounded up); lines below say what a
name means where it is not plain. `members` and `lot` are users, `tags` those of a room.
tests/lua/test_cost_formulas.py runs each script at its limits and counts.

Three things come on top. On the split plan a script that writes runs one more command first
(guards.py), and a call that is repeated pushes up to 500 pending updates of the room, with two
commands and five turns each. And where an older version has written a user's
side, the first tag set that comes or goes takes one walk over all of that user's tag sets.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from functools import cache
from pathlib import Path
from typing import Literal

from msgspec import Struct

from readstate.store.guards import OTHER_KEYS, guard
from readstate.store.script_functions import SLICE, as_function, bind, flags_of
from readstate.store.script_headers import Header, read_header

Plan = Literal["atomic", "split"]

_WORD = re.compile(r"[A-Za-z_]\w*")
_DEFINITION = re.compile(
    r"^local function (?P<function>\w+)\(.*?^end$"
    r"|^local (?P<names>[\w, ]+?)(?: = \{\n.*?^\}[^\n]*| =[^\n]*)?$"
    r"|^(?P<stray>[^\s-][^\n]*|-[^-][^\n]*)$",
    re.MULTILINE | re.DOTALL,
)
_CONSTANT = re.compile(r"local [A-Z_]+ = (\d[\d *]*|\"[^\"]*\")(?: --.*)?$")
_ARGUMENT = re.compile(r"local \w+ = ARG\.(\w+)$")
_WORDS_AND_OTHERS = re.compile(r"\"(?:\\.|[^\"\\])*\"|--[^\n]*|[A-Za-z_]\w*")
_DIRECTIVE = re.compile(r"^--@(?:include (?P<library>\S+)|(?P<plan>plan))$", re.MULTILINE)


FEW = 3  # scripts; a library that more of them use stands before all of them
PREFIX = "readstate_"  # of every library and function of ours
# What a script's name begins with, and the library that scripts of such names are in.
_APART = {"audit": "audit_", "export": "transfer_", "import": "transfer_", "erase": "people_"}


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
    for directory in (package / "lua", package.parent.parent / "lua"):
        if (directory / "lib").is_dir():
            return directory
    raise ScriptError(f"no lua/ inside {package} or in its checkout; reinstall readstate")


def load_scripts(plan: Plan, directory: Path | None = None) -> dict[str, Script]:
    """Every script of `directory` (lua_dir()) by name, for `plan`; put together once."""
    return _load(plan, directory or lua_dir())


@cache
def _load(plan: Plan, root: Path) -> dict[str, Script]:
    libraries: dict[str, dict[str, str]] = {}
    for name, body in script_texts(root).items():
        libraries.setdefault(_APART.get(name.partition("_")[0], ""), {})[name] = body
    scripts: dict[str, Script] = {}
    for library, bodies in libraries.items():
        scripts |= _put_together(bodies, library + plan, plan, root)
    return scripts


def _put_together(bodies: Mapping[str, str], library_name: str, plan: Plan, root: Path) -> dict[str, Script]:
    """These scripts as one library."""
    libraries: dict[str, _Library] = {}
    headers = {name: read_header(name, body) for name, body in bodies.items()}
    for name, body in bodies.items():
        for library in _included(body, plan):
            _collect(library, root, plan, libraries, (name,))
    used = {name: _used(_included(body, plan), libraries) for name, body in bodies.items()}
    places = _places([definition for library in libraries.values() for definition in library.definitions])
    for name, header in headers.items():
        _check_arguments(name, header, [libraries[library] for library in used[name]], places.keys())
    guards = {name: _guard(plan, body, used[name], libraries) for name, body in bodies.items()}
    code = _assemble(libraries, used, bodies, headers, guards)
    digest = hashlib.sha1(code.encode(), usedforsecurity=False).hexdigest()[:16]
    named = _named(library_name, digest)
    made = Library(name=named, text=f"#!lua name={named}\n{code.replace(_DIGEST, digest)}".encode())
    return {
        name: Script(
            name=name,
            function=_named(name, digest),
            lib=made,
            writes="no-writes" not in flags_of(body),
            when_full=bool(flags_of(body)),
        )
        for name, body in bodies.items()
    }


def script_texts(directory: Path | None = None) -> dict[str, str]:
    """The files of all scripts by name."""
    root = directory or lua_dir()
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted(root.glob("*.lua"))}


class _Definition(Struct, frozen=True):
    """One definition of a library."""

    place: str  # file and line
    names: frozenset[str]
    text: str
    constant: str | None  # the value of a constant
    argument: str | None  # what a variable of this name holds

    @property
    def is_variable(self) -> bool:
        """Whether every call sets it anew: neither a function nor marked as kept between calls."""
        return not (self.text.startswith("local function") or self.text.endswith("-- kept") or self.constant)


class _Library(Struct, frozen=True):
    """A file of lua/lib."""

    definitions: list[_Definition]
    includes: list[str]
    words: frozenset[str]  # in the definitions


_DIGEST = "<digest>"


def _places(definitions: Sequence[_Definition]) -> dict[str, str]:
    """Where each name is defined. All stand in one scope, so each is defined once."""
    places: dict[str, str] = {}
    for definition in definitions:
        for name in definition.names:
            if name in places:
                raise ScriptError(f"{definition.place}: {name} is defined at {places[name]} already")
            places[name] = definition.place
    return places


def _check_arguments(name: str, header: Header, libraries: Sequence[_Library], defined: Set[str]) -> None:
    """No argument hides a definition, and the script declares every argument that its libraries
    use.
    """
    declared = {argument.name for argument in header.arguments} | {"key"}
    if hidden := declared & defined:
        raise ScriptError(f"{name}.lua: {', '.join(sorted(hidden))} is defined in a library already")
    for definition in (definition for library in libraries for definition in library.definitions):
        if definition.argument not in (None, *declared):
            raise ScriptError(f"{name}.lua: {definition.place} needs the argument {definition.argument}")


def _guard(plan: Plan, body: str, used: Set[str], libraries: Mapping[str, _Library]) -> str:
    """What a script does first on this plan (guards.py)."""
    if plan == "atomic" or "no-writes" in flags_of(body) or OTHER_KEYS not in used:
        return ""
    return guard([body, *(one.text for name in used for one in libraries[name].definitions)])


def _named(what: str, digest: str) -> str:
    return f"{PREFIX}{what}_{digest}"


def _assemble(
    libraries: Mapping[str, _Library],
    used: Mapping[str, frozenset[str]],
    bodies: Mapping[str, str],
    headers: Mapping[str, Header],
    guards: Mapping[str, str],
) -> str:
    """The library's code, with _DIGEST for the digest of all of it."""
    definitions = [definition for library in libraries.values() for definition in library.definitions]
    constants = {next(iter(one.names)): one.constant for one in definitions if one.constant}
    reset = [_set_anew(one) for one in definitions if one.is_variable and not one.argument]
    given = {next(iter(one.names)): one.argument for one in definitions if one.argument}
    assigned = [f"{variable} = {argument}_given" for variable, argument in given.items()]
    parameters = ", ".join(f"{argument}_given" for argument in given.values())
    shared = _shared(libraries, used)
    counts = Counter(word for library in libraries.values() for word in library.words)
    common = frozenset(word for word, count in counts.items() if count > 1)
    parts = [
        *_in_blocks(libraries, shared, common, bodies.values()),
        SLICE,
        "\n".join([f"local function begin({parameters})", _BINDING, *assigned, *reset, "end"]),
    ]
    for group in _groups({name: names - shared for name, names in used.items()}):
        own = frozenset[str]().union(*(used[name] for name in group)) - shared
        parts += ["do", *_in_blocks(libraries, own, common, [bodies[name] for name in group])]
        parts += [
            as_function(name, _named(name, _DIGEST), bodies[name], headers[name], [*given.values()], guards[name])
            for name in group
        ]
        parts.append("end")
    code = _WORDS_AND_OTHERS.sub(lambda match: constants.get(match[0], match[0]), "\n".join(parts))
    return bind(code, at=_BINDING)


def _used(included: Sequence[str], libraries: Mapping[str, _Library]) -> frozenset[str]:
    """The libraries that are included, by others as well."""
    return frozenset(included).union(*(_used(libraries[name].includes, libraries) for name in included))


def _shared(libraries: Mapping[str, _Library], used: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Libraries of more than a few scripts, and those with variables, which `begin` sets."""
    users = Counter(name for names in used.values() for name in names)
    found = [
        name
        for name, library in libraries.items()
        if users[name] > FEW or any(one.is_variable for one in library.definitions)
    ]
    return _used(found, libraries)


def _groups(own: Mapping[str, frozenset[str]]) -> list[list[str]]:
    """The scripts, those together that use a library which is not shared.

    Each group stands in a block with its libraries: Lua allows 200 local variables in one place.
    """
    groups: list[tuple[list[str], frozenset[str]]] = []
    for name, libraries in own.items():
        joined = [group for group in groups if group[1] & libraries]
        groups = [group for group in groups if not group[1] & libraries]
        names = [member for group in joined for member in group[0]]
        groups.append(([*names, name], libraries.union(*(group[1] for group in joined))))
    return [names for names, _ in groups]


_BINDING = "-- binding"


def _in_blocks(
    libraries: Mapping[str, _Library], chosen: Set[str], common: frozenset[str], scripts: Iterable[str]
) -> Iterator[str]:
    """The definitions of the chosen libraries, which these scripts and other libraries use.

    `common`: the words of more than one library.
    """
    used = common.union(*map(_WORD.findall, scripts))
    return (_in_block(library, used) for name, library in libraries.items() if name in chosen)


def _in_block(library: _Library, used: Set[str]) -> str:
    """A library's definitions, those for itself in a block: Lua allows 200 local variables."""
    kept = [one for one in library.definitions if not one.constant]
    shown = [one for one in kept if one.is_variable or one.names & used]
    names = ", ".join(name for one in shown for name in sorted(one.names))
    inside = "\n".join(
        f"-- {one.place}\n{one.text.removeprefix('local ') if one in shown else one.text}"
        for one in kept
        if not one.is_variable
    )
    return f"local {names}\ndo\n{inside}\nend" if names else f"do\n{inside}\nend"


def _set_anew(definition: _Definition) -> str:
    names, _, value = definition.text.removeprefix("local ").partition(" = ")
    return f"{names} = {value or 'nil'}"


def _included(text: str, plan: Plan) -> list[str]:
    return [match["library"] or f"lib/plan_{plan}" for match in _DIRECTIVE.finditer(text)]


def _collect(library: str, root: Path, plan: Plan, libraries: dict[str, _Library], within: tuple[str, ...]) -> None:
    """Add the definitions of `library` to `libraries` after those of everything that it includes
    itself.
    """
    if library in within:
        raise ScriptError(f"lua/{library}.lua includes itself: {' -> '.join((*within, library))}")
    if library in libraries:
        return
    path = root / f"{library}.lua"
    if not path.is_file():
        raise ScriptError(f"{path} is missing; it is included by {within[-1]}")
    text = path.read_text(encoding="utf-8")
    includes = _included(text, plan)
    for inner in includes:
        _collect(inner, root, plan, libraries, (*within, library))
    definitions = list(_definitions(text, path.name))
    words = frozenset(_WORD.findall(" ".join(definition.text for definition in definitions)))
    libraries[library] = _Library(definitions, includes, words)


def _definitions(text: str, file: str) -> Iterator[_Definition]:
    """The definitions of a library in their order.

    Anything else at the left margin but a comment is an error.
    """
    for match in _DEFINITION.finditer(text):
        if match["stray"]:
            raise ScriptError(f"{file}: not a definition: {match['stray']}")
        line = text.count("\n", 0, match.start()) + 1
        constant, argument = _CONSTANT.match(match[0]), _ARGUMENT.match(match[0])
        yield _Definition(
            place=f"{file}:{line}",
            names=frozenset(_WORD.findall(match["function"] or match["names"])),
            text=match[0],
            constant=constant and constant[1],
            argument=argument and argument[1],
        )
