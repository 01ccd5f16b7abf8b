"""How many random examples a test makes: few for every change, many with --full."""

from hypothesis import settings

_IS_FULL = [False]


def make_many(is_full: bool) -> None:
    """Whether tests make as many examples as with --full. Called before they are imported."""
    _IS_FULL[:] = [is_full]


def examples(few: int, many: int, *, derandomize: bool = False) -> settings:
    """The setting for so many examples, or for many with --full."""
    return settings(max_examples=many if _IS_FULL[0] else few, derandomize=derandomize)
