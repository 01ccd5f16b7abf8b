"""What can be done with read state, noun by noun; the same for every dialect."""

from msgspec import Struct

from readstate.domain.audit import Audit
from readstate.domain.badges import Badges
from readstate.domain.changes import Changes
from readstate.domain.latest import Latest
from readstate.domain.messages import Messages
from readstate.domain.reading import Reading
from readstate.domain.receipts import Receipts
from readstate.domain.rooms import Rooms
from readstate.domain.throttle import Throttle


class ReadState(Struct, frozen=True):
    """The operations; each noun has its contract in the file of its name.

    Every operation is atomic in its effect, and done (badges included) when it returns. All of them
    may raise Unavailable (nothing was done, try again), and those that write UnknownOutcome. Types
    as `Id` and `Members` say which values must have been checked, where something may be created
    (domain/limits.py); elsewhere an impossible id is simply unknown.
    """

    rooms: Rooms
    messages: Messages
    reading: Reading
    receipts: Receipts
    badges: Badges
    changes: Changes
    audit: Audit
    throttle: Throttle
    latest: Latest
