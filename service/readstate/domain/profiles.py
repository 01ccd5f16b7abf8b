"""What a room's profile says, however the dialects spell it."""

from collections.abc import Mapping

import msgspec


def said(profile: Mapping[str, bytes], field: str) -> object:
    """A field of the profile; None without it. Texts in small letters, without blanks around them."""
    value: object = msgspec.json.decode(profile[field]) if field in profile else None
    return value.strip().lower() if isinstance(value, str) else value
