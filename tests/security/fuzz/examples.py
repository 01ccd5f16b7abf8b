"""Values that fit a JSON schema, with the names of a world where a field wants one."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from random import Random
from typing import Any

from tests.security.fuzz.world import TAGS, TIME_S, World

Maker = Callable[[World, Random], Any]


def _any_id(world: World, rng: Random) -> str:
    return str(rng.choice((world.user, world.room, world.message))(rng))


def _moment(_: World, rng: Random) -> int:
    return TIME_S + rng.randrange(100)


def _iso(_: World, rng: Random) -> str:
    return str(rng.choice(("2023-11-14T22:13:20.000Z", "2099-01-01", "1700000000000")))


# By the name of the field, in lower case and without an ending for lists.
NAMES: Mapping[str, Maker] = {
    "_id": _any_id,
    **dict.fromkeys(("room", "rid", "roomid", "roomname"), World.room),
    **dict.fromkeys(("groupid", "topicid"), World.group),
    **dict.fromkeys(
        ("members", "invitee", "invitees", "owner", "user", "username", "sender", "receiver", "userid"), World.user
    ),
    **dict.fromkeys(("message", "messages", "messageid", "tmid"), World.message),
    "before": lambda world, rng: rng.choice((world.message(rng), _iso(world, rng))),
    **dict.fromkeys(("msgkey",), World.key),
    **dict.fromkeys(("roomtags", "tags"), lambda _, rng: rng.choice(TAGS)),
    **dict.fromkeys(("resume", "password"), World.token),
    "token": lambda _, rng: f"a-token-of-the-fuzzer-{rng.randrange(5)}",
    "expirationdate": lambda *_: "2099-01-01T00:00:00Z",
    **dict.fromkeys(("updatedafter", "updatedsince", "messagetime"), _iso),
    "messagetype": lambda _, rng: rng.choice(("text", "recall", "edit", "reaction")),
    "sort": lambda _, rng: rng.choice(("name", "-unread", "-lastMessage -createdTime")),
    "q": lambda world, rng: rng.choice(
        ('{"name":{"$regex":"a"}}', '{"roomTags":{"$in":["work"]}}', '{"roomTags":"home"}')
    ),
    "pref": lambda *_: "{}",
    "type": lambda _, rng: rng.choice(("Public", "Private", "ChatRoom", "AVChatRoom", "Community")),
    "cursor": lambda *_: "",
    "page": lambda *_: "",
    "filter": lambda _, rng: rng.choice(("read", "unread")),
    **dict.fromkeys(("msgtime", "lastreadtime", "msgreadtime"), _moment),
    "eventtime": lambda world, rng: _moment(world, rng) * 1000,
}

# Beside the fields that a schema names, of these some.
FREE: Mapping[str, Any] = {
    "name": "a name",
    "opening": 1,
    "t": "p",
    "roomType": "group",
    "managers": ["u0-1"],
    "nickname": "Ann",
    "extra": {"a": [1, {"b": "$name$"}]},
    "receiver": "u0-1",
    "$name$": "Ann",
    "description": "é\u200b",
}
_OPEN = frozenset({"NewRoom", "RoomChange", "RoomMessage", "AdminMessage", "NewUser", "ListedUser"})


class Examples:
    """Makes values for the schemas of one document.

    `parts` are those that a `$ref` names by its last part.
    """

    def __init__(self, parts: Mapping[str, Any]) -> None:
        self._parts = parts

    def of(self, schema: Mapping[str, Any], world: World, rng: Random, name: str = "") -> Any:
        """A value that fits `schema`, or nearly: a pattern is met by the name of the field only."""
        if "$ref" in schema:
            return self.of(self._parts[schema["$ref"].rpartition("/")[2]], world, rng, name)
        for several in ("oneOf", "anyOf"):
            if several in schema:
                choices = [one for one in schema[several] if one.get("type") != "null" or rng.random() < 0.1]
                rest = {word: value for word, value in schema.items() if word != several}
                return self.of({**rest, **rng.choice(choices)}, world, rng, name) if choices else None
        if schema.get("enum"):
            return rng.choice(schema["enum"])
        match schema.get("type"):
            case "object":
                return self._object(schema, world, rng)
            case "array":
                return self._array(schema, world, rng, name)
            case "null":
                return None
            case "boolean":
                return rng.random() < 0.5
            case "integer" | "number":
                return self._number(schema, world, rng, name)
            case "string":
                return self._text(schema, world, rng, name)
        return self._anything(world, rng, name)

    def _object(self, schema: Mapping[str, Any], world: World, rng: Random) -> dict[str, Any]:
        required = schema.get("required") or ()
        made = {
            name: self.of(part, world, rng, name)
            for name, part in (schema.get("properties") or {}).items()
            if name in required or rng.random() < 0.4
        }
        if schema.get("title") in _OPEN:
            made |= {name: deepcopy(value) for name, value in FREE.items() if rng.random() < 0.2}
        return made

    def _array(self, schema: Mapping[str, Any], world: World, rng: Random, name: str) -> list[Any]:
        least = schema.get("minItems") or 0
        return [
            self.of(schema.get("items") or {}, world, rng, name) for _ in range(max(least, rng.choice((0, 1, 1, 2, 5))))
        ]

    def _number(self, schema: Mapping[str, Any], world: World, rng: Random, name: str) -> Any:
        made = NAMES.get(name.lower())
        if made in (_moment, NAMES["eventtime"]):
            return made(world, rng)
        low = int(schema.get("minimum") or 0)
        return min(low + rng.randrange(8), int(schema.get("maximum", 2**31)))

    def _text(self, schema: Mapping[str, Any], world: World, rng: Random, name: str) -> str:
        word = name.lower().removesuffix("[]")
        if word.endswith("_account"):
            return world.user(rng)
        if word in NAMES:
            return str(NAMES[word](world, rng))
        return "text"[: schema.get("maxLength") or 4]

    def _anything(self, world: World, rng: Random, name: str) -> Any:
        """A field without a schema: an item of a batch, or what a message says."""
        if name in ("messages", "paras"):
            return self.of({"$ref": "AdminMessage"}, world, rng)
        return rng.choice(
            (None, 1, "text", [], {"a": 1}, [{"MsgType": "TIMTextElem", "MsgContent": {"Text": "hello"}}])
        )
