"""What a dialect says of its calls beside their code: what fields mean, and what requests look
like.
"""

from collections.abc import Collection, Mapping
from typing import Any

from msgspec import UNSET, Struct


class Field(Struct, frozen=True):
    """A field or parameter: what it means, and a value for examples.

    Without a value it is in examples only when it consists of fields that have some.
    """

    meaning: str
    example: Any = UNSET


class Vocabulary(Struct, frozen=True, kw_only=True):
    """One of the APIs that are spoken here."""

    tag: str  # of its operations
    description: str
    # By name as on the wire: a name means the same in all objects. "Object.name" or
    # "operation.name" where it does not.
    fields: Mapping[str, Field]
    free: Collection[str] = ()  # objects with further fields, which are the caller's own
    requests: Mapping[str, Any] = {}  # bodies by operation, where the required fields alone would show too little

    def field(self, name: str, of: str = "") -> Field | None:
        """The field `name` of an object or operation; None when nothing is said of it."""
        return self.fields.get(f"{of}.{name}") or self.fields.get(name)
