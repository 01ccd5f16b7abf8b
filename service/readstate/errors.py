"""What can go wrong, as one tree. Each dialect translates it into errors of its own.

ReadStateError
├── Refusal            the caller's mistake; nothing was written; repeating does not help
│   ├── Invalid        a value is malformed or over a limit
│   ├── RoomUnknown    no such room in this app
│   ├── MessageUnknown no such message in this room (or no longer remembered)
│   ├── NotMember      the room exists, the user is not in it
│   ├── RoomTooLarge   the room has more members than this call is for
│   ├── UserUnknown    no such user in this app
│   ├── TokenUnknown   no such token of this user
│   ├── TokenConflict  the token already belongs to another user
│   ├── LimitReached   a limit on what is kept for one user or room is reached
│   └── TooManyRequests the caller, their app or their address is over its rate limit; repeat after
│                      `retry_after_s`
└── Fault              of the service, or of the store
    ├── Unavailable    nothing was done; repeat after `retry_after_s`
    │   └── StoreFull  the store has no memory left for what this call would keep
    └── UnknownOutcome the store went away after the call was sent: it may or may not have happened
        └── NotConfirmed it has happened, and is not known to be as durable as was asked for
"""


class ReadStateError(Exception):
    """Root of the errors of this service."""


class Refusal(ReadStateError):
    """The request cannot be carried out as asked. Nothing was written."""

    code = "REFUSED"


class Invalid(Refusal):
    """`field` is malformed or over its limit; the message says what to send instead."""

    code = "INVALID"

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class RoomUnknown(Refusal):
    code = "ROOM_UNKNOWN"


class MessageUnknown(Refusal):
    code = "MESSAGE_UNKNOWN"


class NotMember(Refusal):
    code = "NOT_MEMBER"


class RoomTooLarge(Refusal):
    code = "ROOM_TOO_LARGE"


class UserUnknown(Refusal):
    code = "USER_UNKNOWN"


class TokenUnknown(Refusal):
    code = "TOKEN_UNKNOWN"


class TokenConflict(Refusal):
    code = "TOKEN_CONFLICT"


class LimitReached(Refusal):
    """A limit on what is kept for one user or room is reached.

    The message says which limit, and what to do.
    """

    code = "LIMIT_REACHED"


class TooManyRequests(Refusal):
    """The caller, their app or their address is over its rate limit.

    Nothing was done. The same call works after `retry_after_s`.
    """

    code = "TOO_MANY_REQUESTS"

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Fault(ReadStateError):
    """The service or its store failed; the caller did nothing wrong."""

    for_callers = False  # whether the message says more to a caller than the kind of the fault does


class Unavailable(Fault):
    """The store cannot be reached or is overloaded. Nothing was done; try again."""

    retry_after_s = 1


class LaterLayout(Unavailable):
    """What the call needs was written by a later version. Nothing was done."""


class StoreFull(Unavailable):
    """The store has no memory left for what this call would keep. Nothing was done.

    It works again when data were deleted or the store got more memory. Reads and deletions work
    meanwhile.
    """

    retry_after_s = 30
    for_callers = True

    def __init__(
        self, message: str = "The store is full: nothing was done. What is there can be asked for and deleted"
    ) -> None:
        super().__init__(message)


class UnknownOutcome(Fault):
    """The connection was lost after the call was sent.

    Ask for the present state before repeating.
    """

    retry_after_s = 1


class ConnectionLost(UnknownOutcome):
    """The connection was lost before the reply came."""


class NotConfirmed(UnknownOutcome):
    """The call was carried out, and is not known to be as durable as was asked for. Repeat it."""

    for_callers = True


class SettingsError(Exception):
    """A setting cannot be used. The message is one sentence: the variable, and what to change."""


class Doubt(Exception):
    """What was checked works, but an operator should look at it.

    The message is one sentence that says what to change.
    """
