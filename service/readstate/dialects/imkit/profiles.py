"""Profiles: which free fields of a body become a part of one."""

from collections.abc import Mapping

from readstate.dialects.imkit.body import by_plain_name, check_spelling, free_fields
from readstate.domain.limits import MAX_PROFILE_FIELDS
from readstate.domain.profiles import check_profile
from readstate.errors import Invalid

# Fields of the service, and options: never kept as given.
ROOM_FIELDS = frozenset(
    (
        *("_id", "id", "appID", "status", "roomTags", "lastMessage", "createdTime", "createdTimeMS"),
        *("members", "memberProperties", "partial", "invitee", "invitees", "systemMessage", "invitationRequired"),
        *("unread", "isSuperuser", "muted", "isMentioned", "pref", "lastRead"),  # of one user
    )
)
# Options. Misspelt, an option would be kept in the profile and do nothing.
_ROOM_OPTIONS = by_plain_name(["members", "roomTags", "status", "invitee", "systemMessage", "invitationRequired"])
_USER_OPTIONS = by_plain_name(["issueAccessToken", "expirationDate"])
USER_FIELDS = frozenset(
    (
        *("_id", "id", "appID", "mute", "updatedAt", "lastLoginTimeMS"),
        *("token", "issueAccessToken", "expirationDate", "expirationDateMS"),
    )
)


def room_profile(body: bytes) -> dict[str, bytes]:
    """The profile fields in the body of a call about a room. Raises BadBody, Invalid."""
    fields = check_profile(free_fields(body, ROOM_FIELDS) if body else {})
    check_spelling(fields, _ROOM_OPTIONS)
    return fields


def user_profile(body: bytes) -> dict[str, bytes]:
    """The profile fields in the body of a call about a user. Raises BadBody, Invalid."""
    fields = check_profile(free_fields(body, USER_FIELDS))
    check_spelling(fields, _USER_OPTIONS)
    return fields


def merged(whose: str, present: Mapping[str, bytes], given: Mapping[str, bytes]) -> dict[str, bytes]:
    """The profile of `whose`, a room or a user, with the given fields added. Raises Invalid when
    they are too many.
    """
    fields = {**present, **given}
    if len(fields) > MAX_PROFILE_FIELDS:
        raise Invalid("profile", f"{whose} must have at most {MAX_PROFILE_FIELDS} profile fields")
    return fields
