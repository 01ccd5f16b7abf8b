"""What each error reply of a server means."""

import pytest
from hiredis import ReplyError

from readstate.errors import NotMember, ReadStateError, StoreFull, Unavailable, UnknownOutcome
from readstate.store.replies import Meaning, ScriptFailed, classify, redirect, reply_or_raise, word_in

FULL = "OOM command not allowed when used memory > 'maxmemory'."
LOADING = "LOADING Redis is loading the dataset in memory"
NO_RIGHT = "NOPERM User weak has no permissions to run the 'fcall' command"
WITHIN = "READONLY You can't write against a read only replica. script: readstate_post_0, on @user_function:7."
ENDED = "Error running script (call to f): Script killed by user with FUNCTION KILL."
LOST = "ERR Script attempted to access a non local key in a cluster node script: f, on @user_function:1."


@pytest.mark.parametrize(
    ("text", "meaning", "raised"),
    [
        ("NOT_MEMBER ann", Meaning.REFUSED, NotMember),
        (FULL, Meaning.FULL, StoreFull),
        (LOADING, Meaning.PASSING, Unavailable),
        (NO_RIGHT, Meaning.LASTING, Unavailable),
        (WITHIN, Meaning.FAILED, ScriptFailed),
        (ENDED, Meaning.KILLED, Unavailable),
        (LOST, Meaning.SLOT_LOST, UnknownOutcome),
        ("TRYAGAIN Multiple keys request during rehashing of slot", Meaning.PASSING, Unavailable),
        ("SLOT_MOVES the slot is on its way to another node", Meaning.PASSING, Unavailable),
        ("MOVED 3999 ::1:7001", Meaning.MOVED, Unavailable),
        ("ASK 3999 10.0.0.7:7001", Meaning.ASK, Unavailable),
        ("ERR Function not found", Meaning.MISSING_FUNCTION, Unavailable),
        ("UNKILLABLE Sorry the script already executed write commands", Meaning.UNKILLABLE, ScriptFailed),
        ("WRONGTYPE Operation against a key", Meaning.FAILED, ScriptFailed),
    ],
)
def test_an_error_reply_has_one_meaning(text: str, meaning: Meaning, raised: type[Exception]) -> None:
    """And is raised as the error that says what was done; its cause has the server's own words."""
    assert classify(ReplyError(text)) is meaning
    with pytest.raises(raised) as caught:
        reply_or_raise(ReplyError(text))
    if not isinstance(caught.value, ReadStateError):
        assert str(caught.value) == text


@pytest.mark.parametrize("reply", [b"OOM is only a word here", 0, [], None])
def test_any_other_reply_is_handed_on(reply: object) -> None:
    assert reply_or_raise(reply) is reply


@pytest.mark.parametrize(
    ("address", "node"), [("10.0.0.7:7001", "10.0.0.7:7001"), ("::1:7001", "::1:7001"), (":7001", "10.0.0.6:7001")]
)
def test_a_redirect_names_the_node(address: str, node: str) -> None:
    """As the server writes it: an IPv6 host has no brackets, and an unknown host is the same."""
    assert redirect(ReplyError(f"MOVED 3999 {address}"), "10.0.0.6:7000") == node


@pytest.mark.parametrize("text", [FULL, NO_RIGHT, "READONLY You can't write against a read only replica."])
def test_an_error_is_recognised_without_its_first_word(text: str) -> None:
    """redis-py cuts it off."""
    word, _, message = text.partition(" ")
    assert word_in(message) == word
