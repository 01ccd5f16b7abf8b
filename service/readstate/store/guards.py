"""The guard: in a cluster, a script that writes does nothing while its slot is between two nodes.

A script is called with one key and reaches others of its slot. While the slot moves key by key,
some of them may be at the other node. So before anything else the script looks for a key that never
exists:

- At the node that still has the slot, the server refuses that, because a key that is missing there
  may have moved. The script ends, and nothing was done.
- At the node to which the slot moves, a script runs only when a caller has asked for it, who knows
  that all keys of the room or user are there (cluster.py). There the server allows it.
- Anywhere else the key is simply not there.

A command that names two keys is refused at the node to which a slot moves, when one of them is
missing. Of these commands the scripts use RENAME only, and scripts with it look for two keys, so
that they are refused there at the beginning. A script that reaches no other key needs no guard.
Nor does one that writes nothing: if it meets a missing key, it is ended, and has done no harm.
"""

from collections.abc import Iterable

from readstate.store.keys import ABSENT

SLOT_MOVES = "SLOT_MOVES"  # the guard's error reply

OTHER_KEYS = "lib/keys"  # the library with the names of all keys but the script's own
_TWO_KEYS = 'redis.call("RENAME"'


def guard(texts: Iterable[str]) -> str:
    """The statement for a script of which `texts` are the file and its libraries."""
    suffixes = ABSENT if any(_TWO_KEYS in text for text in texts) else ABSENT[:1]
    missed = ", ".join(f'keys[1] .. "{suffix}"' for suffix in suffixes)
    return (
        f'if redis.pcall("EXISTS", {missed}) ~= 0 then\n'
        f'return redis.error_reply("{SLOT_MOVES} the slot is on its way to another node") end\n'
    )
