"""Stores that released versions have written (tests/data/make_layout.py), put on a server."""

import gzip
from pathlib import Path
from typing import Any

import httpx
import msgspec
import redis

from readstate.settings import Settings
from tests.support.imkit import Imkit
from tests.support.tencent import ADMIN, SDKAPPID, usersig

DATA = Path(__file__).parents[1] / "data"


class Asked(msgspec.Struct):
    """A question to the service with the answer of the release. `user`: "" for the backend."""

    app: str
    dialect: str
    user: str
    method: str
    path: str
    body: Any
    status: int
    answer: str


class Released(msgspec.Struct):
    """A store as a release has left it."""

    commit: str
    api_keys: dict[str, str]
    settings: dict[str, str]
    keys: list[tuple[bytes, str, Any, int]]  # key, type, content, ms until it goes or -1
    asked: list[Asked]

    def settings_for(self, url: str) -> Settings:
        """The settings of the release, on another server."""
        return Settings.from_environ(self.settings | {"READSTATE_REDIS_URL": url})

    def put_on(self, client: "redis.Redis | redis.RedisCluster") -> None:
        """Write every key. The server must be empty."""
        for key, kind, content, ttl_ms in self.keys:
            _WRITERS[kind](client, key, content)
            if ttl_ms >= 0:
                client.pexpire(key, ttl_ms)


_WRITERS: Any = {
    "string": lambda client, key, content: client.set(key, content),
    "hash": lambda client, key, content: client.hset(key, mapping=dict(content)),
    "set": lambda client, key, content: client.sadd(key, *content),
    "zset": lambda client, key, content: client.zadd(key, {member: float(score) for member, score in content}),
    "stream": lambda client, key, content: [client.xadd(key, dict(fields), id=name) for name, fields in content],
}


def released(layout: int) -> Released:
    """The store of the release that had this layout."""
    packed = (DATA / f"layout-{layout}.msgpack.gz").read_bytes()
    return msgspec.msgpack.decode(gzip.decompress(packed), type=Released)


async def answer_to(asked: Asked, imkit: Imkit, api_keys: dict[str, str]) -> tuple[int, str]:
    """What a running service answers now."""
    headers = {"IM-API-KEY": api_keys[asked.app]}
    if asked.dialect == "imkit":
        headers |= {"IM-CLIENT-ID": asked.user} if asked.user else {}
    elif asked.dialect == "rocketchat":
        headers = {"X-Auth-Token": await _token(asked.user, imkit, headers), "X-User-Id": asked.user}
    query: dict[str, str | int] = {
        "sdkappid": SDKAPPID,
        "identifier": ADMIN,
        "usersig": usersig(),
        "random": 1,
        "contenttype": "json",
    }
    url = httpx.URL(asked.path)
    if asked.dialect == "tencent":
        url = url.copy_merge_params(query)
    answer = await imkit.call(asked.method, str(url), asked.body, headers)
    return answer.status_code, answer.text


async def _token(user: str, imkit: Imkit, headers: dict[str, str]) -> str:
    if user not in imkit.tokens:
        answer = await imkit.call("POST", "/admin/clients", {"_id": user, "issueAccessToken": True}, headers)
        imkit.tokens[user] = answer.json()["result"]["token"]
    return imkit.tokens[user]
