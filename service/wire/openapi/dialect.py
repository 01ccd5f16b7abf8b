"""What a dialect says of its calls beside their code: the meaning of each field, and what requests and answers look like."""

from collections.abc import Collection, Mapping
from typing import Any

from msgspec import UNSET, Struct


class Field(Struct, frozen=True):
    """A field or parameter: what it means, and a value for examples. Without one it is shown only if what it consists of has values."""

    meaning: str
    example: Any = UNSET


class Dialect(Struct, frozen=True, kw_only=True):
    """One of the APIs that are spoken here. A name means the same in all of its objects, unless an object says otherwise."""

    tag: str  # of its operations
    description: str
    fields: Mapping[str, Field]  # by name as on the wire; "Object.name" or "operation.name" for that object or operation alone
    free: Collection[str] = ()  # objects with further fields, which are the caller's own
    requests: Mapping[str, Any] = {}  # bodies by operation, where the required fields alone would show too little

    def field(self, name: str, of: str = "") -> Field | None:
        """The field `name` of an object or operation; None when nothing is said of it."""
        return self.fields.get(f"{of}.{name}") or self.fields.get(name)
