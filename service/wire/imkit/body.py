"""Bodies of requests: the free fields beside those that we know."""

from collections.abc import Collection

import msgspec

from service.wire.body import decode

_decode_anything = msgspec.json.Decoder().decode
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def free_fields(body: bytes, taken: Collection[str]) -> dict[str, bytes]:
    """The fields of a JSON object that are not in `taken`, each with its JSON text as given."""
    # What is passed on unread has to be sound all through; a Raw is only looked at from outside.
    decode(_decode_anything, body)
    fields: dict[str, msgspec.Raw] = decode(_decode_fields, body)
    return {name: bytes(value).strip() for name, value in fields.items() if name not in taken}
