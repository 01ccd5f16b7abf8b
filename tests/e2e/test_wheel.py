"""The wheel: built here, installed into an environment of its own, and served from there."""

import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.support.processes import ServiceProcess, clean_environ
from tests.support.servers import short_directory

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, as `make wheel` builds it."""
    place = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(place)],
        cwd=ROOT,
        check=True,
    )
    return next(place.glob("readstate-*.whl"))


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bare environment with the wheel in it.

    The dependencies are those of this one, so that no network is needed.
    """
    place = tmp_path_factory.mktemp("environment")
    venv.create(place, with_pip=False)
    command = [sys.executable, "-m", "pip", "--python", str(place), "install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(command, check=True, capture_output=True)
    packages = next(place.glob("lib/python*/site-packages"))
    # Without the checkout's .pth: only lines of a .pth file are followed, not files beside it.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return place


def test_it_carries_the_code_the_scripts_and_the_licence(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    scripts = {f"readstate/{path.relative_to(ROOT)}" for path in (ROOT / "lua").rglob("*.lua")}
    modules = {str(path.relative_to(ROOT / "service")) for path in (ROOT / "service").rglob("*.py")}
    page = {
        f"readstate/dialects/docs_page/{name}" for name in ("page.html", "page.css", "page.js", "rapidoc-min.js.gz")
    }
    assert scripts | modules | page | {"readstate/py.typed"} <= names
    assert {name.rpartition("/")[2] for name in names if "/licenses/" in name} == {"LICENSE", "rapidoc.LICENSE.txt"}


def test_it_carries_nothing_else(wheel: Path) -> None:
    assert {name.partition("/")[0].partition("-")[0] for name in zipfile.ZipFile(wheel).namelist()} == {"readstate"}


def test_the_installed_code_is_the_wheels(environment: Path) -> None:
    """Otherwise the test below would test the checkout."""
    program = (
        "import readstate.cli.main; from readstate.store.scripts import lua_dir; "
        "print(readstate.cli.main.__file__, lua_dir())"
    )
    run = subprocess.run(
        [environment / "bin" / "python", "-c", program],
        cwd=environment,
        env=clean_environ(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert [Path(place).is_relative_to(environment) for place in run.stdout.split()] == [True, True]


def test_it_serves_from_the_wheel(environment: Path) -> None:
    """Ready means that every script was found and loaded."""
    with short_directory() as directory:
        command = [str(environment / "bin" / "readstate"), "serve"]
        with ServiceProcess(directory / "data", command, workers=2) as service:
            assert service.get("/readyz")[0] == 200


@pytest.mark.parametrize("command", ["serve", "replay", "audit", "apps"])
def test_every_command_is_there(environment: Path, command: str) -> None:
    run = subprocess.run(
        [environment / "bin" / "readstate", command, "--help"],
        env=clean_environ(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"readstate {command}" in run.stdout
