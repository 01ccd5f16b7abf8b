"""What must hold before a version is released, and what is published beside it.

`make release-check` runs it. It needs the tools of requirements-release.txt, in .venv-release, and
a package index for the dependencies. In dist/release it leaves the wheel, the source distribution,
`constraints.txt` (the pins, for `pip install --constraint`), `licences.md` and `sbom.json`.
"""

import json
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PLACE = ROOT / "dist" / "release"
TOOLS = ROOT / ".venv-release" / "bin"
# Licences that may stand beside ours in one installation. Another one is looked at by a person.
LICENCES = re.compile(r"Apache|MIT|BSD|ISC|PSF|Python Software Foundation|MPL|Mozilla|Unlicense", re.IGNORECASE)


def version() -> str:
    """The version that pyproject.toml has."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["version"])


def constraints() -> str:
    """The pins of what is installed, extras too, without their hashes: a constraint has none."""
    lines = (ROOT / "requirements-otel.txt").read_text(encoding="utf-8").splitlines()
    return "".join(line.removesuffix("\\").rstrip() + "\n" for line in lines if re.match("[a-zA-Z0-9]", line))


def released_versions() -> list[str]:
    """The versions in CHANGELOG.md, the newest first."""
    return re.findall(r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)


def rises(versions: list[str]) -> bool:
    """Whether each version is above the one that follows it."""
    numbers = [tuple(map(int, one.split("."))) for one in versions]
    return all(newer > older for newer, older in pairwise(numbers))


def run(*command: object, stdout: Path | None = None) -> None:
    """Run a command. Its failure ends the check."""
    words = [str(word) for word in command]
    print("+", " ".join(Path(word).name if word == words[0] else word for word in words), flush=True)
    if stdout is None:
        subprocess.run(words, cwd=ROOT, check=True)
    else:
        with stdout.open("w", encoding="utf-8") as file:
            subprocess.run(words, cwd=ROOT, check=True, stdout=file)


def check_versions() -> None:
    versions = released_versions()
    if versions[0] != version() or not rises(versions):
        raise SystemExit(f"CHANGELOG.md has {versions}, and pyproject.toml {version()}")


def build() -> tuple[Path, Path]:
    """The wheel and the source distribution. A wheel that is built from the latter is the same."""
    run(sys.executable, "-m", "hatchling", "build", "--directory", PLACE)
    (wheel,), (source,) = PLACE.glob("*.whl"), PLACE.glob("*.tar.gz")
    run(TOOLS / "twine", "check", "--strict", wheel, source)
    unpacked = PLACE / "unpacked"
    with tarfile.open(source) as archive:
        archive.extractall(unpacked, filter="data")
    (inside,) = unpacked.iterdir()
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", unpacked],
        cwd=inside,
        check=True,
    )
    (again,) = unpacked.glob("*.whl")
    if contents(again) != contents(wheel):
        raise SystemExit("the wheel of the source distribution has other files")
    shutil.rmtree(unpacked)
    return wheel, source


def contents(wheel: Path) -> dict[str, int]:
    """The files of a wheel with their checksums."""
    return {one.filename: one.CRC for one in zipfile.ZipFile(wheel).infolist() if not one.filename.endswith("/RECORD")}


def install(wheel: Path) -> Path:
    """The Python of a bare environment into which pip has installed the wheel, held to the pins."""
    place = PLACE / "environment"
    venv.create(place, with_pip=True)
    python = place / "bin" / "python"
    run(python, "-m", "pip", "--quiet", "install", "--constraint", PLACE / "constraints.txt", wheel)
    run(python, "-m", "pip", "check")
    run(place / "bin" / "readstate", "--help", stdout=PLACE / "help.txt")
    (PLACE / "help.txt").unlink()
    return python


def unknown_licences(listed: Path) -> Iterator[str]:
    """What is installed under a licence that is not in LICENCES."""
    for one in json.loads(listed.read_text(encoding="utf-8")):
        if not LICENCES.search(one["License"]):
            yield f"{one['Name']}: {one['License']}"


def list_parts(python: Path) -> None:
    """Write the licences and the SBOM of what is installed. Raises SystemExit for a licence."""
    licences = [
        TOOLS / "pip-licenses",
        f"--python={python}",
        "--from=mixed",
        "--ignore-packages",
        "readstate",
        "pip",
        "setuptools",
    ]
    listed = PLACE / "licences.json"
    run(*licences, "--format=json", stdout=listed)
    if found := list(unknown_licences(listed)):
        raise SystemExit(f"look at these licences: {'; '.join(found)}")
    listed.unlink()
    run(*licences, "--format=markdown", stdout=PLACE / "licences.md")
    run(
        TOOLS / "cyclonedx-py", "environment", "--pyproject", ROOT / "pyproject.toml", "--output-reproducible",
        "--output-file", PLACE / "sbom.json", python,
    )  # fmt: skip


def main() -> None:
    """Check everything, and say what was made."""
    shutil.rmtree(PLACE, ignore_errors=True)
    PLACE.mkdir(parents=True)
    check_versions()
    (PLACE / "constraints.txt").write_text(constraints(), encoding="utf-8")
    wheel, _ = build()
    list_parts(install(wheel))
    shutil.rmtree(PLACE / "environment")
    print(f"readstate {version()}: {', '.join(sorted(path.name for path in PLACE.iterdir()))}")


if __name__ == "__main__":
    main()
