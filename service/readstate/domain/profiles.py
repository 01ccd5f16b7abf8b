"""What a room's profile says, however the dialects spell it."""

from collections.abc import Mapping

import msgspec

GROUP_TYPE = "groupType"  # field of a room that is a group of another system: that system's type of it


def said(profile: Mapping[str, bytes], field: str) -> object:
    """A field of the profile; None without it. Texts in small letters, without blanks around them."""
    value: object = msgspec.json.decode(profile[field]) if field in profile else None
    return value.strip().lower() if isinstance(value, str) else value


def is_foreign_group(profile: Mapping[str, bytes]) -> bool:
    """Whether a room is a group of another system, which has rules of its own for who may come in."""
    return GROUP_TYPE in profile
