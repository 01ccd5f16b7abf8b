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
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.mutants.mutations import MUTATIONS, Mutation

ROOT = Path(__file__).resolve().parents[2]
AT_ONCE = 2
# Cheap ones first. tests/lua/test_files.py is left out: a mutant must be noticed by what it does,
# not by how it looks.
TESTS = [
    *(
        "tests/layouts/test_steps.py",
        "tests/layouts/test_number.py",
        "tests/lua",
        "tests/stateful/test_notices.py",
        "tests/stateful/test_read_state.py",
        "tests/layouts/test_bringing_over.py",
        "tests/chaos/test_interleavings.py",
        "tests/chaos/test_attention_orders.py",
    ),
    "--ignore=tests/lua/test_files.py",
]


def misfits(mutations: list[Mutation]) -> list[Mutation]:
    """Those whose old text does not occur exactly once."""
    return [mutation for mutation in mutations if (ROOT / "lua" / mutation.file).read_text().count(mutation.old) != 1]


def killer_of(mutation: Mutation) -> str:
    """The first test that fails on the mutant, "" when none does."""
    with tempfile.TemporaryDirectory() as directory:
        lua = Path(directory) / "lua"
        shutil.copytree(ROOT / "lua", lua)
        path = lua / mutation.file
        path.write_text(path.read_text().replace(mutation.old, mutation.new))
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
            *TESTS,
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
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for mutation, killer in zip(chosen, pool.map(killer_of, chosen), strict=True):
            survivors += not killer
            slip = f"{mutation.file}: {mutation.old.strip()!r} -> {mutation.new.strip()!r}"
            print(f"killed    {slip}\n            by {killer}" if killer else f"SURVIVED  {slip}", flush=True)
    print(f"{len(chosen) - survivors} of {len(chosen)} mutants killed in {time.monotonic() - began:.0f} s")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
