"""The AsyncAPI document of the sockets, made from the declared events and the OpenAPI document."""

import re
from collections.abc import Mapping
from typing import Any, Final

from readstate.dialects.imkit.sockets.events import CLIENT_EVENTS, SERVICE_EVENTS, DeclaredEvent, fields, ref
from readstate.dialects.imkit.sockets.http_calls import HTTP_CALLS

Node = dict[str, Any]

_SCHEMAS: Final = "#/components/schemas/"
_CHANNEL: Final = {"$ref": "#/channels/events"}
_ABOUT: Final = """\
The events of the sockets. The protocols are Engine.IO 4 and Socket.IO 5, the path is `/socket.io/`, and the \
namespace is `/`.

The name of a message is the name of an event, and its payload is the event's first argument. An ack is the answer \
to an event of a client that asks for one; it has one argument, which is the payload of the message `... ack`."""


def asyncapi_document(openapi: Mapping[str, Any]) -> Node:
    """The document, AsyncAPI 3.1. It has the schemas of `openapi` to which it refers."""
    messages: Node = {}
    operations: Node = {}
    for name, event in {**CLIENT_EVENTS, **_calls_as_events(openapi)}.items():
        of_event, of_ack = f"client.{_key(name)}", f"client.{_key(name)}.ack"
        messages[of_event] = _message(name, event)
        messages[of_ack] = _ack(name, event)
        reply = {"channel": _CHANNEL, "messages": [_in_channel(of_ack)]}
        operations[of_event] = _operation("receive", event, of_event) | {"reply": reply}
    for name, event in SERVICE_EVENTS.items():
        messages[f"service.{_key(name)}"] = _message(name, event, openapi)
        operations[f"service.{_key(name)}"] = _operation("send", event, f"service.{_key(name)}")
    return {
        "asyncapi": "3.1.0",
        "id": "urn:readstate:sockets",
        "info": {**openapi["info"], "license": {"name": "Apache License 2.0"}, "description": _ABOUT, "tags": _TAGS},
        "defaultContentType": "application/json",
        "servers": {
            "service": {
                "host": "127.0.0.1:8080",
                "pathname": "/socket.io/",
                "protocol": "ws",
                "description": "The service, as `make run` starts it",
            }
        },
        "channels": {
            "events": {
                "address": "/",
                "title": "Events",
                "description": "The only namespace",
                "messages": {key: {"$ref": f"#/components/messages/{key}"} for key in messages},
            }
        },
        "operations": operations,
        "components": {"messages": messages, "schemas": _schemas_in(messages, openapi["components"]["schemas"])},
    }


_TAGS: Final = [{"name": "IMKit", "description": "The events of IMKit's clients, and some of our own"}]


def _calls_as_events(openapi: Mapping[str, Any]) -> Mapping[str, DeclaredEvent]:
    """The events that stand for a call: what the call takes is their argument."""
    calls = {one["operationId"]: one for calls in openapi["paths"].values() for one in calls.values()}
    return {name: _call_as_event(calls[call.operation.name]) for name, call in HTTP_CALLS.items()}


def _call_as_event(call: Mapping[str, Any]) -> DeclaredEvent:
    parameters = call.get("parameters", ())
    argument = fields(
        {one["name"]: {**one["schema"], "description": one["description"]} for one in parameters},
        optional=[one["name"] for one in parameters if not one["required"]],
    )
    example = {one["name"]: one["example"] for one in parameters if one["required"]}
    if body := call.get("requestBody"):
        (media,) = body["content"].values()
        argument = {"allOf": [argument, media["schema"]]}
        example |= media["example"]
    (answer,) = call["responses"]["200"]["content"].values()
    return DeclaredEvent(
        meaning=call["summary"],
        argument=argument,
        example=example,
        result=answer["schema"],
        result_example=answer["example"],
    )


def _message(name: str, event: DeclaredEvent, openapi: Mapping[str, Any] | None = None) -> Node:
    payload = event.argument
    example = event.example
    if example is None and openapi is not None:
        example = _example_of(payload["$ref"].removeprefix(_SCHEMAS), openapi)
    message: Node = {"name": name, "title": name, "summary": event.meaning, "payload": payload}
    if event.more:
        message["x-further-arguments"] = list(event.more)
    return message | {"examples": [{"payload": example}]}


def _example_of(schema: str, openapi: Mapping[str, Any]) -> Any:
    """A value of a schema that is the `result` of a call."""
    answers = (
        media
        for calls in openapi["paths"].values()
        for call in calls.values()
        for media in call["responses"]["200"]["content"].values()
    )
    schemas = openapi["components"]["schemas"]
    for media in answers:
        answer = schemas.get(media["schema"].get("$ref", "").removeprefix(_SCHEMAS), {})
        if answer.get("properties", {}).get("result") == ref(schema):
            return media["example"]["result"]
    raise LookupError(f"no call answers a {schema}")


def _ack(name: str, event: DeclaredEvent) -> Node:
    result, example = event.result, event.result_example
    if name in CLIENT_EVENTS:
        result = fields({"RC": {"const": 0}, "RM": {"type": "string"}, "result": result or {}})
        example = {"RC": 0, "RM": "OK", "result": example}
    return {
        "name": f"{name} ack",
        "title": f"{name} ack",
        "summary": f"What {name} is answered: `RC` 0 and `result`, or what went wrong",
        "payload": {"anyOf": [result, ref("Failure")]},
        "examples": [{"payload": example}],
    }


def _operation(action: str, event: DeclaredEvent, message: str) -> Node:
    return {
        "action": action,
        "channel": _CHANNEL,
        "description": f"{event.meaning}.",
        "messages": [_in_channel(message)],
    }


def _in_channel(message: str) -> Node:
    return {"$ref": f"#/channels/events/messages/{message}"}


def _key(name: str) -> str:
    """A name as AsyncAPI allows it for a key."""
    return name.replace(" ", "-")


def _schemas_in(node: Any, schemas: Mapping[str, Any]) -> Node:
    """The schemas to which a node refers, also by way of others."""
    found: Node = {}
    waiting = [node]
    while waiting:
        for name in re.findall(rf"'{_SCHEMAS}([^']+)'", str(waiting.pop())):
            if name not in found:
                found[name] = schemas[name]
                waiting.append(schemas[name])
    return dict(sorted(found.items()))
