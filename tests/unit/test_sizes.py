"""Files and functions stay small enough to be read at once."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILE_LINES = {"service": 400, "loadtest": 400, "tests": 500}
LUA_LINES = 150
LONGER = {
    "service/readstate/store/lua.py": 480,  # a declaration for each script
    "tests/lua/test_cost_formulas.py": 870,  # a case for each script
    "tests/mutants/mutations.py": 780,  # a line or two for each mutation
    "tests/support/machine.py": 620,  # a rule for each operation
}
FUNCTION_LINES = 60
COLUMNS, COMMENT_COLUMNS = 120, 100


def files(folder: str, ending: str) -> list[Path]:
    found = sorted(path for path in (ROOT / folder).rglob(f"*.{ending}") if "node_modules" not in path.parts)
    assert found, f"{folder} has no file that ends with .{ending}"
    return found


def too_long(paths: list[Path], most: int) -> dict[str, int]:
    lines = {path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines()) for path in paths}
    return {name: count for name, count in lines.items() if count > LONGER.get(name, most)}


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """The name and the number of lines of every function in a file, decorators left out."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield f"{path.relative_to(ROOT).as_posix()}:{node.name}", node.end_lineno - node.lineno + 1


@pytest.mark.parametrize("folder", FILE_LINES)
def test_no_python_file_is_too_long(folder: str) -> None:
    """A longer one has more than one idea in it."""
    assert too_long(files(folder, "py"), FILE_LINES[folder]) == {}


def test_no_script_is_too_long() -> None:
    """Each is read from its header to its last line."""
    assert too_long(files("lua", "lua"), LUA_LINES) == {}


def test_no_line_of_a_script_is_too_long() -> None:
    """As ruff holds it for Python: code up to 120 columns, comments up to 100."""
    wide = [
        f"{path.relative_to(ROOT).as_posix()}:{number}"
        for path in files("lua", "lua")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if len(line) > (COMMENT_COLUMNS if line.lstrip().startswith("--") else COLUMNS)
    ]
    assert wide == []


@pytest.mark.parametrize("folder", ["service", "loadtest", "tests"])
def test_no_function_is_too_long(folder: str) -> None:
    """One screen shows it whole."""
    long = {name: lines for path in files(folder, "py") for name, lines in functions(path) if lines > FUNCTION_LINES}
    assert long == {}
