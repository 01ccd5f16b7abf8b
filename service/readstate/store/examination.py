"""What an operator wants to know of the servers of a store, asked without writing anything.

`server_check.py` has the same rules for a start, with a trial write, and ends at the first mistake.
Each question here returns a sentence, or raises ServerRefused or Doubt with the sentence that says
what to change.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import redis
from msgspec import Struct

from readstate.errors import Doubt
from readstate.store import server_check
from readstate.store.clients import Client, client_of
from readstate.store.health import WARN_AT
from readstate.store.urls import with_address, without_password

LOADING_PATIENCE_S = 5.0
# A token ends by the clock of the worker, and what it has issued is judged by the others. Also of
# receipts, whose times are the store's, people compare those with times of their own.
CLOCKS_APART_S = 2.0
_MIB = 1024 * 1024
_TRIAL = "#!lua\nreturn 1"  # a script that might write, and does not


class Node(Struct, frozen=True):
    """A primary: where it is, a client of it, and what it says of itself (INFO)."""

    where: str
    client: Client
    info: dict[str, Any]


Question = Callable[[Node], Awaitable[str]]


@asynccontextmanager
async def primaries(url: str) -> AsyncIterator[list[Node]]:
    """The server at `url`, or every primary of its cluster. Raises ServerRefused."""
    url = await server_check.server_url(url)
    async with AsyncExitStack() as stack:
        first = await _open(stack, url)
        server_check.check_kind(first.info)
        if first.info.get("cluster_enabled") == 1:
            addresses = [with_address(url, *address) for address in await server_check.primaries_of(first.client)]
            yield [await _open(stack, address) for address in addresses]
        elif first.info["role"] != "master":
            raise server_check.ServerRefused("the server is a replica; name its primary in READSTATE_REDIS_URL")
        else:
            yield [first]


async def _open(stack: AsyncExitStack, url: str) -> Node:
    client = await stack.enter_async_context(client_of(url))
    return Node(
        without_password(url), client, await server_check.info_of(client, without_password(url), LOADING_PATIENCE_S)
    )


async def version(node: Node) -> str:
    """Whether it is new enough."""
    server_check.check_kind(node.info)
    return server_check.product(node.info)


async def eviction(node: Node) -> str:
    """Whether it keeps what it has when its memory is full."""
    server_check.check_policy(node.info)
    return "maxmemory-policy is noeviction"


async def memory(node: Node) -> str:
    """Whether it has a limit, and how near it is."""
    used, limit = int(node.info["used_memory"]), int(node.info.get("maxmemory", 0))
    if not limit:
        raise Doubt(
            f"{used // _MIB} MB are used and there is no limit: a full machine would end the server; set maxmemory"
        )
    if used >= WARN_AT * limit:
        raise Doubt(f"{used // _MIB} of {limit // _MIB} MB are used; raise maxmemory, or delete rooms")
    return f"{used // _MIB} of {limit // _MIB} MB are used"


async def persistence(node: Node) -> str:
    """Whether it keeps what it has across a restart."""
    for warning in await server_check.check_persistence(node.client, node.info):
        raise Doubt(warning)
    return "the append-only file is on, and its last write went well"


async def replication(node: Node) -> str:
    """How many replicas follow, and how far behind they are."""
    replicas = [value for name, value in node.info.items() if name.startswith("slave") and isinstance(value, dict)]
    if not replicas and node.info.get("cluster_enabled"):
        raise Doubt("it has no replica: while it is down its slots are not served; give each primary one")
    if not replicas:
        return "there are no replicas: what the server loses is lost"
    behind = [replica for replica in replicas if replica.get("state") != "online"]
    if behind:
        raise Doubt(f"{len(behind)} of {len(replicas)} replica(s) do not follow; look at their logs")
    lag = max(int(node.info["master_repl_offset"]) - int(replica.get("offset", 0)) for replica in replicas)
    return f"{len(replicas)} replica(s) follow, {max(lag, 0)} bytes behind at most"


async def clock(node: Node) -> str:
    """Whether its clock and that of this machine agree."""
    before_s = time.time()
    seconds, microseconds = await node.client.time()
    apart_s = seconds + microseconds / 1e6 - (before_s + time.time()) / 2
    if abs(apart_s) > CLOCKS_APART_S:
        raise Doubt(f"the clocks of the store and of this machine are {abs(apart_s):.1f} s apart; run NTP on both")
    return "the clocks of the store and of this machine agree"


async def slow_scripts(node: Node) -> str:
    """Whether a script that runs too long can be ended soon."""
    for warning in await server_check.check_busy_reply(node.client):
        raise Doubt(warning)
    return "a script that runs too long can be ended"


async def writes(node: Node) -> str:
    """Whether it takes writes at the moment."""
    try:
        await node.client.eval(_TRIAL, 0)
    except redis.RedisError as error:
        raise server_check.ServerRefused(
            f"the store refuses writes ({error}); {server_check.remedy(str(error))}"
        ) from None
    return "the store takes writes"


QUESTIONS: dict[str, Question] = {
    "store version": version,
    "store eviction": eviction,
    "store memory": memory,
    "store persistence": persistence,
    "store replication": replication,
    "store clock": clock,
    "store scripts": slow_scripts,
    "store writes": writes,
}
