"""What the handlers of every dialect work with."""

from readstate.dialects.access.credentials import Credentials
from readstate.dialects.access.rate_limits import RateLimits
from readstate.dialects.people import People
from readstate.domain.client_rules import ClientRules
from readstate.domain.identity import Apps, Directory
from readstate.domain.read_state import ReadState
from readstate.domain.tokens import Tokens


class Services(ReadState, frozen=True):
    """The operations on read state, and what else the handlers work with."""

    directory: Directory
    apps: Apps
    tokens: Tokens
    people: People
    rate_limits: RateLimits
    credentials: Credentials
    client_rules: ClientRules
    lastread_badge_scope: str  # "total" or "room": what `badge` in the answer to PUT lastRead means
