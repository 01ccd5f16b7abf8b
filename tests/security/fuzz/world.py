"""The world of the requests: users with tokens, rooms with messages, conversations and groups."""

import asyncio
import time
from random import Random
from typing import Any

import httpx

from readstate.dialects.tencent.webhooks import sign
from readstate.domain.direct import direct_room
from tests.support.tencent import ADMIN, SDKAPPID, usersig
from tests.support.tencent_callbacks import TOKEN

API_KEY = "the-backend-of-the-fuzzer"
CLIENT_KEY = "the-clients-of-the-fuzzer"
TAGS = ("direct", "work", "home", "a b", "é")
TIME_S = 1_700_000_000


class World:
    """The names of one part of a run.

    `fill` makes what they name; `renew` gives a user a fresh token.
    """

    def __init__(self, part: int) -> None:
        self.users = [f"u{part}-{k}" for k in range(5)]
        self.rooms = [f"r{part}-{k}" for k in range(6)]
        self.groups = [f"@TGS#{part}-{k}" for k in range(3)]
        self.messages = [f"m{part}-{k}" for k in range(6)]
        self.direct = [direct_room(self.users[0], user) for user in self.users[1:]]
        self.tokens: dict[str, str] = {}
        self._usersig = usersig()
        self._renewing = asyncio.Lock()

    async def fill(self, http: httpx.AsyncClient) -> None:
        for user in self.users:
            await self.renew(http, user)
        for room in (*self.rooms, *self.direct):
            members = self.users[:4] if room in self.rooms else [self.users[0], self.users[1 + self.direct.index(room)]]
            tags = ["direct"] if room in self.direct else list(TAGS[1:3])
            kind = "p" if room == self.rooms[0] else "c"
            await self._do(
                http, "/rooms", {"_id": room, "members": members, "owner": members[0], "roomTags": tags, "t": kind}
            )
            for message in self.messages:
                await self._do(
                    http, "/messages", {"_id": message, "room": room, "sender": members[1], "message": "hello"}
                )
        for group in self.groups:
            await self._do(http, "/rooms", {"_id": group, "members": self.users[:4], "groupType": "Public"})
            for seq in range(1, 6):
                await self._do(
                    http, "/messages", {"_id": str(seq), "room": group, "sender": self.users[1], "message": "hello"}
                )

    async def renew(self, http: httpx.AsyncClient, user: str) -> None:
        """A token of `user` was ended: take another one."""
        ended = self.tokens.get(user)
        async with self._renewing:
            if self.tokens.get(user) == ended:
                answer = await self._do(http, "/admin/clients", {"_id": user, "issueAccessToken": True})
                self.tokens[user] = answer.json()["result"]["token"]

    async def _do(self, http: httpx.AsyncClient, path: str, body: Any) -> httpx.Response:
        answer = await http.post(path, json=body, headers={"IM-API-KEY": API_KEY})
        assert answer.status_code == 200, answer.text
        return answer

    # What a request may hold

    def executor(self, rng: Random) -> str:
        """Mostly the user who owns every room."""
        return self.users[0] if rng.random() < 0.4 else rng.choice(self.users)

    def user(self, rng: Random) -> str:
        return self.executor(rng) if rng.random() < 0.9 else f"new{rng.randrange(50)}"

    def room(self, rng: Random) -> str:
        return (
            rng.choice((*self.rooms, *self.direct, *self.groups)) if rng.random() < 0.9 else f"other{rng.randrange(50)}"
        )

    def group(self, rng: Random) -> str:
        return rng.choice(self.groups) if rng.random() < 0.9 else self.room(rng)

    def message(self, rng: Random) -> str:
        return rng.choice(self.messages) if rng.random() < 0.8 else str(rng.randrange(1, 8))

    def key(self, rng: Random) -> str:
        return f"{rng.randrange(1, 9)}_7_{TIME_S}"

    def token(self, rng: Random) -> str:
        return self.tokens[self.executor(rng)]

    def usersig_query(self) -> list[tuple[str, str]]:
        return [
            ("sdkappid", str(SDKAPPID)),
            ("identifier", ADMIN),
            ("usersig", self._usersig),
            ("random", "1"),
            ("contenttype", "json"),
        ]

    def callback_query(self, command: str) -> list[tuple[str, str]]:
        now = str(int(time.time()))
        return [
            ("SdkAppid", str(SDKAPPID)),
            ("CallbackCommand", command),
            ("Sign", sign(TOKEN, now)),
            ("RequestTime", now),
        ]
