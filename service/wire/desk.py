"""What the handlers of every dialect work with."""

from msgspec import Struct

from service.domain.client_rules import ClientRules
from service.domain.identity import Apps, Directory
from service.domain.read_state import ReadState
from service.domain.tokens import Tokens
from service.wire.credentials import Credentials
from service.wire.people import People
from service.wire.rate_limits import RateLimits


class Desk(Struct, frozen=True):
    """What the handlers work with."""

    read_state: ReadState
    directory: Directory
    apps: Apps
    tokens: Tokens
    people: People
    rate_limits: RateLimits
    credentials: Credentials
    client_rules: ClientRules
    lastread_badge_scope: str  # "total" or "room": what `badge` in the answer to PUT lastRead means
