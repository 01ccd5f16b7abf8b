"""What a dialect says about its calls beside their code: the meaning of fields, and example
requests.
"""

from collections.abc import Collection, Mapping
from typing import Any

from msgspec import UNSET, Struct


class Field(Struct, frozen=True):
    """A field or parameter: its meaning, and a value for examples.

    A field without a value is in examples only when it consists of fields that have some.
    """

    meaning: str
    example: Any = UNSET


class Vocabulary(Struct, frozen=True, kw_only=True):
    """The words of one dialect."""

    tag: str  # of its operations
    description: str
    # By name on the wire. "Object.name" or "operation.name" where a name has several meanings.
    fields: Mapping[str, Field]
    free: Collection[str] = ()  # objects with further fields, which are the caller's own
    requests: Mapping[str, Any] = {}  # bodies by operation, where the required fields alone would show too little

    def field(self, name: str, of: str = "") -> Field | None:
        """The field `name` of an object or operation; None when the vocabulary does not have it."""
        return self.fields.get(f"{of}.{name}") or self.fields.get(name)
