"""The published document changes only on purpose.

`python -m tests.contract.test_published` writes it anew. The difference is then part of the change.
"""

import json
from pathlib import Path
from typing import Any

from readstate.app import create_app
from readstate.settings import Settings

PUBLISHED = Path(__file__).parent / "published" / "openapi.json"
SETTINGS = Settings(redis_url="unix:///nowhere", api_key="a" * 32, client_key="c" * 32, token_secret="t" * 32)


def unwrapped(node: Any) -> Any:
    """The document with every run of white space as one space: where a line of a docstring ends
    says nothing.
    """
    if isinstance(node, dict):
        return {name: unwrapped(value) for name, value in node.items()}
    if isinstance(node, list):
        return [unwrapped(value) for value in node]
    return " ".join(node.split()) if isinstance(node, str) else node


def test_the_document_is_the_published_one() -> None:
    assert unwrapped(create_app(SETTINGS).openapi()) == unwrapped(json.loads(PUBLISHED.read_text(encoding="utf-8")))


if __name__ == "__main__":
    PUBLISHED.write_text(
        json.dumps(create_app(SETTINGS).openapi(), indent=1, sort_keys=True, ensure_ascii=False) + "\n",
        encoding="utf-8",
    )
