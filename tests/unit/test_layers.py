"""The arrows between the layers, held against the imports of every file: dialects -> domain <-
store, and webhooks -> domain.
"""

import ast
import graphlib
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

import pytest

from readstate.app import create_app
from readstate.settings import Settings

SERVICE = Path(__file__).resolve().parents[2] / "service" / "readstate"

FORBIDDEN = {
    "domain": (
        "litestar",
        "redis",
        "hiredis",
        "readstate.dialects",
        "readstate.store",
        "readstate.webhooks",
        "readstate.app",
    ),
    "dialects": ("redis", "hiredis", "readstate.store", "readstate.webhooks", "readstate.app"),
    "settings": ("litestar", "redis", "hiredis", "readstate.dialects", "readstate.store", "readstate.webhooks"),
    "store": ("litestar", "readstate.dialects", "readstate.webhooks", "readstate.app"),
    "process": ("readstate.app", "readstate.parts", "readstate.worker_app", "readstate.cli"),
    "webhooks": ("litestar", "redis", "hiredis", "readstate.dialects", "readstate.store", "readstate.app"),
}
ALLOWED = {"dialects": ("readstate.webhooks.forms",)}  # what a dialect's own webhooks are made of


def imported_by(path: Path) -> set[str]:
    """Every module that a file imports, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{name.name}" for name in node.names)}
    return found


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


@pytest.mark.parametrize("layer", FORBIDDEN)
def test_a_layer_imports_nothing_from_beyond_its_arrow(layer: str) -> None:
    """Adapters and stores know the domain.

    The domain knows neither, and they do not know each other.
    """
    files = list((SERVICE / layer).rglob("*.py"))
    assert files, f"{layer} is empty"
    wrong = {
        f"{path.relative_to(SERVICE)} imports {module}"
        for path in files
        for module in imported_by(path)
        for package in FORBIDDEN[layer]
        if within(module, package) and not any(within(module, allowed) for allowed in ALLOWED.get(layer, ()))
    }
    assert not wrong


def test_only_the_store_speaks_redis() -> None:
    """All Redis commands live in readstate/store, so no other file needs the driver."""
    others = [path for path in SERVICE.rglob("*.py") if "store" not in path.relative_to(SERVICE).parts]
    wrong = {
        str(path.relative_to(SERVICE))
        for path in others
        if any(within(module, "redis") for module in imported_by(path))
    }
    assert not wrong


def test_no_imports_form_a_circle() -> None:
    """Not even those inside functions and those for types only: each file can be read after what it
    builds on.
    """
    files = {module_name(path): path for path in SERVICE.rglob("*.py")}
    graph = {
        module: {imported for imported in imported_modules(path, files.keys()) if imported != module}
        for module, path in files.items()
    }
    assert graph["readstate.store.connect"] >= {"readstate.store.cluster", "readstate.store.executor"}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        raise AssertionError(" is imported by ".join(error.args[1])) from None


def module_name(path: Path) -> str:
    parts = path.relative_to(SERVICE.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def imported_modules(path: Path, modules: Collection[str]) -> set[str]:
    """Those of `modules` that a file names: of `from package import module` the module, not the
    package.
    """
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{name.name}" for name in node.names}
            found |= {name if name in modules else node.module for name in names}
    return found.intersection(modules)


DIALECTS = sorted(path.parent.name for path in (SERVICE / "dialects").glob("*/api.py"))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_dialect_imports_no_other_dialect(dialect: str) -> None:
    """What two of them need stands beside them, so that one can be added or removed as a folder."""
    assert len(DIALECTS) >= 3
    others = [f"readstate.dialects.{other}" for other in DIALECTS if other != dialect]
    wrong = {
        f"{path.relative_to(SERVICE)} imports {module}"
        for path in (SERVICE / "dialects" / dialect).rglob("*.py")
        for module in imported_by(path)
        for other in others
        if within(module, other)
    }
    assert not wrong


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_same_part_has_the_same_file_in_each_dialect(dialect: str) -> None:
    """As docs/dialects.md lists them."""
    folder = SERVICE / "dialects" / dialect
    for part in ("api", "auth", "operation", "reply", "errors", "vocabulary"):
        assert (folder / f"{part}.py").is_file(), part
    assert (folder / "schemas.py").is_file() or (folder / "schemas").is_dir()


def test_each_folder_is_joined_by_its_name() -> None:
    settings = Settings(redis_url="unix:///nowhere", api_key="a" * 32, client_key="c" * 32, token_secret="t" * 32)
    assert sorted(dialect.name for dialect in create_app(settings).dialects) == DIALECTS


def test_what_dialects_share_knows_none_of_them() -> None:
    """So does everything else but app.py, which has one line for each, and the deliverer's form."""
    packages = [f"readstate.dialects.{dialect}" for dialect in DIALECTS]
    wrong = {
        f"{path.relative_to(SERVICE)} imports {module}"
        for path in SERVICE.rglob("*.py")
        if not any((SERVICE / "dialects" / dialect) in path.parents for dialect in DIALECTS)
        for module in imported_by(path)
        for package in packages
        if within(module, package)
    }
    assert {line.partition(" ")[0] for line in wrong} == {"app.py", "deliverer_app.py"}


def test_the_supervisor_imports_no_metrics() -> None:
    """They may be imported only when the directory for the numbers of all processes is named."""
    program = "import sys, readstate.process.supervisor; print('readstate.metrics' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "False\n"
    )


@pytest.mark.parametrize("module", ["readstate.cli.deliver", "readstate.process.supervisor"])
def test_what_answers_no_requests_loads_no_web_framework(module: str) -> None:
    """The process of a deliverer, and the supervisor, start sooner and smaller without it."""
    found = f"import sys, {module}; sys.exit('litestar' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", found], check=False).returncode == 0
