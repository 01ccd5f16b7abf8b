"""Examines the server at start and refuses one that would lose or mix up read state.

The refusal is a sentence that says what to change. Most is read from INFO, which managed servers
allow too. What cannot be examined becomes a warning. The last step is a trial write by a script: it
shows what else stands in the way (rights, a full disk, missing replicas).
"""

import asyncio
import os
import re
import secrets
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import redis
from msgspec import Struct
from redis.exceptions import NoPermissionError, OutOfMemoryError

from readstate.store.clients import Client, client_of
from readstate.store.keys import SLOTS, Keys
from readstate.store.replies import refuses_connections, wants_login, word_in
from readstate.store.scripts import PREFIX
from readstate.store.sentinel import present_url
from readstate.store.urls import with_address, without_password

LOADING_PATIENCE_S = 120.0
OLDEST = (7, 0)
LOOKED_AT = 10_000  # keys; a few milliseconds
LONGEST_BUSY_MS = 1000  # without an answer, before a slow script can be ended

_TRIAL = """#!lua name={name}
redis.register_function("{name}", function(keys)
    redis.call("SET", keys[1], "1", "PX", 1000)
    redis.call("SPUBLISH", keys[1], "")
    return redis.call("DEL", keys[1])
end)
"""

_TLS_FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
_NETWORK = (redis.ConnectionError, redis.TimeoutError, OSError)


class ServerRefused(Exception):
    """The server cannot be used as it is. The message is one sentence that says what to change."""


class ServerAway(ServerRefused):
    """The server cannot be asked now. It may come back without a change by an operator."""


class ServerFacts(Struct, frozen=True):
    """What was found out about a server that can be used."""

    product: str  # "Valkey 9.1.2", "Redis 7.4.1"
    clustered: bool
    primaries: int
    warnings: tuple[str, ...]  # one sentence each


async def check_server(url: str, *, loading_patience_s: float = LOADING_PATIENCE_S) -> ServerFacts:
    """Examine the server (or the whole cluster) at `url`.

    Leaves nothing behind. Raises ServerRefused; ServerAway where waiting may help.
    """
    url = await server_url(url)
    async with client_of(url) as client:
        info = await info_of(client, without_password(url), loading_patience_s)
        check_kind(info)
        if info.get("cluster_enabled") == 1:
            return await _check_cluster(client, url, info)
        if info["role"] != "master":
            raise ServerRefused("the server is a replica; name its primary in READSTATE_REDIS_URL")
        warnings = await _check_primary(client, info, "{readstate}:trial")
        return ServerFacts(product(info), False, 1, tuple(warnings))


async def has_served(url: str) -> bool:
    """Whether a service has used the server (or the cluster) at `url`: its scripts stay there.

    Raises ServerRefused.
    """
    url = await server_url(url)
    try:
        async with client_of(url) as client:
            return bool(await client.function_list(f"{PREFIX}*"))
    except redis.RedisError as error:
        raise ServerRefused(
            f"the server at {without_password(url)} does not say which functions it knows ({error})"
        ) from None


async def server_url(url: str) -> str:
    """The URL of the server to ask: `url`, or that of the primary which Sentinels name.

    Raises ServerRefused where it cannot be used, ServerAway where no Sentinel names one.
    """
    try:
        url = await present_url(url)
    except redis.ConnectionError as error:
        raise ServerAway(f"{error}; start them, or correct READSTATE_REDIS_URL") from None
    check_database(url)
    check_options(url)
    return url


def check_database(url: str) -> None:
    """Refuse any database but 0: deployments in two of them would hear each other's notices."""
    parts = urlsplit(url)
    numbers = re.findall(r"(?:^|&)db=(\d+)", parts.query) + (
        re.findall(r"^/(\d+)$", parts.path) if parts.scheme != "unix" else []
    )
    if any(int(number) for number in numbers):
        raise ServerRefused(
            "READSTATE_REDIS_URL names a database other than 0, which notices do not keep apart; "
            "use a server of its own"
        )


def check_options(url: str) -> None:
    """Refuse options behind the `?` that redis-py does not know, in an operator's words."""
    for name, file in parse_qsl(urlsplit(url).query):
        if name in _TLS_FILES and not os.access(file, os.R_OK):
            raise ServerRefused(f"READSTATE_REDIS_URL: the file that {name} names, {file}, cannot be read; correct it")
    try:
        client_of(url).connection_pool.make_connection()
    except (ValueError, TypeError, AttributeError, redis.RedisError) as error:
        unknown = re.search("argument '([a-z_]+)'", str(error))
        why = f"there is no option {unknown[1]} for {urlsplit(url).scheme}://" if unknown else str(error).rstrip(".")
        raise ServerRefused(
            f"READSTATE_REDIS_URL cannot be used: {why}; correct what stands behind its `?`, or remove it"
        ) from None


