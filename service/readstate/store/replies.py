"""What error replies of the server mean. No other file knows the words with which they begin."""

import re
from enum import Enum, auto
from typing import Any

from hiredis import ReplyError

from readstate import errors
from readstate.store.guards import SLOT_MOVES
from readstate.store.scripts import Script

_REFUSALS = {
    refusal.code: refusal
    for refusal in (
        errors.RoomUnknown,
        errors.MessageUnknown,
        errors.NotMember,
        errors.RoomTooLarge,
        errors.LimitReached,
    )
}


class Meaning(Enum):
    """What a caller can do about an error reply."""

    REFUSED = auto()  # by a script, with the code of a refusal
    FULL = auto()  # nothing ran, for want of memory
    PASSING = auto()  # nothing ran; in a moment it may
    LASTING = auto()  # nothing ran, and an operator must change something
    MOVED = auto()  # nothing ran: ask the node that `redirect` names, from now on
    ASK = auto()  # ... this time
    MISSING_FUNCTION = auto()  # nothing ran: load the functions
    OTHER_LAYOUT = auto()  # a script met a value of another layout, and has written nothing
    KILLED = auto()  # the script was ended before it had written anything
    UNKILLABLE = auto()  # it has written, so it cannot be ended
    SLOT_LOST = auto()  # a script ran while the cluster changed, and one of its commands was refused
    FAILED = auto()  # a bug, or data that another program has written


# The server checks all of these before a script begins (service/readstate/store/scripts.py), and a
# script SLOT_MOVES before it does anything.
_MEANINGS = {
    "OOM": Meaning.FULL,
    "MOVED": Meaning.MOVED,
    "ASK": Meaning.ASK,
    "UNKILLABLE": Meaning.UNKILLABLE,
    **dict.fromkeys(("LOADING", "BUSY", "CLUSTERDOWN", "TRYAGAIN", "MASTERDOWN", "READONLY"), Meaning.PASSING),
    SLOT_MOVES: Meaning.PASSING,
    **dict.fromkeys(("MISCONF", "NOREPLICAS", "NOPERM", "NOAUTH", "WRONGPASS"), Meaning.LASTING),
}
_REFUSING = frozenset({Meaning.FULL, Meaning.PASSING, Meaning.LASTING})
_MISSING_FUNCTION = "Function not found"
_OTHER_LAYOUT = "OTHER_LAYOUT"  # number of the layout, bytes of the key, key (lua/lib/layouts.lua)
_KILLED = "Script killed by user"
_SLOT_LOST = re.compile("the cluster is down|access a non local key")
# A server says so to every script that may write.
_REFUSES_WRITES = frozenset({"OOM", "MISCONF", "NOREPLICAS", "READONLY"})
# redis-py cuts the first word off.
_WORDINGS = {
    "NOPERM": r"NOPERM|permission|ACL",
    "OOM": r"OOM|maxmemory",
    "NOREPLICAS": r"NOREPLICAS|replicas",
    "MISCONF": r"MISCONF|snapshot|persist",
    "READONLY": r"READONLY|read only",
    "BUSY": r"BUSY",
    "ERR": r"unknown command",
}
_WRONG_LOGIN = re.compile("NOAUTH|WRONGPASS|Authentication required|invalid username-password", re.IGNORECASE)


class ScriptFailed(Exception):
    """A script raised an error that is not a refusal. The message is the server's own.

    The cause is a bug, or data that another program has written.
    """


# What a call ends in when its script cannot read a value: the other keys are as they should be.
UNREADABLE = (ScriptFailed, errors.LaterLayout)

# These write what lags behind the answer; whether they did is of no concern to a caller.
_QUESTIONS = frozenset({"badge", "badges_by_tags", "changes", "moved_copies", "visit"})


def classify(reply: ReplyError) -> Meaning:
    """What an error reply means."""
    text = str(reply)
    word = text.partition(" ")[0]
    if word in _REFUSALS:
        return Meaning.REFUSED
    if text.removeprefix("ERR ") == _MISSING_FUNCTION:
        return Meaning.MISSING_FUNCTION
    if word == _OTHER_LAYOUT:
        return Meaning.OTHER_LAYOUT
    meaning = _MEANINGS.get(word, Meaning.FAILED)
    if meaning in (Meaning.PASSING, Meaning.LASTING) and "script:" in text:
        meaning = Meaning.FAILED  # a command of a script was refused, so the script has begun
    if meaning is Meaning.FAILED and _KILLED in text:
        return Meaning.KILLED
    if meaning is Meaning.FAILED and _SLOT_LOST.search(text):
        return Meaning.SLOT_LOST
    return meaning


