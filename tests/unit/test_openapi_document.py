"""Every operation and field at /schema is described, and every body has an example.

Missing words belong into the `vocabulary` of the dialect.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema_rs
import pytest

from readstate.app import create_app
from readstate.dialects.tencent.api import HANDLERS as TENCENTS
from readstate.settings import Settings

# Operations without credentials, or with credentials that no scheme can describe.
OPEN = {"rocketchat_login", "tencent_callback"}

_SETTINGS = Settings(redis_url="unix:///nowhere", api_key="a" * 32, client_key="c" * 32, token_secret="t" * 32)
_SERVICE = create_app(_SETTINGS)
DOCUMENT = _SERVICE.openapi()
VOCABULARIES = {dialect.vocabulary.tag: dialect.vocabulary for dialect in _SERVICE.dialects}
SCHEMAS: dict[str, Any] = DOCUMENT["components"]["schemas"]
OPERATIONS = {one["operationId"]: one for calls in DOCUMENT["paths"].values() for one in calls.values()}


def bodies() -> Iterator[tuple[str, dict[str, Any]]]:
    """What each operation takes and what it answers when all is well, with a name."""
    for name, operation in OPERATIONS.items():
        for kind, media in operation.get("requestBody", {}).get("content", {}).items():
            yield f"{name} takes {kind}", media
        for kind, media in operation["responses"]["200"]["content"].items():
            yield f"{name} answers {kind}", media


def objects(node: Any, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object that is described in a node, with the name of its schema or of where it
    stands.
    """
    if isinstance(node, dict):
        if "properties" in node and isinstance(node.get("type"), str):
            yield node.get("title", name), node
        for value in node.values():
            yield from objects(value, name)
    elif isinstance(node, list):
        for value in node:
            yield from objects(value, name)


def referred_to(node: Any) -> set[str]:
    """The names of all schemas that a node refers to, also by way of others."""
    found: set[str] = set()
    waiting = [json.dumps(node)]
    while waiting:
        names = set(re.findall(r'"#/components/schemas/([^"]+)"', waiting.pop())) - found
        found |= names
        waiting += [json.dumps(SCHEMAS[name]) for name in names]
    return found


def every_object() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, schema in SCHEMAS.items():
        yield from objects(schema, name)
    for name, operation in OPERATIONS.items():
        yield from objects({key: operation[key] for key in ("requestBody", "responses") if key in operation}, name)


def descriptions(node: Any) -> Iterator[str]:
    """Every description in a node."""
    if isinstance(node, dict):
        if isinstance(text := node.get("description"), str):
            yield text
        node = list(node.values())
    for one in node if isinstance(node, list) else ():
        yield from descriptions(one)


def test_no_description_is_indented() -> None:
    """A docstring of several lines loses the indentation that it has in the code."""
    found = list(descriptions(DOCUMENT))
    assert len(found) > 100
    assert [text for text in found if any(line != line.strip() for line in text.splitlines())] == []


def test_every_operation_says_what_it_does() -> None:
    """By a sentence, which is its summary, and the tag of its dialect."""
    for name, operation in OPERATIONS.items():
        assert " " in operation["summary"], name
        assert not operation["summary"].endswith("."), name
        assert " ".join(operation["description"].split()).startswith(operation["summary"]), name
        assert len(operation["tags"]) == 1, name
    assert {tag["name"]: tag["description"] for tag in DOCUMENT["tags"]} == {
        tag: one.description for tag, one in VOCABULARIES.items()
    }
    assert {tag for operation in OPERATIONS.values() for tag in operation["tags"]} == set(VOCABULARIES)


def test_every_operation_says_who_may_call_it() -> None:
    """An empty list where no credentials are needed. Without a list a reader could not tell."""
    assert {name for name, operation in OPERATIONS.items() if not operation["security"]} == OPEN


def test_every_operation_names_its_refusals() -> None:
    """By status; but Tencent's commands answer 200 to everything."""
    silent = {
        name for name, operation in OPERATIONS.items() if not any(status[0] == "4" for status in operation["responses"])
    }
    assert silent == {handler.opt["operation"].name for handler in TENCENTS}


