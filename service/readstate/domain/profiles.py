"""Profiles of rooms and users: their limits, and what a room's says in any dialect's spelling."""

from collections.abc import Mapping

import msgspec

from readstate.domain.limits import MAX_PROFILE_FIELD_BYTES, MAX_PROFILE_FIELDS, MAX_PROFILE_NAME_BYTES
from readstate.errors import Invalid

GROUP_TYPE = "groupType"  # field of a room that is a group of another system: its type there


def check_profile(profile: Mapping[str, bytes]) -> dict[str, bytes]:
    """At most 32 profile fields by name, each a JSON text of at most 4 KiB.

    A name has 1 to 64 printable bytes and does not begin with "#". Raises Invalid.
    """
    if len(profile) > MAX_PROFILE_FIELDS:
        raise Invalid("profile", f"at most {MAX_PROFILE_FIELDS} profile fields may be given")
    for name, value in profile.items():
        if not name.isprintable() or name.startswith("#") or not 1 <= len(name.encode()) <= MAX_PROFILE_NAME_BYTES:
            raise Invalid(
                "profile",
                f"the name of a profile field must have 1 to {MAX_PROFILE_NAME_BYTES} printable bytes"
                " and no # in front",
            )
        if len(value) > MAX_PROFILE_FIELD_BYTES:
            raise Invalid(name, f"{name} must have at most {MAX_PROFILE_FIELD_BYTES} bytes as JSON")
    return dict(profile)


def profile_value(profile: Mapping[str, bytes], field: str) -> object:
    """A field of the profile, None without it. Texts are stripped and in lower case."""
    value: object = msgspec.json.decode(profile[field]) if field in profile else None
    return value.strip().lower() if isinstance(value, str) else value


def text_of(profile: Mapping[str, bytes], field: str) -> str:
    """A field that holds a text, as it is; "" for another one, and for one that is missing."""
    value = msgspec.json.decode(profile[field]) if field in profile else None
    return value if isinstance(value, str) else ""


def is_foreign_group(profile: Mapping[str, bytes]) -> bool:
    """Whether a room is a group of another system, which has its own rules for joining."""
    return GROUP_TYPE in profile
