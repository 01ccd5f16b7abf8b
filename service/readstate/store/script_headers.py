"""The headers of scripts: what a script is called with and what it answers, declared in one place.

    -- Key        room
    -- Args       app, user, message, lease_ms digits, ...tags
    -- Reply      { message, seq int, moved flag, badge int? }

Every script has one key, which is `key` in its body; the word behind `Key` says of what. The
arguments are locals of the script under the names that are declared. Their types:

    (none)   a string of bytes
    int      a number
    digits   a number that the script leaves as its digits, for a command or for rare use
    flag     true or false
    tagset   tags, joined to one string

`...tags` is a list; behind it, `(name, value)` says that it is a flat list of such rows. All lists
but the last are sent behind their length.

A reply is one value, a record `{ a, b int }` or a list `[a]`; `[a, b int]` is a flat list of rows.
Its types are text (the default), bytes, int, flag (1 or 0) and tagset. `?` says that a value may be
missing: the script answers false, or an empty text or record.
"""

import re
from collections.abc import Iterator

from msgspec import Struct

_TYPES = frozenset({"text", "bytes", "int", "digits", "flag", "tagset"})
_WORD = re.compile(r"\s*(\.\.\.|[\w]+|[{}\[\](),?])")
_SECTION = re.compile(r"^-- (Key|Args|Reply) +(.*(?:\n--  +.*)*)", re.MULTILINE)


class HeaderError(Exception):
    """A header cannot be read; the message names the script."""


class Argument(Struct, frozen=True):
    """One argument of a script, or a list of them."""

    name: str
    type: str = "text"
    many: bool = False
    row: tuple[str, ...] = ()  # of a list of rows: the names of their parts


class Shape(Struct, frozen=True):
    """What a reply or a part of it is: a scalar type, "record" or "list" of the fields."""

    kind: str
    fields: tuple[tuple[str, "Shape"], ...] = ()
    optional: bool = False


class Header(Struct, frozen=True):
    """What a script declares."""

    arguments: tuple[Argument, ...]
    reply: Shape


def read_header(name: str, text: str) -> Header:
    """The header of the script `name`, whose file is `text`. Raises HeaderError."""
    sections = {match[1]: " ".join(re.split(r"\n-- +", match[2])) for match in _SECTION.finditer(text)}
    if missing := {"Key", "Args", "Reply"} - sections.keys():
        raise HeaderError(f"{name}.lua: the header has no line {', '.join(sorted(missing))}")
    try:
        arguments = () if sections["Args"] == "none" else tuple(_arguments(_Words(sections["Args"])))
        return Header(arguments, _field(_Words(sections["Reply"]))[1])
    except ValueError as error:
        raise HeaderError(f"{name}.lua: the header cannot be read: {error}") from None


class _Words:
    """Words and punctuation, one after the other."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0

    def peek(self) -> str:
        """The next one, "" when what follows is none."""
        match = _WORD.match(self._text, self._position)
        return match[1] if match else ""

    def next(self, expected: str = "") -> str:
        match = _WORD.match(self._text, self._position)
        if match is None or (expected and match[1] != expected):
            raise ValueError(f"{expected or 'a name'} is missing before {self._text[self._position :][:40]!r}")
        self._position = match.end()
        return match[1]

    def skip(self, word: str) -> bool:
        if self.peek() != word:
            return False
        self.next()
        return True


def _arguments(words: _Words) -> Iterator[Argument]:
    while True:
        many = words.skip("...")
        name = words.next()
        type_ = words.next() if words.peek() in _TYPES else "text"
        row: list[str] = []
        if many and words.skip("("):
            row.append(words.next())
            while words.skip(","):
                row.append(words.next())
            words.next(")")
        yield Argument(name, type_, many, tuple(row))
        if not words.skip(","):
            return


def _field(words: _Words) -> tuple[str, Shape]:
    """A name with the shape of its value, or a shape alone."""
    name = ""
    if words.peek() not in _TYPES and words.peek() not in ("{", "["):
        name = words.next()
    if words.peek() in ("{", "["):
        closing = {"{": "}", "[": "]"}[words.next()]
        fields = [_field(words)]
        while words.skip(","):
            fields.append(_field(words))
        words.next(closing)
        shape = Shape("record" if closing == "}" else "list", tuple(fields))
    else:
        shape = Shape(words.next() if words.peek() in _TYPES else "text")
    return name, Shape(shape.kind, shape.fields, words.skip("?"))
