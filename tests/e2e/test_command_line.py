"""What is wrong with a command line itself is said in one sentence."""

from importlib.metadata import version
from pathlib import Path

import pytest

from readstate.files import in_words, written
from tests.support.processes import run_command


def test_no_command_is_answered_with_the_commands() -> None:
    run = run_command()
    assert run.returncode == 2
    assert "COMMAND" in run.stderr
    assert "bench" in run.stderr
    assert "Traceback" not in run.stderr


def test_it_says_its_version() -> None:
    run = run_command("--version")
    assert (run.returncode, run.stdout) == (0, f"readstate {version('readstate')}\n")


def test_a_full_disk_is_named_by_the_file() -> None:
    path = Path("/dev/full")
    if not path.exists():
        pytest.skip("needs /dev/full")
    with pytest.raises(OSError, match="No space left") as failed, written(path):
        path.write_text("x")
    assert in_words(failed.value) == "/dev/full cannot be used (No space left on device)"


@pytest.mark.parametrize("command", [("replay", "--api-key", "k"), ("bench", "--api-key", "k", "--report")])
def test_a_file_that_cannot_be_used_is_named(command: tuple[str, ...]) -> None:
    run = run_command(*command, "/nowhere/file")
    assert run.returncode == 2
    assert run.stderr.endswith(": /nowhere/file cannot be used (No such file or directory)\n")


@pytest.mark.parametrize("command", [("status",), ("bench", "--api-key", "k"), ("replay", "x", "--api-key", "k")])
@pytest.mark.parametrize("url", ["127.0.0.1:8080", "http://127.0.0.1:80a", "ftp://a.b", "http://", "http://a?b=c"])
def test_an_address_that_is_none_is_named(command: tuple[str, ...], url: str) -> None:
    run = run_command(*command, "--url", url)
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.endswith(f" such as http://127.0.0.1:8080, not {url}\n")
