"""Released versions whose layout is an earlier one, and how they are shut out.

A released version cannot be told of a later layout. But it calls its scripts by names that end in a
digest of them (scripts.py), and it loads its library only where there is none of that name. So
libraries of these names take their place. Their functions answer an error that names the version to
install. A worker of that version, running or starting, gets it for every call, before anything is
read or written.
"""

from msgspec import Struct

from readstate.store.executor import Executor
from readstate.store.noted_layout import LAYOUT
from readstate.store.scripts import PREFIX, Plan

VERSION = "0.2.0"  # the first with this layout


class Release(Struct, frozen=True):
    """A released version as the server knows it."""

    version: str
    layout: int
    digests: dict[Plan, str]
    scripts: list[str]


_SCRIPTS_OF_1 = """\
ack acknowledge add_members add_to_sorted_set apply audit_counters audit_head badge badges_by_tags claim_shard copies
count_messages create_room delete_message delete_messages delete_room derived_unread edit_message hit_rate_limit invite
join_deliverers mark_read mark_read_until mark_unread members message note_newest note_worker pending post
recall_message receipt_counts receipts record_outcomes refresh_members release_shard remove_members replay_events
restore_cursor revocations revoke room room_summary rooms set_hash_field set_profile set_status set_tags set_unread
snapshot subscriptions sweep_room user_load"""

RELEASES = (
    Release(
        version="0.1.0",
        layout=1,
        digests={"atomic": "98f72b4492f5d579", "split": "64067e2cd4bc2692"},
        scripts=_SCRIPTS_OF_1.split(),
    ),
)

# To these versions its first word means a store that an operator must change: they answer 503 and
# log the sentence.
_REFUSAL = (
    f"MISCONF the data have layout {LAYOUT} now, which readstate {{version}} cannot read: "
    f"stop this service and install readstate {VERSION} or later"
)
_REFUSE = """\
#!lua name={library}
local function refuse()
    return redis.error_reply("{refusal}")
end
{functions}
"""
_FUNCTION = 'redis.register_function{{ function_name = "{name}", callback = refuse, flags = {{ "no-writes" }} }}'


def shutting_out(plan: Plan) -> set[str]:
    """The names of the libraries of earlier layouts, which stay on the server."""
    return {f"{PREFIX}{plan}_{release.digests[plan]}" for release in RELEASES}


async def shut_out_releases(executor: Executor) -> None:
    """See the module. Where it was done before, nothing is done.

    Raises what Executor.each_node does.
    """
    known = [
        {function[1] for library in node for function in library[5]}
        for node in await executor.each_node("FUNCTION", "LIST", "LIBRARYNAME", PREFIX + "*")
    ]
    for release in RELEASES:
        digest = release.digests[executor.plan]
        mark = f"{PREFIX}shut_out_by_layout_{LAYOUT}_{digest}"
        if not all(mark.encode() in names for names in known):
            await executor.each_node("FUNCTION", "LOAD", "REPLACE", _refusing(release, executor.plan, mark))


def _refusing(release: Release, plan: Plan, mark: str) -> str:
    digest = release.digests[plan]
    names = [*(f"{PREFIX}{script}_{digest}" for script in release.scripts), mark]
    return _REFUSE.format(
        library=f"{PREFIX}{plan}_{digest}",
        refusal=_REFUSAL.format(version=release.version),
        functions="\n".join(_FUNCTION.format(name=name) for name in names),
    )
