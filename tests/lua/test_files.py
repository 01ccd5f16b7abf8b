"""What every script file promises about itself."""

import re
from pathlib import Path

import pytest

from readstate.store import scripts
from readstate.store.keys import Keys

NAMES = sorted(path.stem for path in scripts.lua_dir().glob("*.lua"))


@pytest.fixture(params=NAMES)
def path(request: pytest.FixtureRequest, lua_dir: Path | None) -> Path:
    return (lua_dir or scripts.lua_dir()) / f"{request.param}.lua"


def code_of(path: Path) -> str:
    """The script and everything that it includes, for both plans, without comments."""
    found, wanted = {path}, [path]
    while wanted:
        text = wanted.pop().read_text()
        names = re.findall(r"^--@include (\S+)$", text, re.MULTILINE)
        names += ["lib/plan_atomic", "lib/plan_split"] if "--@plan" in text else []
        new = {path.parent / f"{name}.lua" for name in names} - found
        found |= new
        wanted += new
    return "\n".join(re.sub(r"--.*", "", found_one.read_text()) for found_one in found)


def test_the_first_line_makes_the_server_enforce_one_slot(path: Path) -> None:
    """Without it a script may reach into slots that happen to be on the same node, until they move."""
    assert re.match(r"#!lua( flags=(no-writes|allow-oom))?\n-- " + path.stem + ": ", path.read_text())


def test_the_header_lists_exactly_what_the_body_reads(path: Path) -> None:
    """KEYS and ARGV by number; `ARGV[n..]` when the body reads to the end."""
    header = "\n".join(line for line in path.read_text().splitlines() if line.startswith("-- "))
    body = code_of(path)
    for table in ("KEYS", "ARGV"):
        listed = {int(number) for number in re.findall(rf"^-- {table}\[(\d+)\]", header, re.MULTILINE)}
        assert listed == {int(number) for number in re.findall(rf"{table}\[(\d+)\]", body)}
        open_ended = re.search(rf"^-- {table}\[\d+\.\.\]", header, re.MULTILINE) is not None
        assert open_ended == (re.search(rf"#{table}\b|\({table}\)|ipairs\({table}\)", body) is not None)


def test_a_script_that_says_it_writes_nothing_has_no_writing_command(path: Path) -> None:
    """And one that writes does not say so; the server would refuse it in the middle."""
    writing = re.search(
        r'redis\.call\(\s*"(HSET|HDEL|SET|DEL|UNLINK|ZADD|ZREM|SADD|SREM|PUBLISH|EXPIRE)', path.read_text()
    )
    if "no-writes" in path.read_text().splitlines()[0]:
        assert writing is None


def test_keys_are_built_alike_in_lua_and_python() -> None:
    """lib/keys.lua reaches from a room to its members; it must name them as service/readstate/store/keys.py does."""
    text = (scripts.lua_dir() / "lib" / "keys.lua").read_text()
    assert '"{r:" .. APP .. ":" .. room .. "}"' in text
    assert '"{u:" .. APP .. ":" .. user .. "}"' in text
    assert (Keys.room("a", "b"), Keys.user("a", "b")) == ("{r:a:b}", "{u:a:b}")


def test_no_loop_hides_in_a_function_of_luas(path: Path) -> None:
    """Inserting at the front and joining piece by piece cost as much as there is, and no count of turns shows it."""
    assert not re.search(r"\btable\.(insert|remove|sort)\b", code_of(path))
