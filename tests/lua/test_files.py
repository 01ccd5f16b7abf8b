"""What every script file promises about itself."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from readstate.domain.messages import MessageRef
from readstate.store import audit_scripts, lua, scripts, transfer_scripts
from readstate.store.keys import Keys, OfRoom, OfShard, OfUser
from readstate.store.lua import CountReply
from readstate.store.script_calls import script
from readstate.store.script_headers import HeaderError, read_header

FILES = sorted(str(path.relative_to(scripts.lua_dir())) for path in scripts.lua_dir().rglob("*.lua"))
NAMES = sorted(path.stem for path in scripts.lua_dir().glob("*.lua"))


@pytest.fixture(params=NAMES)
def path(request: pytest.FixtureRequest, lua_dir: Path | None) -> Path:
    return (lua_dir or scripts.lua_dir()) / f"{request.param}.lua"


@pytest.fixture(params=FILES)
def lua_file(request: pytest.FixtureRequest, lua_dir: Path | None) -> Path:
    """A script or library."""
    return (lua_dir or scripts.lua_dir()) / str(request.param)


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
    """Without it a script may reach into slots that happen to be on the same node, until
    they move.
    """
    assert re.match(r"#!lua( flags=(no-writes|allow-oom))?\n-- " + path.stem + ": ", path.read_text())


def test_the_body_uses_every_argument_that_the_header_declares(path: Path) -> None:
    header = read_header(path.stem, path.read_text())
    body = re.sub(r"--.*", "", path.read_text())
    used = set(re.findall(r"[A-Za-z_]\w*", body)) | set(re.findall(r"ARG\.(\w+)", code_of(path)))
    assert {argument.name for argument in header.arguments} <= used


def test_arguments_are_locals_by_name(lua_file: Path) -> None:
    """The loader binds them; nothing counts places."""
    assert not re.search(r"\b(KEYS|ARGV)\b", lua_file.read_text())


# Of Lua and of Redis, and what the loader adds.
GIVEN = set(
    re.findall(
        r"\w+",
        "and break do else elseif end false for function if in local nil not or repeat return then true until while "
        "error ipairs math next pairs pcall rawget rawset select setmetatable string table tonumber tostring type "
        "unpack bit cjson cmsgpack redis struct ARG key keys",
    )
)


def test_every_name_is_defined(path: Path) -> None:
    """Redis says so only when the line runs."""
    code = re.sub(r"^#!lua.*", "", code_of(path), flags=re.MULTILINE)
    code = re.sub(r'"[^"\n]*"|\'[^\'\n]*\'', '""', code)
    listed = re.findall(r"\blocal (?!function\b)([\w, ]+)|\bfor ([\w, ]+) (?:in|=)|\bfunction\b[^(]*\(([^)]*)\)", code)
    defined = {name for lists in listed for names in lists for name in re.findall(r"\w+", names)}
    defined |= set(re.findall(r"\bfunction (\w+)", code)) | set(re.findall(r"(?<![.:\w])(\w+) *=(?!=)", code))
    defined |= {argument.name for argument in read_header(path.stem, path.read_text()).arguments}
    used = set(re.findall(r"(?<![.:\w])([A-Za-z_]\w*)", code))
    assert used - defined - GIVEN == set()


def test_every_script_can_be_called_from_python() -> None:
    """That a declaration fits is seen when it is imported."""
    assert set(NAMES) <= {*vars(lua), *vars(audit_scripts), *vars(transfer_scripts)}


@pytest.mark.parametrize(
    ("declaration", "message"),
    [
        (lambda *, user: None, "lua declares"),
        (lambda *, message, after, more: None, "lua declares"),
        (lambda *, after, message: None, "lua declares"),
    ],
)
def test_a_call_whose_names_differ_from_the_header_is_refused(declaration: Callable[..., object], message: str) -> None:
    """A name too few, one too many, or another order: at import."""
    declaration.__name__ = "message"
    with pytest.raises(HeaderError, match=message):
        script(declaration)


def test_a_call_whose_types_differ_from_the_header_is_refused() -> None:
    """Of an argument, and of the reply."""

    def wrong_argument(*, message: str, after: str) -> MessageRef:
        raise NotImplementedError  # only its signature is read

    def wrong_reply(*, message: str, after: int) -> CountReply:
        raise NotImplementedError  # only its signature is read

    for declaration, text in ((wrong_argument, "after is int"), (wrong_reply, "fields count, below instead")):
        declaration.__name__ = "message"
        with pytest.raises(HeaderError, match=text):
            script(declaration)


def test_names_of_keys_have_one_owner(lua_file: Path) -> None:
    """No literal like ":h" or "r" elsewhere."""
    code = re.sub(r"--.*", "", lua_file.read_text())
    if lua_file.name != "keys.lua":
        assert not re.search(r'":[a-z]"|\.\. "[a-z]"|"[a-z]" \.\.', code)


def test_keys_of_a_slot_have_the_same_names_in_lua_and_python() -> None:
    """lua/lib/keys.lua and store/keys.py; a user's profile and tokens are no script's."""
    text = (scripts.lua_dir() / "lib" / "keys.lua").read_text()
    in_lua = dict(re.findall(r'^local ([A-Z_]+) = "(:[a-z])"', text, re.MULTILINE))
    in_python = {name.name: name.value for keys in (OfRoom, OfUser, OfShard) for name in keys}
    assert in_lua == {
        name: key for name, key in in_python.items() if name not in ("USER_PROFILE", "TOKENS", "STAND_IN")
    }


def test_a_deleted_room_leaves_nothing_but_what_is_still_to_be_told() -> None:
    """Every key of a room is in the list that delete_room walks, or is named here."""
    text = (scripts.lua_dir() / "lib" / "keys.lua").read_text()
    listed = re.search(r"ROOM_CONTENTS = \{(.*?)\}", text, re.DOTALL)
    assert listed
    assert set(re.findall(r"\w+", listed[1])) == {name.name for name in OfRoom} - {
        "DELETED_MEMBERS",
        "PENDING",
        "PENDING_EVENTS",
        "RECENT",  # ends by itself within seconds
        "STAGED",  # of an import, which is told that the room was deleted
        # Of a room that is migrated, which happens before it can be deleted.
        "PHASE",
        "UNMIGRATED",
        "UNMIGRATED_PLACES",
        "FIRST_PLACES",
    }


TWO_KEYS = (
    r'redis\.p?call\("(?:DEL|UNLINK|EXISTS|TOUCH|SMOVE|COPY|MGET|LMOVE|[SZ]?(?:UNION|INTER|DIFF|MOVE)\w*)", [^()]*,'
)


def test_only_a_rename_names_two_keys(lua_file: Path) -> None:
    """The guard of scripts knows of this command (store/guards.py)."""
    assert not re.search(TWO_KEYS, lua_file.read_text())


def test_a_file_is_read_at_one_sitting(lua_file: Path) -> None:
    """150 lines; comments of 100 columns, code of 120."""
    lines = lua_file.read_text().splitlines()
    assert len(lines) <= 150
    assert not [line for line in lines if len(line) > (100 if line.lstrip().startswith("--") else 120)]


def test_a_script_that_says_it_writes_nothing_has_no_writing_command(path: Path) -> None:
    """And one that writes does not say so; the server would refuse it in the middle."""
    writing = re.search(
        r'redis\.call\(\s*"(HSET|HDEL|SET|DEL|UNLINK|ZADD|ZREM|SADD|SREM|PUBLISH|EXPIRE)', path.read_text()
    )
    if "no-writes" in path.read_text().splitlines()[0]:
        assert writing is None


def test_keys_are_built_alike_in_lua_and_python() -> None:
    """lib/reach.lua reaches from a room to its members; it must name them as
    service/readstate/store/keys.py does.
    """
    text = (scripts.lua_dir() / "lib" / "reach.lua").read_text()
    assert '"{r:" .. APP .. ":" .. room .. "}"' in text
    assert '"{u:" .. APP .. ":" .. user .. "}"' in text
    assert (Keys.room("a", "b"), Keys.user("a", "b")) == ("{r:a:b}", "{u:a:b}")


def test_no_loop_hides_in_a_function_of_luas(path: Path) -> None:
    """Inserting at the front and joining piece by piece cost as much as there is, and no count of
    turns shows it.
    """
    assert not re.search(r"\btable\.(insert|remove|sort)\b", code_of(path))
