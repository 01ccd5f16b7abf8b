"""Packages of npm for the tests: those that tests/e2e/package.json names, outside the checkout."""

import shutil
import subprocess
from pathlib import Path

import pytest

_HERE = Path(__file__).parents[1] / "e2e"
_WITHIN_S = 240
# Nothing that a package brings is run while it is installed.
_NPM_CI = ("npm", "ci", "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts")

ABSENT = shutil.which("node") is None or shutil.which("npm") is None
needs_node = pytest.mark.skipif(ABSENT, reason="Node.js and npm are not installed")


def npm_ci(directory: Path, *scripts: str, dev: bool = False) -> subprocess.CompletedProcess[str]:
    """Install into `directory`, and put the named scripts of tests/e2e there.

    `dev`: what is for development, too.
    """
    for name in ("package.json", "package-lock.json", *scripts):
        shutil.copy(_HERE / name, directory)
    omitted = () if dev else ("--omit=dev",)
    return subprocess.run(
        [*_NPM_CI, *omitted], cwd=directory, capture_output=True, text=True, timeout=_WITHIN_S, check=False
    )
