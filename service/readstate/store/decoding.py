"""Replies of plain commands; those of scripts are read by store/lua.py."""

from collections.abc import Sequence
from typing import Any


def by_field(flat: Sequence[Any]) -> dict[Any, Any]:
    """A flat list of names and values in turn, as a dict."""
    return dict(zip(flat[::2], flat[1::2], strict=True))
