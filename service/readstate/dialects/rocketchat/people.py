"""Users as this dialect shows them, and by what names they log in."""

from collections.abc import Mapping
from typing import Any

import msgspec

from readstate.dialects.rocketchat.schemas import Person
from readstate.domain.identity import User


def person(user: str, known: User | None) -> Person:
    """A user: the profile's `username`, else the id; its `name`, else `nickname`, else the username."""
    profile = known.profile if known else {}
    username = text(profile, "username") or user
    return Person(username, text(profile, "name") or text(profile, "nickname") or username, user)


def text(profile: Mapping[str, bytes], field: str) -> str:
    """A field of a user's or a room's profile that is a text; "" for any other and for none."""
    value: Any = msgspec.json.decode(profile[field]) if field in profile else None
    return value if isinstance(value, str) else ""
