"""The published documents change only on purpose.

`python -m tests.contract.test_published` writes them anew. The difference is then part of the
change.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from readstate.app import create_app
from readstate.dialects.imkit.sockets.asyncapi import asyncapi_document
from readstate.settings import Settings

FOLDER = Path(__file__).parent / "published"
SETTINGS = Settings(redis_url="unix:///nowhere", api_key="a" * 32, client_key="c" * 32, token_secret="t" * 32)


def documents() -> dict[str, Any]:
    """What a service publishes, by the name of its file."""
    openapi = create_app(SETTINGS).openapi()
    return {"openapi.json": openapi, "asyncapi.json": asyncapi_document(openapi)}


def unwrapped(node: Any) -> Any:
    """The document with every run of white space as one space: where a line of a docstring ends
    says nothing.
    """
    if isinstance(node, dict):
        return {name: unwrapped(value) for name, value in node.items()}
    if isinstance(node, list):
        return [unwrapped(value) for value in node]
    return " ".join(node.split()) if isinstance(node, str) else node


@pytest.mark.parametrize("name", ["openapi.json", "asyncapi.json"])
def test_the_document_is_the_published_one(name: str) -> None:
    published = json.loads((FOLDER / name).read_text(encoding="utf-8"))
    assert unwrapped(documents()[name]) == unwrapped(published)


if __name__ == "__main__":
    for name, document in documents().items():
        written = json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        (FOLDER / name).write_text(written, encoding="utf-8")