def test_everything_has_words() -> None:
    """Each schema, each field but those that refer to a schema, each parameter."""
    silent = [name for name, schema in SCHEMAS.items() if not schema.get("description")]
    for name, described in every_object():
        fields = described["properties"].items()
        silent += [
            f"{name}.{field}" for field, schema in fields if not schema.get("description") and "$ref" not in schema
        ]
    for name, operation in OPERATIONS.items():
        parameters = operation.get("parameters", ())
        silent += [f"{name}.{one['name']}" for one in parameters if not one.get("description")]
    assert silent == []


def test_every_body_has_an_example() -> None:
    without = [name for name, media in bodies() if "example" not in media]
    assert without == []
    shown = {name: media["example"] for name, media in bodies()}
    assert shown["mark_read takes application/json"] == {"message": "m1"}
    assert shown["badge answers application/json"] == {"RC": 0, "RM": "OK", "result": {"badge": 3}}
    assert shown["get_group_msg_receipt answers application/json"]["ErrorCode"] == 0


def test_examples_are_what_the_schemas_say() -> None:
    """Of bodies and of parameters."""
    examples = [(name, media["schema"], media["example"]) for name, media in bodies()]
    for name, operation in OPERATIONS.items():
        parameters = (one for one in operation.get("parameters", ()) if "example" in one)
        examples += [(f"{name}.{one['name']}", one["schema"], one["example"]) for one in parameters]
    assert {name: wrong for name, schema, shown in examples if (wrong := misfits(schema, shown))} == {}
    assert misfits({"$ref": "#/components/schemas/MarkRead"}, {"message": 7}) != []


def misfits(schema: Mapping[str, Any], value: Any) -> list[str]:
    """The parts of `value` that do not fit."""
    validator = jsonschema_rs.Draft202012Validator({**schema, "components": DOCUMENT["components"]})
    return [error.message for error in validator.iter_errors(value)]


def test_each_schema_has_a_name_of_its_own() -> None:
    """Generators name classes by titles, and drop the second of two equal ones."""
    assert {name: schema["title"] for name, schema in SCHEMAS.items()} == {name: name for name in SCHEMAS}
    assert [name for name, described in every_object() if "title" in described and name not in SCHEMAS] == []


def test_what_takes_one_of_several_forms_allows_that_they_overlap() -> None:
    """`oneOf` would mean that exactly one matches."""
    assert '"oneOf"' not in json.dumps(DOCUMENT)


@pytest.mark.parametrize("tag", VOCABULARIES)
def test_no_words_for_what_is_not_there(tag: str) -> None:
    """Every entry of a vocabulary is about something in the document."""
    dialect = VOCABULARIES[tag]
    ours = {name: operation for name, operation in OPERATIONS.items() if operation["tags"] == [tag]}
    assert set(dialect.requests) <= set(ours)
    assert set(dialect.free) <= set(SCHEMAS)
    there = {
        (parameter["name"], name) for name, operation in ours.items() for parameter in operation.get("parameters", ())
    }
    for name in referred_to(ours):
        there |= {(field, of) for of, described in objects(SCHEMAS[name], name) for field in described["properties"]}
    there |= {(field, of) for of, described in objects(ours, "") for field in described["properties"]}
    assert set(dialect.fields) - {word for field, of in there for word in (field, f"{of}.{field}")} == set()


def test_what_clients_stumbled_over() -> None:
    """A parameter with several names is documented under one. A required one is marked."""
    assert [one["name"] for one in OPERATIONS["badge"]["parameters"]] == ["roomTags"]
    assert "roomTags[]" in OPERATIONS["badge"]["parameters"][0]["description"]
    (messages,) = (one for one in OPERATIONS["receipt_counts"]["parameters"] if one["name"] == "messages")
    assert (messages["required"], messages["schema"]["type"]) == (True, "array")


def test_who_made_it_and_under_which_licence() -> None:
    assert DOCUMENT["info"]["license"] == {"name": "Apache License 2.0", "identifier": "Apache-2.0"}
    assert DOCUMENT["info"]["contact"]["name"] == "readstate"
