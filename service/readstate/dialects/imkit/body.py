"""Bodies of requests: the free fields beside those that we know, and known ones in another
spelling.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec

from readstate.dialects.http.body import BadBody, decode
from readstate.domain.limits import MAX_NESTING
from readstate.errors import Invalid

_decode_anything = msgspec.json.Decoder().decode
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def free_fields(body: bytes, taken: Collection[str]) -> dict[str, bytes]:
    """The fields of a JSON object that are not in `taken`, each with its JSON text as given.

    Raises BadBody.
    """
    # What is passed on unread has to be sound all through; a Raw is only looked at from outside.
    whole = decode(_decode_anything, body)
    # How deep Python can read depends on how deep in its own calls it is: what is taken in here has
    # to be readable everywhere.
    if body.count(b"[") + body.count(b"{") > MAX_NESTING and _is_deeper(whole, MAX_NESTING):
        raise BadBody(f"The body must not be nested more than {MAX_NESTING} levels deep")
    fields: dict[str, msgspec.Raw] = decode(_decode_fields, body)
    return {name: bytes(value).strip() for name, value in fields.items() if name not in taken}


def _is_deeper(value: Any, levels: int) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return inner is not None and (levels == 0 or any(_is_deeper(one, levels - 1) for one in inner))


# Fields that say what to do. In another spelling such a field would be passed over: it would do
# nothing, and the answer would look right.


def by_letters(wishes: Iterable[str]) -> Mapping[str, str]:
    """The fields that say what to do, by their letters: as `check_spelling` takes them."""
    return {_letters(wish): wish for wish in wishes}


def check_spelling(names: Collection[str], wishes: Mapping[str, str]) -> None:
    """Raises Invalid when one of `names` is a wish in other capitals, with other strokes, or
    without its last s.
    """
    for name in names:
        wish = wishes.get(_letters(name))
        if wish is not None and wish != name:
            raise Invalid(name, f"{name} is no field of this call; did you mean {wish}?")


def check_wishes(body: bytes, wishes: Mapping[str, str]) -> None:
    """The same for a whole body, which may be missing. Raises BadBody as well."""
    if body:
        check_spelling(free_fields(body, ()), wishes)


def _letters(name: str) -> str:
    return name.casefold().replace("_", "").replace("-", "").rstrip("s")