async def info_of(client: Client, where: str, loading_patience_s: float) -> dict[str, Any]:
    """INFO, once the server has loaded its data. Raises ServerRefused."""
    deadline = asyncio.get_running_loop().time() + loading_patience_s
    while True:
        try:
            info = {**await client.info(), **await client.info("cluster")}
        except redis.RedisError as error:
            raise _unreachable(error, where) from None
        except (OSError, UnicodeDecodeError) as error:
            raise ServerAway(
                f"the server at {where} cannot be reached ({error}); start it, or correct READSTATE_REDIS_URL"
            ) from None
        if not info.get("loading"):
            return info
        if asyncio.get_running_loop().time() > deadline:
            raise ServerAway(f"the server at {where} is still loading its data; start readstate when it has")
        await asyncio.sleep(0.1)


def _unreachable(error: redis.RedisError, where: str) -> ServerRefused:
    text = str(error)
    if isinstance(error, redis.AuthenticationError) or wants_login(text):
        return ServerRefused(
            f"the server at {where} wants another user or password; "
            "put them into READSTATE_REDIS_URL as in redis://user:password@host:6379"
        )
    if isinstance(error, NoPermissionError):
        return ServerRefused(
            f"the server at {where} does not let this user ask INFO; allow it with `ACL SETUSER ... +info`"
        )
    if isinstance(error, redis.InvalidResponse) or "Protocol error" in text or "Protocol Error" in text:
        return ServerRefused(
            f"what listens at {where} is not a Redis or Valkey server; "
            f"correct READSTATE_REDIS_URL{_other_scheme(where) if where.startswith('redis://') else ''}"
        )
    if "SSL" in text:
        return ServerRefused(f"the server at {where} cannot be reached over TLS ({text}); {_tls_remedy(text)}")
    if refuses_connections(text):
        return ServerRefused(f"the server at {where} refuses connections ({text}); change its configuration")
    # A server with TLS ends a connection on which none begins.
    hint = _other_scheme(where) if where.startswith("rediss://") or "closed" in text or "reset" in text else ""
    return ServerAway(
        f"the server at {where} cannot be reached ({text}); start it, or correct READSTATE_REDIS_URL{hint}"
    )


def _other_scheme(where: str) -> str:
    """What to do if the URL's scheme is wrong about TLS."""
    if where.startswith("rediss://"):
        return (
            ", or use redis:// if it has no TLS; if it asks for a certificate, add ?ssl_certfile=FILE&ssl_keyfile=FILE"
        )
    return ", or use rediss:// if it has TLS" if where.startswith("redis://") else ""


def _tls_remedy(text: str) -> str:
    if "WRONG_VERSION_NUMBER" in text or "record layer" in text:
        return "use redis:// if it has no TLS"
    if "ostname mismatch" in text or "IP address mismatch" in text:
        return "name it in READSTATE_REDIS_URL as its certificate does"
    if "has expired" in text or "not yet valid" in text:
        return "renew its certificate, and see that the clock of this machine is right"
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return (
            "if its certificate is of an authority of your own, name the PEM file of that authority "
            "in SSL_CERT_FILE, or in the URL: rediss://HOST:PORT?ssl_ca_certs=FILE"
        )
    return (
        "see that it offers TLS, and asks for no certificate that READSTATE_REDIS_URL does not name "
        "(?ssl_certfile=FILE&ssl_keyfile=FILE)"
    )


def check_kind(info: dict[str, Any]) -> None:
    """Refuse what is too old, or no server that keeps data."""
    if "sentinel" in (info.get("redis_mode"), info.get("server_mode")):
        raise ServerRefused("READSTATE_REDIS_URL names a Sentinel; write redis+sentinel://HOST:PORT/SERVICE")
    version = re.match(r"(\d+)\.(\d+)", str(info.get("redis_version", "")))
    if version is None or (int(version[1]), int(version[2])) < OLDEST:
        raise ServerRefused(
            f"the server is {product(info)}; readstate needs Valkey 7.2 or Redis 7.0, or newer: upgrade it"
        )


def product(info: dict[str, Any]) -> str:
    """Name and version: "Valkey 9.1.2"."""
    if "valkey_version" in info:
        return f"Valkey {info['valkey_version']}"
    return f"Redis {info.get('redis_version', 'of an unknown version')}"


async def _check_cluster(client: Client, url: str, info: dict[str, Any]) -> ServerFacts:
    primaries = await primaries_of(client)
    warnings: list[str] = []
    for (host, port), slot in primaries.items():
        warnings += await _check_node(with_address(url, host, port), slot)
    return ServerFacts(product(info), True, len(primaries), tuple(dict.fromkeys(warnings)))


async def primaries_of(client: Client) -> dict[tuple[str, int], int]:
    """The address of each primary of a whole cluster, with its first slot. Raises ServerRefused."""
    state = await _ask(lambda: client.execute_command("CLUSTER INFO"))
    if int(state["cluster_slots_assigned"]) < SLOTS:
        raise ServerRefused(
            f"the cluster serves only {state['cluster_slots_assigned']} of {SLOTS} slots; assign the others to a node"
        )
    if state["cluster_state"] != "ok":
        raise ServerAway(
            f"the cluster is not whole (cluster_state is {state['cluster_state']}); "
            "bring back the nodes that are missing"
        )
    primaries: dict[tuple[str, int], int] = {}
    for first, _last, (host, port, *_), *_replicas in await _ask(lambda: client.execute_command("CLUSTER SLOTS")):
        primaries.setdefault((host, port), first)
    return primaries


