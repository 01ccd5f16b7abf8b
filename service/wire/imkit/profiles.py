"""Which free fields of a body become a profile, and which belong to us."""

from collections.abc import Collection, Mapping

from service.domain.limits import MAX_PROFILE_FIELDS, check_profile
from service.errors import Invalid
from service.wire.imkit.body import free_fields

# Fields that we make, or that say what to do: never kept as given.
ROOM_FIELDS = frozenset(
    [
        "_id",
        "id",
        "appID",
        "members",
        "memberProperties",
        "partial",
        "unread",
        "status",
        "roomTags",
        "lastMessage",
        "createdTime",
        "createdTimeMS",
        "isSuperuser",
        "muted",
        "isMentioned",
        "pref",
        "lastRead",
        "invitee",
        "invitees",
        "systemMessage",
        "invitationRequired",
    ]
)
# Those that say what to do. In another spelling they would be kept, and nothing would be done.
_ROOM_WISHES = ("members", "roomTags", "status", "invitee", "systemMessage", "invitationRequired")
_USER_WISHES = ("issueAccessToken", "expirationDate")
USER_FIELDS = frozenset(
    ["_id", "id", "appID", "mute", "updatedAt", "token", "issueAccessToken", "expirationDate", "expirationDateMS", "lastLoginTimeMS"]
)


def room_profile(body: bytes) -> dict[str, bytes]:
    """The profile fields in the body of a call about a room. Raises BadBody, Invalid."""
    return _check_spelling(check_profile(free_fields(body, ROOM_FIELDS) if body else {}), _ROOM_WISHES)


def user_profile(body: bytes) -> dict[str, bytes]:
    """The profile fields in the body of a call about a user. Raises BadBody, Invalid."""
    return _check_spelling(check_profile(free_fields(body, USER_FIELDS)), _USER_WISHES)


def _check_spelling(fields: dict[str, bytes], wishes: Collection[str]) -> dict[str, bytes]:
    """The profile fields, none of which is a wish spelt otherwise. Raises Invalid.

    That is in other capitals, with other strokes, or without its last s.
    """
    spelt = {_letters(wish): wish for wish in wishes}
    for name in fields:
        if wish := spelt.get(_letters(name)):
            raise Invalid(name, f"{name} is no field of this call; did you mean {wish}?")
    return fields


def _letters(name: str) -> str:
    return name.casefold().replace("_", "").replace("-", "").rstrip("s")


def merged(whose: str, present: Mapping[str, bytes], given: Mapping[str, bytes]) -> dict[str, bytes]:
    """The profile of `whose`, a room or a user, with the fields that were given. Raises Invalid when they are too many."""
    fields = {**present, **given}
    if len(fields) > MAX_PROFILE_FIELDS:
        raise Invalid("profile", f"{whose} must have at most {MAX_PROFILE_FIELDS} profile fields")
    return fields
