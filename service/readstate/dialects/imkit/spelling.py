"""Fields that say what to do, in another spelling: passed over, they would do nothing, and the answer would look right."""

from collections.abc import Collection, Iterable, Mapping

from readstate.dialects.imkit.body import free_fields
from readstate.errors import Invalid


def by_letters(wishes: Iterable[str]) -> Mapping[str, str]:
    """The fields that say what to do, by their letters: as `check_spelling` takes them."""
    return {_letters(wish): wish for wish in wishes}


def check_spelling(names: Collection[str], wishes: Mapping[str, str]) -> None:
    """Raises Invalid when one of `names` is a wish in other capitals, with other strokes, or without its last s."""
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
