"""`python -m tests.mutants [TEXT]`: break the scripts, one slip at a time, and see that the tests
notice.

With TEXT, only mutations whose file or text contains it. Exit code 1 when a mutant survives or no
longer fits the scripts. `killers.json` has the test that noticed each slip the last time: it is run
first, which makes a run twenty times as fast.
"""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

import pytest

from tests.mutants.mutations import MUTATIONS, Mutation

ROOT = Path(__file__).resolve().parents[2]
KILLERS = Path(__file__).with_name("killers.json")
AT_ONCE = 2
TRIED_FIRST = 12  # tests
# Cheap ones first. tests/lua/test_files.py is left out: a mutant must be noticed by what it does,
# not by how it looks.
TESTS = [
    *(
        "tests/layouts/test_steps.py",
        "tests/layouts/test_number.py",
        "tests/lua",
        "tests/stateful/test_notices.py",
        "tests/stateful/test_read_state.py",
        "tests/layouts/test_migration.py",
        "tests/chaos/test_interleavings.py",
        "tests/chaos/test_attention_orders.py",
    ),
    "--ignore=tests/lua/test_files.py",
]


def misfits(mutations: list[Mutation]) -> list[Mutation]:
    """Those whose old text does not occur exactly once."""
    return [mutation for mutation in mutations if (ROOT / "lua" / mutation.file).read_text().count(mutation.old) != 1]


def namesake_tests(file: str) -> list[str]:
    """The tests of a script, or of the scripts that include a library: those named after them, the
    nearest ones first, and those that call them.
    """
    texts = {path.relative_to(ROOT / "lua").as_posix(): path.read_text() for path in (ROOT / "lua").rglob("*.lua")}
    found = [file]
    for name in found:
        include = f"--@include {name.removesuffix('.lua')}\n"
        found += [user for user, text in sorted(texts.items()) if include in text and user not in found]
    scripts = [Path(name).stem for name in found]
    tests = dict.fromkeys(f"tests/lua/test_{script}.py" for script in scripts)
    calls = re.compile(rf"\blua\.({'|'.join(scripts)})\(")
    for folder in ("layouts", "lua"):
        for path in sorted((ROOT / "tests" / folder).glob("test_*.py")):
            if calls.search(path.read_text()):
                tests[path.relative_to(ROOT).as_posix()] = None
    return [test for test in tests if (ROOT / test).exists()]


class Killers:
    """The tests that noticed a slip the last time, by slip; they are run first."""

    def __init__(self, path: Path = KILLERS) -> None:
        self._path = path
        self._known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}

    def likely(self, mutation: Mutation) -> list[str]:
        """The tests to run first: the one that noticed this slip, else those that noticed others in
        the same file, else those named after the scripts that have the file in them.
        """
        if known := self._known.get(_name(mutation)):
            return [known]
        file = f"{mutation.file} "
        # With all parameters: another one may notice this slip.
        others = [killer.partition("[")[0] for name, killer in self._known.items() if name.startswith(file)]
        return (list(dict.fromkeys(reversed(others))) or namesake_tests(mutation.file))[:TRIED_FIRST]

    def note(self, mutation: Mutation, killer: str) -> None:
        """`killer` noticed this slip; "" for none. Written at once: a run may be broken off."""
        self._known.pop(_name(mutation), None)
        if killer:
            self._known[_name(mutation)] = killer
        self._path.write_text(json.dumps(self._known, indent=0, sort_keys=True) + "\n")


def _name(mutation: Mutation) -> str:
    slip = hashlib.sha256(f"{mutation.old}\0{mutation.new}".encode()).hexdigest()[:12]
    return f"{mutation.file} {slip}"


def killer_of(mutation: Mutation, killers: Killers) -> str:
    """The first test that fails on the mutant, "" when none does."""
    with tempfile.TemporaryDirectory() as directory:
        lua = Path(directory) / "lua"
        shutil.copytree(ROOT / "lua", lua)
        path = lua / mutation.file
        path.write_text(path.read_text().replace(mutation.old, mutation.new))
        likely = killers.likely(mutation)
        killer = (likely and first_failure(lua, likely)) or first_failure(lua, TESTS)
    killers.note(mutation, killer)
    return killer


def first_failure(lua: Path, tests: list[str]) -> str:
    """The first of these tests that fails with the scripts in `lua`, "" when none does, or there is
    no such test any more.

    Raises RuntimeError when the tests did not run.
    """
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-x",
        "-q",
        "-p",
        "no:cacheprovider",
        f"--lua-dir={lua}",
        "--programs=60",
        "--timeout=60",
        *tests,
    ]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if ran.returncode in (pytest.ExitCode.OK, pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.NO_TESTS_COLLECTED):
        return ""
    failed = re.search(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", ran.stdout, re.MULTILINE)
    if failed is None:
        raise RuntimeError(f"the tests did not run:\n{ran.stdout[-2000:]}{ran.stderr[-2000:]}")
    return failed[1]


def main() -> int:
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    chosen = [mutation for mutation in MUTATIONS if wanted in mutation.file or wanted in mutation.old]
    if odd := misfits(chosen):
        for mutation in odd:
            print(f"does not fit lua/{mutation.file}: {mutation.old!r}")
        return 1
    began, survivors = time.monotonic(), 0
    killers = Killers()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        tried = pool.map(killer_of, chosen, repeat(killers))
        for mutation, killer in zip(chosen, tried, strict=True):
            survivors += not killer
            slip = f"{mutation.file}: {mutation.old.strip()!r} -> {mutation.new.strip()!r}"
            print(f"killed    {slip}\n            by {killer}" if killer else f"SURVIVED  {slip}", flush=True)
    print(f"{len(chosen) - survivors} of {len(chosen)} mutants killed in {time.monotonic() - began:.0f} s")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
