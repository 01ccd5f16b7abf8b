"""From the text of a variable to its value, and the sentence that refuses a wrong text."""

import difflib
from typing import Any, Literal, get_args, get_origin

import msgspec

from readstate.errors import SettingsError
from readstate.settings.fields import PREFIX, TYPES
from readstate.settings.secret_files import FILE_VARIABLES

_BOOLEANS = {"yes": "true", "on": "true", "no": "false", "off": "false"}
_KINDS = {"`int`": "a whole number", "`float`": "a number", "`str`": "text", "`bool`": "true or false"}


def check_known(variable: str) -> None:
    """Raises SettingsError unless `variable` is of a setting, or names its file. Capitals count."""
    name = variable[len(PREFIX) :].lower()
    if variable in FILE_VARIABLES or (variable == variable.upper() and name in TYPES):
        return
    files = (known[len(PREFIX) :].lower() for known in FILE_VARIABLES)
    nearest = difflib.get_close_matches(name, [*TYPES, *files], n=1)
    hint = f"the nearest known one is {PREFIX}{nearest[0].upper()}" if nearest else "the README lists all of them"
    raise SettingsError(f"{variable} is not a setting; {hint}")


def plain(name: str, value: str) -> str:
    """The one spelling of a value that has several. Secrets and paths are returned as they are."""
    if name.endswith("_url"):
        scheme, mark, rest = value.partition("://")
        return scheme.lower() + mark + rest
    wanted = TYPES[name]
    choices = get_args(wanted) if get_origin(wanted) is Literal else ()
    if wanted is bool or choices:
        value = value.strip().lower()
    if wanted is bool:
        return _BOOLEANS.get(value, value)
    return value


def convert(name: str, value: str, source: str = "") -> Any:
    """The value of the setting `name`.

    Raises SettingsError, which names `source` or the variable.
    """
    try:
        return msgspec.convert(value, TYPES[name], strict=False)
    except msgspec.ValidationError as error:
        variable = source or PREFIX + name.upper()
        raise SettingsError(f"{variable} cannot be used: it must be {_wanted(name, str(error))}") from None


def _wanted(name: str, error: str) -> str:
    """What msgspec expected, in the words of an operator who sets a variable."""
    if "invalid enum value" in error.lower():
        return "one of " + ", ".join(get_args(TYPES[name]))
    if "regex" in error:
        return "printable ASCII without spaces"
    wanted = error.removeprefix("Expected ").partition(", got")[0].replace(" | null", "")
    for type_name, words in _KINDS.items():
        wanted = wanted.replace(type_name, words)
    return wanted.replace("<=", "of at most").replace(">=", "of at least").replace("length of", "length")


def text_of(value: object) -> str:
    """A value as the text of its variable."""
    return str(value).lower() if isinstance(value, bool) else str(value)
