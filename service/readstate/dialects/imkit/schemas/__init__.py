"""The wire types of IMKit's HTTP API, by noun.

Names and meanings are those of docs.imkit.io and of the published clients.

Requests ignore fields they do not know, as the original does. Only where a misspelt field would
silently change what is asked for is it refused. Rooms, users and messages keep unknown fields as
given (`body.free_fields`). Results that carry such fields are built in `views`; the Structs
describe what they always have.
"""

from typing import Annotated

from msgspec import Meta

from readstate.domain.limits import MAX_TAG_CHARS, MAX_TAGS

Tag = Annotated[str, Meta(min_length=1, max_length=MAX_TAG_CHARS)]
Tags = Annotated[list[Tag], Meta(max_length=MAX_TAGS)]
NonEmpty = Annotated[str, Meta(min_length=1)]
