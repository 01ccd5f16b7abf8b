"""The events of the sockets, declared for people and for tools.

`asyncapi.py` makes the AsyncAPI document of them. Events that stand for a call of the HTTP API are
not here: they are in `http_calls.py`, and are described as that call is.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from readstate.dialects.imkit.sockets.payloads import ALWAYS, MAX_MEMBERS
from readstate.domain.limits import MAX_WATCHED

Node = Mapping[str, Any]  # JSON; of a schema or a value


class DeclaredEvent(Struct, frozen=True, kw_only=True):
    """One event: its argument, and what its ack has as `result`, each as a JSON schema.

    Schemas may refer to those of the OpenAPI document. `more`: further arguments.
    """

    meaning: str
    argument: Node
    example: Any
    more: Sequence[Node] = ()
    result: Node | None = None
    result_example: Any = None


def ref(name: str) -> Node:
    """A schema of the OpenAPI document."""
    return {"$ref": f"#/components/schemas/{name}"}


def text(meaning: str, **more: Any) -> Node:
    return {"type": "string", "description": meaning, **more}


def fields(properties: Mapping[str, Node], optional: Sequence[str] = (), **more: Any) -> Node:
    """An object with these fields, all of them required but `optional`."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": [name for name in properties if name not in optional],
        **more,
    }


_ROOM: Final = text("The room's id")
_MESSAGE: Final = text("The message's id")
_CLIENT_KEY: Final = text("The app's client key")

_WATCHED: Final = {
    "type": ["array", "null"],
    "items": _ROOM,
    "maxItems": MAX_WATCHED,
    "description": "The rooms; null for all",
}
_SIGNS_IN: Final = DeclaredEvent(
    meaning="Authenticate this connection. It may be sent again, with another token or for another user",
    argument=text("A token of the user"),
    example="a-token-of-ann",
    more=[
        fields(
            {
                "IM-CLIENT-KEY": _CLIENT_KEY,
                "CLIENT_KEY": _CLIENT_KEY,
                "badge": {"type": "boolean", "description": "Whether `badge` and `sync` are sent from now on"},
            },
            optional=("IM-CLIENT-KEY", "CLIENT_KEY", "badge"),
            additionalProperties=True,
            description="May name the app, and say whether the client follows the read state. Other fields are ignored",
        )
    ],
    result=fields({"client": text("The user's id")}),
    result_example={"client": "ann"},
)

# What clients send, beside what stands for calls of the HTTP API.
CLIENT_EVENTS: Final[Mapping[str, DeclaredEvent]] = {
    "conf": DeclaredEvent(
        meaning="Have each payload to this connection as the base64 of its JSON, from now on",
        argument=fields({"encoding": {"const": "base64"}}),
        example={"encoding": "base64"},
        result=fields({"encoding": {"const": "base64"}}),
        result_example={"encoding": "base64"},
    ),
    "watch": DeclaredEvent(
        meaning="Have `lastRead` only of the rooms that the client shows, and of what its own user reads",
        argument=fields({"rooms": _WATCHED}),
        example={"rooms": ["garden"]},
        result=fields({"rooms": _WATCHED}),
        result_example={"rooms": ["garden"]},
    ),
    "auth2": _SIGNS_IN,
    "auth": _SIGNS_IN,
}

_ROOM_NOW: Final = fields(
    {
        "_id": _ROOM,
        "id": text("The room's id once more"),
        "appID": text("The app that it belongs to"),
        "roomType": {"description": "What kind of room it is: `group`, or as its profile says"},
        "status": {"enum": [0, 1], "description": "1 for an active room, 0 for a frozen one"},
        "createdTime": text("When the room was created, in ISO 8601"),
        "createdTimeMS": {"type": "integer", "description": "The same in Unix milliseconds"},
        "members": {
            "type": "array",
            "items": ref("UserRef"),
            "maxItems": MAX_MEMBERS,
            "description": "The members, or as many as an event holds",
        },
        "roomTags": {"type": "array", "items": {"type": "string"}, "description": "All tags of the room"},
        "lastMessage": {"description": "The newest message"},
        "partial": {"const": True, "description": "Something was left out: `GET /rooms/:id` has it"},
    },
    optional=("roomTags", "lastMessage", "partial"),
    additionalProperties=True,
    title="RoomNow",
    description="A room as it is, with the fields of its profile, and without what is one user's own.",
)
_ROOM_LEFT: Final = fields(
    {
        "_id": _ROOM,
        "id": text("The room's id once more"),
        "appID": text("The app that it belongs to"),
        "members": {"type": "array", "maxItems": 0, "description": "Empty"},
        "partial": {"const": True},
        "left": {"const": True, "description": "The user is no longer in the room"},
        "deleted": {"const": True, "description": "The room was deleted"},
        "unread": {"const": 0},
        "badge": {"type": "integer", "description": "The user's total now; missing when it is not known"},
    },
    optional=("deleted", "badge"),
    additionalProperties=False,
    title="RoomLeft",
    description="The last event of a room for a user who left it or was removed, or whose room was deleted.",
)
assert {*ALWAYS} < {*_ROOM_NOW["required"]}

# What the service sends.
SERVICE_EVENTS: Final[Mapping[str, DeclaredEvent]] = {
    "lastRead": DeclaredEvent(
        meaning="A member of one of the user's rooms has read up to a message",
        argument=fields(
            {"roomID": _ROOM, "memberID": text("The id of the member who has read"), "messageID": _MESSAGE},
            additionalProperties=False,
        ),
        example={"roomID": "garden", "memberID": "ben", "messageID": "m1"},
    ),
    "chat message": DeclaredEvent(
        meaning="A message was posted, edited (the same `_id`) or recalled (`messageType` recall)",
        argument=ref("MessageResult"),
        example=None,  # that of the HTTP call
    ),
    "messageDeleted": DeclaredEvent(
        meaning="A message was deleted, or all of a room, or all before one",
        argument=fields(
            {
                "room": _ROOM,
                "messageID": text("The message's id; `_all` for all messages, `_before` for all before `before`"),
                "before": text("The message before which all were deleted"),
            },
            optional=("before",),
            additionalProperties=False,
        ),
        example={"room": "garden", "messageID": "m1"},
    ),
    "room": DeclaredEvent(
        meaning="A room was created or has changed, or the user is no longer in it",
        argument={"anyOf": [_ROOM_NOW, _ROOM_LEFT]},
        example={
            "_id": "garden",
            "id": "garden",
            "appID": "default",
            "members": [],
            "partial": True,
            "left": True,
            "unread": 0,
            "badge": 3,
        },
    ),
    "badge": DeclaredEvent(
        meaning="Something of the user's read state has changed; for clients that follow it",
        argument=fields(
            {
                "since": text("The version before: who knows a lower one has missed something"),
                "version": text("The user's version now"),
                "badge": {"type": "integer", "description": "Unread over all rooms"},
                "room": _ROOM,
                "unread": {"type": "integer", "description": "Unread in that room"},
                "tags": {"type": "array", "items": {"type": "string"}, "description": "All tags of the room"},
                "removed": {"const": True, "description": "The user is no longer in the room, or it is frozen"},
            },
            optional=("removed",),
            additionalProperties=False,
        ),
        example={
            "since": "1772355600123",
            "version": "1772355600127",
            "badge": 4,
            "room": "garden",
            "unread": 2,
            "tags": ["home"],
        },
    ),
    "sync": DeclaredEvent(
        meaning="Events may have been missed: ask for changes, by the event of the same name",
        argument=fields({}, additionalProperties=False),
        example={},
    ),
}