async def _check_node(url: str, slot: int) -> list[str]:
    where = without_password(url)
    try:
        async with client_of(url) as client:
            info = await client.info()
            check_kind(info)
            return await _check_primary(client, info, Keys.in_slot(slot))
    except _NETWORK as error:
        raise ServerAway(
            f"the cluster announces a node at {where} that cannot be reached from here ({error}); "
            "set its cluster-announce-ip and -port"
        ) from None
    except ServerRefused as error:
        raise ServerRefused(f"at the cluster's node {where}: {error}") from None


async def _check_primary(client: Client, info: dict[str, Any], trial_key: str) -> list[str]:
    check_policy(info)
    warnings = await check_persistence(client, info)
    await _check_layout(client)
    return warnings + await check_busy_reply(client) + await _check_trial(client, trial_key)


def check_policy(info: dict[str, Any]) -> None:
    """Refuse a server that drops keys of its own accord."""
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        raise ServerRefused(
            f"maxmemory-policy is {policy}, which drops read state when memory is short; set it to noeviction"
        )


async def check_persistence(client: Client, info: dict[str, Any]) -> list[str]:
    """Refuse a server that keeps nothing. Returns warnings of one that keeps little."""
    if info.get("aof_enabled") == 1:
        if info.get("aof_last_write_status", "ok") != "ok":
            raise ServerRefused("the server cannot write its append-only file; give it room on its disk")
        return []
    try:
        snapshots = (await client.config_get("save")).get("save", "")
    except redis.ResponseError:
        return ["the server does not let us see whether it keeps its data (CONFIG GET); make sure that it does"]
    if not snapshots:
        raise ServerRefused("the server keeps nothing across a restart; set appendonly to yes")
    return [
        f"the server keeps snapshots only (save {snapshots}): a crash loses what was read since the last one; "
        "set appendonly to yes"
    ]


async def check_busy_reply(client: Client) -> list[str]:
    """Warn of a long `busy-reply-threshold`: before it no script can be ended."""
    try:
        found = (await client.config_get("busy-reply-threshold")).get("busy-reply-threshold")
    except redis.ResponseError:
        return []
    if found is None or 0 < int(found) <= LONGEST_BUSY_MS:
        return []
    how_long = f"for {found} ms" if int(found) else "for as long as it runs"
    return [
        f"a script that runs too long stops the server {how_long} before it can be ended; "
        "set busy-reply-threshold to 200"
    ]


async def _check_layout(client: Client) -> None:
    """Refuse the layout from before docs/decisions/0012, where the head of a room was a string.

    A look at some keys is enough, because nearly all keys of a server are of rooms and users.
    """
    try:
        _, heads = await client.scan(match=Keys.every_room, count=LOOKED_AT, _type="string")
    except redis.RedisError:
        return
    if heads:
        raise ServerRefused(
            "its data were written by an earlier readstate, in a layout that this one does not read; "
            "begin with an empty server"
        )


async def _check_trial(client: Client, key: str) -> list[str]:
    try:
        # A name of its own: other services may be starting as well.
        name = f"trial_{secrets.token_hex(8)}"
        await client.function_load(_TRIAL.format(name=name))
        await client.fcall(name, 1, key)
        await client.function_delete(name)
        async with client.pubsub() as pubsub:
            await pubsub.ssubscribe(key)
            await pubsub.parse_response()
    except redis.RedisError as error:
        text = str(error)
        if isinstance(error, OutOfMemoryError) and await client.function_list(f"{PREFIX}*"):
            # It holds data of readstate. Without a start none of it could be deleted.
            return ["the server is full and refuses whatever needs memory; raise maxmemory, or delete rooms"]
        raise ServerRefused(f"a trial write is refused ({text}); {remedy(text)}") from None
    return []


def remedy(text: str) -> str:
    """What to change when a server refuses a write in these words."""
    remedies = {
        "NOPERM": "give the user all commands, keys and channels: `ACL SETUSER ... +@all ~* &*`",
        "OOM": "raise maxmemory",
        "NOREPLICAS": "bring back the replicas that min-replicas-to-write asks for, or lower it",
        "MISCONF": "let the server write to its disk",
        "READONLY": "name the primary in READSTATE_REDIS_URL",
        "BUSY": "end the script that keeps the server busy, with SCRIPT KILL",
        "ERR": "do not rename or disable commands",
    }
    return remedies.get(word_in(text), "make the server accept writes")


async def _ask(question: Callable[[], Any]) -> Any:
    try:
        return await question()
    except redis.RedisError as error:
        raise ServerRefused(
            f"the server does not answer a question about its cluster ({error}); allow `+cluster` to this user"
        ) from None
