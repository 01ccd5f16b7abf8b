"""`python -m tests.mutants [TEXT]`: break the scripts, one slip at a time, and see that the tests
notice.

With TEXT, only mutations whose file or text contains it. Exit code 1 when a mutant survives or no
longer fits the scripts.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.mutants.mutations import MUTATIONS, Mutation

ROOT = Path(__file__).resolve().parents[2]
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


def likely_killers(mutation: Mutation, killers: list[str]) -> list[str]:
    """The tests to run first: those that noticed the last slips in the same file, the newest first,
    else those named after the script.
    """
    named = ROOT / "tests" / "lua" / f"test_{Path(mutation.file).stem}.py"
    return list(dict.fromkeys(reversed(killers)))[:TRIED_FIRST] or [str(named.relative_to(ROOT))] * named.exists()


def killer_of(mutation: Mutation, killers: list[str]) -> str:
    """The first test that fails on the mutant, "" when none does. Of `killers`, which noticed other
    slips in the file, some are tried before the others; the new one is added.
    """
    with tempfile.TemporaryDirectory() as directory:
        lua = Path(directory) / "lua"
        shutil.copytree(ROOT / "lua", lua)
        path = lua / mutation.file
        path.write_text(path.read_text().replace(mutation.old, mutation.new))
        likely = likely_killers(mutation, killers)
        killer = (likely and first_failure(lua, likely)) or first_failure(lua, TESTS)
    if killer:
        killers.append(killer.partition("[")[0])  # with all parameters
    return killer


def first_failure(lua: Path, tests: list[str]) -> str:
    """The first of these tests that fails with the scripts in `lua`, "" when none does.

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
    if ran.returncode == 0:
        return ""
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", ran.stdout, re.MULTILINE)
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
    killers: dict[str, list[str]] = defaultdict(list)  # by file
    with ThreadPoolExecutor(AT_ONCE) as pool:
        tried = pool.map(killer_of, chosen, [killers[mutation.file] for mutation in chosen])
        for mutation, killer in zip(chosen, tried, strict=True):
            survivors += not killer
            slip = f"{mutation.file}: {mutation.old.strip()!r} -> {mutation.new.strip()!r}"
            print(f"killed    {slip}\n            by {killer}" if killer else f"SURVIVED  {slip}", flush=True)
    print(f"{len(chosen) - survivors} of {len(chosen)} mutants killed in {time.monotonic() - began:.0f} s")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
