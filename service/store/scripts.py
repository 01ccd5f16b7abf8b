"""The scripts: files of `lua/`, put together with the libraries they include.

A line `--@include lib/name` stands for `lua/lib/name.lua`, a line `--@plan` for the library of the plan that runs. Libraries hold
functions only; each is put in once, before whoever needs it, under a line that names its file.
"""

import hashlib
import re
from pathlib import Path
from typing import Literal

from msgspec import Struct

Plan = Literal["atomic", "split"]

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


def _assemble(path: Path, root: Path, plan: Plan) -> Script:
    body = path.read_text(encoding="utf-8")
    shebang, _, rest = body.partition("\n")
    libraries: dict[str, str] = {}
    for library in _included(rest, plan):
        _collect(library, root, plan, libraries, (path.stem,))
    parts = [shebang, *(f"-- lua/{name}.lua\n{text}" for name, text in libraries.items()), f"-- lua/{path.name}\n{rest}"]
    text = "\n".join(parts).encode()
    return Script(name=path.stem, text=text, sha=hashlib.sha1(text, usedforsecurity=False).hexdigest(), writes="no-writes" not in shebang)


def _included(text: str, plan: Plan) -> list[str]:
    return [match["library"] or f"lib/plan_{plan}" for match in _DIRECTIVE.finditer(text)]


def _collect(library: str, root: Path, plan: Plan, libraries: dict[str, str], within: tuple[str, ...]) -> None:
    """Add `library` to `libraries` after everything that it includes itself."""
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
    libraries[library] = text