def redirect(reply: ReplyError, asked: str) -> str:
    """The address in a reply that means MOVED or ASK: host, colon, port.

    It has the host of the node that was asked, `asked`, if it names none.
    """
    address = str(reply).split(" ")[2]
    return asked.rpartition(":")[0] + address if address.startswith(":") and address.count(":") == 1 else address


def other_layout(reply: ReplyError) -> tuple[int, str]:
    """The number and the key in a reply that means OTHER_LAYOUT."""
    _, number, size, rest = str(reply).split(" ", 3)
    return int(number), rest.encode()[: int(size)].decode()


def is_busy(text: str) -> bool:
    """Whether an error reply says that a script keeps the server busy."""
    return text.startswith("BUSY ")


def is_of_replica(text: str) -> bool:
    """Whether an error reply says that the server is a replica, which takes no writes."""
    return text.startswith("READONLY ")


def refusing_word(text: str) -> str:
    """The first word of an error reply with which a server refuses what it could do; else ""."""
    word = text.partition(" ")[0]
    return word if _MEANINGS.get(word) in _REFUSING else ""


def reply_or_raise(reply: Any) -> Any:
    """Raise what an error reply stands for; return any other reply.

    The cause of a fault has the server's own words.
    """
    if not isinstance(reply, ReplyError):
        return reply
    text = str(reply)
    word, _, rest = text.partition(" ")
    match classify(reply):
        case Meaning.REFUSED:
            raise _REFUSALS[word](rest)
        case Meaning.FULL:
            raise errors.StoreFull from ScriptFailed(text)
        case Meaning.PASSING | Meaning.LASTING | Meaning.MOVED | Meaning.ASK | Meaning.MISSING_FUNCTION:
            raise errors.Unavailable(f"the store refuses for now: {text}") from ScriptFailed(text)
        case Meaning.KILLED:
            raise errors.Unavailable("the script took too long and was ended")
        case Meaning.SLOT_LOST:
            raise errors.UnknownOutcome(f"the cluster changed while a script ran: {text}")
    raise ScriptFailed(text)


def changes(script: Script) -> bool:
    """Whether a caller cares if what the script has written is lost."""
    return script.writes and script.name not in _QUESTIONS


def unanswered(script: Script, error: errors.UnknownOutcome) -> errors.Fault:
    """What a call without a reply ends in: a script that changes nothing has done nothing."""
    return error if changes(script) else errors.Unavailable("the store did not answer")


def is_full(text: str) -> bool:
    """Whether an error reply says that the server is full."""
    return text.startswith("OOM ")


def refused_write(fault: errors.Unavailable) -> str:
    """Why the server takes no writes, in its own words; "" if `fault` has another reason."""
    text = str(fault.__cause__ or "")
    return text if text.partition(" ")[0] in _REFUSES_WRITES else ""


def forbids(fault: errors.Unavailable) -> bool:
    """Whether `fault` comes from a command that this user may not run."""
    return str(fault.__cause__ or "").startswith("NOPERM ")


def needs_operator(fault: errors.Fault) -> bool:
    """Whether waiting does not mend `fault`: a right is missing, or the store is full."""
    return isinstance(fault, errors.StoreFull) or (isinstance(fault, errors.Unavailable) and forbids(fault))


def wants_login(message: str) -> bool:
    """Whether redis-py's `message` says that user or password are wrong or missing."""
    return _WRONG_LOGIN.search(message) is not None


def refuses_connections(message: str) -> bool:
    """Whether redis-py's `message` says that the server serves no connection, or none from here."""
    return "MISCONF" in message or "DENIED" in message


def word_in(message: str) -> str:
    """The first word of the error reply that redis-py made into `message`; "" if none fits."""
    return next((word for word, wording in _WORDINGS.items() if re.search(wording, message, re.IGNORECASE)), "")
