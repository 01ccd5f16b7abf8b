"""The people and rooms of a load test, made through the public interface, fresh for every run."""

import random
import secrets
from bisect import bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any
from urllib.parse import quote

import requests

from loadtest.target import Target

TAGS = ("work", "home", "urgent", "travel")
POSTS_PER_BATCH = 100
WRITER = "writer"  # posts what is to be read; a member of no room


class SetupFailed(Exception):
    """The service refused a call of the setup; the message shows the answer."""


@dataclass
class Room:
    """A room and its message ids in their order, which is that of the strings."""

    id: str
    tags: Sequence[str]
    messages: list[str] = field(default_factory=list)
    posting: Lock = field(default_factory=Lock)

    def note(self, message: str) -> None:
        if not self.messages or message > self.messages[-1]:
            self.messages.append(message)
        else:
            insort(self.messages, message)

    def after(self, cursor: str) -> str | None:
        """The first known message after `cursor`."""
        position = bisect_right(self.messages, cursor)
        return self.messages[position] if position < len(self.messages) else None


@dataclass
class Account:
    """A user of the service, driven by one Locust user at a time: its cursors are known exactly."""

    id: str
    token: str
    reading: list[Room]  # rooms that the backend posts into
    chatting: list[Room]  # rooms that their members post into
    cursors: dict[str, str] = field(default_factory=dict)  # room -> newest message read

    @property
    def rooms(self) -> list[str]:
        """The ids of all its rooms."""
        return [room.id for room in self.reading + self.chatting]

    def advance(self, room: Room, message: str) -> None:
        self.cursors[room.id] = max(message, self.cursors.get(room.id, ""))


class World:
    """Rooms, accounts that read or chat in some of them, and listeners who are in many or all."""

    def __init__(self, target: Target, *, listeners: int) -> None:
        self.target = target
        self.run = secrets.token_hex(3)
        self._session = requests.Session()
        self._session.headers["IM-API-KEY"] = target.api_key
        self.reading = [self._make_room(f"read-{number}") for number in range(target.rooms)]
        self.chatting = [self._make_room(f"chat-{number}") for number in range(target.rooms)]
        self.free = [self._make_account(f"user-{number}") for number in range(target.accounts)]
        self.listeners = [self._make_listener(f"listener-{number}") for number in range(listeners)]
        self._make_user(WRITER)
        self._join_all()
        for room in self.reading:
            while len(room.messages) < target.messages:
                self._post_batch(room)

    def next_to_read(self, account: Account, room: Room) -> str:
        """The first message of `room` that the account has not read.

        The backend posts more when there is none.
        """
        cursor = account.cursors.get(room.id, "")
        # Several readers may come to the end together: one of them posts, the others wait for it.
        with room.posting:
            while (message := room.after(cursor)) is None:
                self._post_batch(room)
        return message

    def _post_batch(self, room: Room) -> None:
        start = len(room.messages) + 1
        given = {"room": room.id, "sender": self.name(WRITER), "message": "load", "messageType": "text", "push": False}
        ids = [f"{position:024x}" for position in range(start, start + POSTS_PER_BATCH)]
        answer = self.call("POST", "/messages/batch", {"messages": [given | {"_id": new} for new in ids]})
        if refused := [result for result in answer["results"] if result["RC"] != 0]:
            raise SetupFailed(f"POST /messages/batch refused {refused[0]}")
        room.messages += ids

    def name(self, plain: str) -> str:
        return f"{self.run}-{plain}"

    def call(self, method: str, path: str, body: Any) -> Any:
        """Call as the backend. Raises SetupFailed."""
        answer = self._session.request(method, self.target.url + path, json=body, timeout=60)
        if answer.status_code != 200:
            raise SetupFailed(f"{method} {path} was answered with {answer.status_code}: {answer.text[:300]}")
        return answer.json()["result"]

    def _make_room(self, plain: str) -> Room:
        room = Room(self.name(plain), random.sample(TAGS, 2))
        self.call("POST", "/rooms", {"_id": room.id, "name": plain, "roomType": "group", "roomTags": room.tags})
        return room

    def _make_user(self, plain: str) -> str:
        made = self.call(
            "POST", "/admin/clients", {"_id": self.name(plain), "nickname": plain, "issueAccessToken": True}
        )
        return str(made["token"])

    def _make_account(self, plain: str) -> Account:
        each = min(self.target.rooms_each, self.target.rooms)
        return Account(
            self.name(plain),
            self._make_user(plain),
            random.sample(self.reading, each),
            random.sample(self.chatting, each),
        )

    def _make_listener(self, plain: str) -> Account:
        each = min(self.target.listener_rooms, self.target.rooms)
        return Account(
            self.name(plain),
            self._make_user(plain),
            random.sample(self.reading, each),
            random.sample(self.chatting, each),
        )

    def _join_all(self) -> None:
        members: dict[str, list[str]] = {}
        for account in self.free + self.listeners:
            for room in account.reading + account.chatting:
                members.setdefault(room.id, []).append(account.id)
        for room_id, ids in members.items():
            for start in range(0, len(ids), 500):
                self.call("POST", f"/rooms/{quote(room_id, safe='')}/members", {"invitees": ids[start : start + 500]})
