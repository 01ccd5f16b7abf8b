"""Bodies of requests: free fields, misspelt names of known ones, and which fields are kept."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec

from readstate.dialects.http.body import BadBody, anything, decode, raw_fields
from readstate.domain.limits import MAX_NESTING, MAX_PROFILE_FIELDS
from readstate.domain.profiles import check_profile
from readstate.errors import Invalid


def free_fields(body: bytes, known: Collection[str]) -> dict[str, bytes]:
    """The fields of a JSON object that are not in `known`, each as its JSON text.

    Raises BadBody.
    """
    # Fields are passed on unread, so all of them must be valid; msgspec checks a Raw only roughly.
    whole = decode(anything, body)
    # How deep Python can decode depends on its call depth, so the limit must be safe everywhere.
    if body.count(b"[") + body.count(b"{") > MAX_NESTING and _is_deeper(whole, MAX_NESTING):
        raise BadBody(f"The body must not be nested more than {MAX_NESTING} levels deep")
    fields: dict[str, msgspec.Raw] = decode(raw_fields, body)
    return {name: bytes(value).strip() for name, value in fields.items() if name not in known}


def _is_deeper(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return inner is not None and (levels == 0 or any(_is_deeper(one, levels - 1) for one in inner))


# Options are fields that control the call. A misspelt option would be ignored, and the answer would
# look right; so it is refused.


def by_plain_name(options: Iterable[str]) -> Mapping[str, str]:
    """Names of fields by their plain form, for `check_spelling`."""
    return {_plain_name(option): option for option in options}


def check_spelling(names: Collection[str], options: Mapping[str, str]) -> None:
    """Raises Invalid when one of `names` is an option with other capitals, hyphens or underscores,
    or without its last s.
    """
    for name in names:
        option = options.get(_plain_name(name))
        if option is not None and option != name:
            raise Invalid(name, f"{name} is no field of this call; did you mean {option}?")


def check_options(body: bytes, options: Mapping[str, str]) -> None:
    """The same for a whole body, which may be missing. Raises BadBody too."""
    if body:
        check_spelling(free_fields(body, ()), options)


def _plain_name(name: str) -> str:
    return name.casefold().replace("_", "").replace("-", "").rstrip("s")


# Profiles: which free fields of a body become a part of one.

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
