"""Clients that follow the read state know it, whatever happens to what they are told."""

import asyncio
import random
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.devices import API_KEY, CLIENT_KEY, Backend, faults, fresh
from tests.support.followed import Follower
from tests.support.processes import ServiceProcess, own_service
from tests.support.waiting import wait_until

AT_ONCE = 8  # trials
CHANGES = 15  # in a trial


@pytest.fixture
def service(plan_url: str) -> Iterator[ServiceProcess]:
    """Two workers, on a store of either plan."""
    limits = {"user_rate_limit": 0, "address_rate_limit": 0, "attention_posts": 3, "fanout_limit": 2}
    with own_service(workers=2, redis_url=plan_url, api_key=API_KEY, client_key=CLIENT_KEY, **limits) as process:
        yield process
        assert faults(process) == []


class Trial:
    """One user with a client, and what happens in their rooms."""

    def __init__(self, backend: Backend, seed: int) -> None:
        self.backend = backend
        self.rng = random.Random(seed)
        self.ann, self.others = fresh("ann"), [fresh("bob"), fresh("cy")]
        self.rooms = [fresh("room") for _ in range(3)]
        self.messages: dict[str, list[str]] = {room: [] for room in self.rooms}
        self.token = ""

    async def run(self) -> float:
        """Returns how long the client took to know all, once the line was quiet."""
        self.token = await self.backend.token(self.ann)
        for room in self.rooms:
            await self.backend.room(room, self.ann, *self.others[: self.rng.randrange(3)])
        follower = Follower(self.backend.url, self.token, self.rng)
        follower.line.trouble = trouble = self.rng.choice((0.0, 0.1, 0.2))
        try:
            for _ in range(CHANGES):
                await self.change(self.rng.choice(self.rooms))
                if trouble and self.rng.random() < 0.15:
                    follower.cut()
            return await self.settled(follower)
        finally:
            await follower.stop()

    async def change(self, room: str) -> None:
        call, messages = self.backend.call, self.messages[room]
        match self.rng.choice(
            ("post", "post", "post", "back-fill", "read", "delete", "tags", "join", "leave", "status", "gone")
        ):
            case "post":
                messages.append(await self.backend.post(room, self.others[0]))
            case "back-fill":
                body = {"room": room, "sender": self.others[0], "message": "x", "messageType": "text", "notify": False}
                await call("POST", "/messages", body)
            case "read" if messages:
                await self.backend.read(self.token, room, self.rng.choice(messages))
            case "delete" if messages:
                await call("DELETE", f"/rooms/{room}/messages/{messages.pop(self.rng.randrange(len(messages)))}")
            case "tags":
                await call("PUT", f"/rooms/{room}", {"roomTags": self.rng.sample(["a", "b", "c"], 2)})
            case "status":
                await call("PUT", f"/rooms/{room}", {"status": self.rng.randrange(2)})
            case "gone" if len(self.rooms) > 1:
                self.rooms.remove(room)
                await call("DELETE", f"/rooms/{room}")
            case "join":
                await self.backend.add(room, self.ann)
            case "leave":
                await self.backend.remove(room, self.ann)

    async def settled(self, follower: Follower) -> float:
        follower.heal(cut=(cut := self.rng.random() < 0.5))
        if follower.line.has_lost and not cut:
            await self.backend.call("PUT", f"/rooms/{self.rooms[0]}", {"status": 1})
            await self.backend.add(self.rooms[0], self.ann)
            await self.backend.post(self.rooms[0], self.others[0])
        quiet_at = time.monotonic()
        answer = await self.backend.call("GET", "/me/readState", token=self.token)
        truth: dict[str, Any] = answer["result"]
        rooms = {room["_id"]: (room["unread"], room["roomTags"]) for room in truth["rooms"]}

        async def knows_all() -> bool:
            known = (follower.version, follower.badge, follower.rooms)
            return known == (truth["version"], truth["badge"], rooms)

        await wait_until(knows_all, f"{follower.rooms} to be {rooms}", timeout_s=5)
        # No question without a reason: a gap costs one.
        assert follower.asked == follower.connected + follower.gaps + follower.told_to_ask
        assert follower.gaps <= follower.line.mishaps
        return time.monotonic() - quiet_at


async def test_a_client_over_a_bad_line_knows_what_the_server_knows(service: ServiceProcess, full: bool) -> None:
    trials = 10_000 if full else 16
    took: list[float] = []
    async with Backend(service.url) as backend:
        for first in range(0, trials, AT_ONCE):
            took += await asyncio.gather(*(Trial(backend, seed).run() for seed in range(first, first + AT_ONCE)))
    took.sort()
    assert took[len(took) // 2] < 1.0, took
