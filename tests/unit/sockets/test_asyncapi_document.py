"""The AsyncAPI document has every event of the code and of the page, with an example that fits."""

import ast
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from readstate.dialects.imkit.sockets.events import CLIENT_EVENTS
from readstate.dialects.imkit.sockets.http_calls import HTTP_CALLS
from tests.contract.test_published import documents

ROOT = Path(__file__).resolve().parents[3]
SOCKETS = ROOT / "service" / "readstate" / "dialects" / "imkit" / "sockets"
DOCUMENT: dict[str, Any] = documents()["asyncapi.json"]
MESSAGES: dict[str, Any] = DOCUMENT["components"]["messages"]


def events(side: str) -> set[str]:
    """The names of the events of one side, without their acks."""
    return {one["name"] for key, one in MESSAGES.items() if key.startswith(f"{side}.") and not key.endswith(".ack")}


def strings_in(path: Path, where: type[ast.AST]) -> set[str]:
    """The string constants right in nodes of a type."""
    nodes = (node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, where))
    inside = (inner for node in nodes for inner in ast.walk(node))
    return {one.value for one in inside if isinstance(one, ast.Constant) and isinstance(one.value, str)}


def sent_by_the_code() -> set[str]:
    """The names with which a ServerEvent is made."""
    calls = (
        node
        for path in SOCKETS.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "ServerEvent"
    )
    return {str(call.args[0].value) for call in calls if isinstance(call.args[0], ast.Constant)}


def named_on_the_page(heading: str) -> set[str]:
    """The first column of the table under a heading of docs/sockets.md."""
    page = (ROOT / "docs" / "sockets.md").read_text(encoding="utf-8")
    section = page.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [row.split("|")[1] for row in section.splitlines() if row.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row)}


def test_every_event_of_a_client_is_there() -> None:
    compared = strings_in(SOCKETS / "client_events.py", ast.Compare) - {"base64"}
    assert events("client") == {*CLIENT_EVENTS, *HTTP_CALLS}
    assert compared <= events("client")
    assert events("client") == named_on_the_page("What a client sends")


def test_every_event_of_the_service_is_there() -> None:
    assert sent_by_the_code() == events("service")
    assert events("service") == named_on_the_page("What a client receives")


@pytest.mark.parametrize("key", MESSAGES)
def test_an_example_fits(key: str) -> None:
    validator = jsonschema_rs.Draft202012Validator(
        {**MESSAGES[key]["payload"], "components": DOCUMENT["components"]}, validate_formats=True
    )
    for one in MESSAGES[key]["examples"]:
        validator.validate(one["payload"])


def test_an_ack_may_be_a_failure() -> None:
    for key, message in MESSAGES.items():
        if key.endswith(".ack"):
            assert {"$ref": "#/components/schemas/Failure"} in message["payload"]["anyOf"], key


def test_whatever_has_a_payload_has_words() -> None:
    assert all(one["summary"] and not one["summary"].endswith(".") for one in MESSAGES.values())
