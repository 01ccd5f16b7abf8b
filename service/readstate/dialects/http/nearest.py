"""What a caller may have meant by a name that is not known: part of a refusal that says what to send."""

from collections.abc import Collection
from difflib import get_close_matches

MAX_NAME_CHARS = 64  # of the caller's own words in an answer
_LIKENESS = 0.5  # tag is like roomTags


def nearest(name: str, known: Collection[str]) -> str:
    """The known name that `name` is likest, whatever its case; "" when it is like none."""
    by_likeness = {one.casefold(): one for one in known}
    found = get_close_matches(name[:MAX_NAME_CHARS].casefold(), by_likeness, n=1, cutoff=_LIKENESS)
    return by_likeness[found[0]] if found else ""


def unknown(kind: str, name: str, known: Collection[str]) -> str:
    """The sentence that refuses `name`, a `kind` ("field") that a call does not take."""
    shown = name[:MAX_NAME_CHARS]
    if meant := nearest(name, known):
        return f"{shown} is no {kind} of this call; did you mean {meant}?"
    takes = f"it takes {', '.join(sorted(known))}" if known else "it takes none"
    return f"{shown} is no {kind} of this call; {takes}"
