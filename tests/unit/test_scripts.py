"""How the files of lua/ become one library of functions."""

import re
import shutil
from pathlib import Path

import pytest
from redis.crc import key_slot

from readstate.store.keys import Keys
from readstate.store.scripts import ScriptError, load_scripts, lua_dir

HEADER = "-- Key        room\n-- Args       none\n-- Reply      text\n"


@pytest.fixture
def lua(tmp_path: Path) -> Path:
    """A directory of scripts with one that asks for lib/one."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "one.lua").write_text(
        "local LIMIT = 7 -- a constant\n\nlocal function one()\n    return LIMIT\nend\n"
    )
    (tmp_path / "ask.lua").write_text(
        f'#!lua flags=no-writes\n{HEADER}--@include lib/one\nreturn {{ math.max(one(), 1), "LIMIT", LIMIT }}\n'
    )
    return tmp_path


def test_a_constant_is_put_in_as_its_value_but_not_into_strings(lua: Path) -> None:
    text = load_scripts("atomic", lua)["ask"].lib.text.decode()
    assert 'return { math_max(one(), 1), "LIMIT", 7 }' in text
    assert "return 7" in text


def test_they_are_put_together_once() -> None:
    """A worker is forked from a process that has done it."""
    assert load_scripts("split") is load_scripts("split", None) is load_scripts("split", lua_dir())


def test_all_names_change_with_any_of_the_text(lua: Path) -> None:
    """Two versions can then work on one server."""
    before = load_scripts("atomic", lua)["ask"]
    changed = Path(shutil.copytree(lua, lua / "changed"))
    (changed / "lib" / "one.lua").write_text("local function one()\n    return 8\nend\n")
    after = load_scripts("atomic", changed)["ask"]
    assert before.function != after.function
    assert before.lib.name != after.lib.name
    assert after.function in after.lib.text.decode()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("--@include lib/one\nlocal function one()\nend\n", "two.lua:2: one is defined at one.lua:3 already"),
        ("--@include lib/two\n", "includes itself: ask -> lib/two"),
        ("--@include lib/three\n", "three.lua is missing"),
        ("return 1\n", "two.lua: not a definition: return 1"),
    ],
)
def test_files_that_do_not_fit_together_are_named(lua: Path, text: str, message: str) -> None:
    (lua / "lib" / "two.lua").write_text(text)
    (lua / "ask.lua").write_text(f"#!lua\n{HEADER}--@include lib/one\n--@include lib/two\nreturn one()\n")
    with pytest.raises(ScriptError, match=message):
        load_scripts("atomic", lua)


def test_the_slot_of_a_key_is_the_server_s() -> None:
    """Ids may have braces; what is outside of the first pair does not count."""
    keys = ["a:apps", "{r:app:room}", "{r:app:ro}om}:l", "{u:app:{x}}", "{w:}:g", "{w:12}", "{readstate:7}:layout"]
    assert [Keys.slot(key) for key in keys] == [key_slot(key.encode()) for key in keys]


def test_a_script_that_writes_on_a_cluster_looks_for_missing_keys_first() -> None:
    """One, or two where it renames a key; none where it reaches no other key."""
    text = next(iter(load_scripts("split").values())).lib.text.decode()
    begins = dict(re.findall(r'function_name = "readstate_(\w+)_\w+".*?function\(keys, args\)\n(.*)\n', text))
    assert begins["mark_read"] == 'if redis.pcall("EXISTS", keys[1] .. ":0") ~= 0 then'
    assert begins["delete_room"] == 'if redis.pcall("EXISTS", keys[1] .. ":0", keys[1] .. ":1") ~= 0 then'
    assert "EXISTS" not in begins["note_worker"] + begins["message"]
    assert "SLOT_MOVES" not in next(iter(load_scripts("atomic").values())).lib.text.decode()
