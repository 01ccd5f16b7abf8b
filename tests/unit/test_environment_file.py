"""`deploy/readstate.env` has every setting with its default and what it is for.

`python -m tests.unit.test_environment_file` writes it anew.
"""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from readstate.settings import PREFIX, Settings
from readstate.settings.fields import TYPES, Fields
from readstate.settings.secret_files import SECRETS
from readstate.settings.values import text_of

FILE = Path(__file__).resolve().parents[2] / "deploy" / "readstate.env"
HEAD = """\
# The settings of readstate, each with its default. Remove the # before a line to change it.
# A secret may be in a file instead: name it in the variable with _FILE at its end.
"""
FIELD = re.compile(r"    (\w+): .*")


def environment_file() -> str:
    """The file as it should be, made from the comments in settings/fields.py."""
    return HEAD + "".join(_parts())


def _parts() -> Iterator[str]:
    comments: list[str] = []
    for line in inspect.getsource(Fields).splitlines()[1:]:
        text = line.strip()
        if text.startswith("def "):
            return
        if text.startswith("#"):
            comments.append(text)
        elif not text and comments:
            yield f"\n{'#' * 4} {comments.pop()[2:]}\n"  # a topic
        elif (found := FIELD.fullmatch(line)) and found[1] in TYPES:
            yield "".join(f"{comment}\n" for comment in comments) + _line(found[1])
            comments.clear()


def _line(name: str) -> str:
    default = getattr(Settings(), name)
    file = f"#{PREFIX}{name.upper()}_FILE=\n" if name in SECRETS else ""
    return f"#{PREFIX}{name.upper()}={'' if default is None else text_of(default)}\n{file}"


def test_it_is_made_from_the_settings() -> None:
    assert FILE.read_text(encoding="utf-8") == environment_file()


def test_it_has_every_setting_once() -> None:
    named = re.findall(rf"^#{PREFIX}(\w+)=", FILE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(named) == sorted([name.upper() for name in TYPES] + [f"{name.upper()}_FILE" for name in SECRETS])


def test_with_every_line_set_the_defaults_hold() -> None:
    lines = re.findall(rf"^#({PREFIX}\w+)=(.*)$", FILE.read_text(encoding="utf-8"), re.MULTILINE)
    assert Settings.from_environ(dict(lines)) == Settings()


@pytest.mark.parametrize("page", ["README.md"])
def test_the_page_has_every_setting(page: str) -> None:
    text = (FILE.parents[1] / page).read_text(encoding="utf-8")
    assert [name for name in TYPES if f"`{PREFIX}{name.upper()}`" not in text] == []


if __name__ == "__main__":
    FILE.write_text(environment_file(), encoding="utf-8")
