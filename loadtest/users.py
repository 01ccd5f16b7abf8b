"""The Locust users.

Every request is named after the operation it asks for, as in the service and its metrics.

Closed: `HotPath` sends the next call when the last was answered, which finds the capacity. Open:
`OpenHotPath` sends calls at random moments whatever the answers do, which finds the latency that
callers see. `ChatDay` behaves like people.
"""

import random
from collections.abc import Callable
from time import perf_counter
from typing import Any
from urllib.parse import quote

import gevent
from locust import FastHttpUser, User, between, constant, task

from loadtest.load_run import LoadRun
from loadtest.world import TAGS, Account, Room


def room_path(room: Room, *rest: str) -> str:
    return "/".join(("/rooms", quote(room.id, safe=""), *rest))


class ApiUser(FastHttpUser):
    """What every user that calls over HTTP can do.

    Its account is its own, so it knows where its cursors stand.
    """

    abstract = True
    account: Account

    @property
    def load_run(self) -> LoadRun:
        return self.environment.load_run  # type: ignore[no-any-return]

    def on_start(self) -> None:
        self.account = self.load_run.take_account()

    def on_stop(self) -> None:
        self.load_run.give_back(self.account)

    def call(self, name: str, method: str, path: str, account: Account, body: Any = None) -> Any:
        """The `result` of a call as `account`; None when it failed, which Locust counts."""
        headers = {"IM-CLIENT-KEY": self.load_run.world.target.client_key, "IM-Authorization": account.token}
        with self.client.request(method, path, json=body, headers=headers, name=name, catch_response=True) as answer:
            if answer.status_code == 200:
                return answer.json()["result"]
            answer.failure(f"{answer.status_code} {(answer.text or '')[:200]}")
            return None

    # The operations

    def mark_read(self, account: Account, room: Room, message: str) -> None:
        """Read up to `message`, which is newer than all the account has read in the room.

        A notice becomes due.
        """
        notice = (room.id, account.id, message)
        self.load_run.caused(notice, perf_counter())
        done = False
        try:
            result = self.call("mark_read", "PUT", room_path(room, "lastRead"), account, {"message": message})
            done = result is not None
        finally:
            account.advance(room, message)
            if not done:
                self.load_run.ledger.void(notice)

    def post(self, account: Account, room: Room) -> None:
        """Post into a room. The poster's own cursor moves, so a notice becomes due."""
        begun = perf_counter()
        body = {"message": "good morning", "messageType": "text"}
        result = self.call("post", "POST", room_path(room, "message"), account, body)
        if result is not None:
            room.note(result["_id"])
            account.advance(room, result["_id"])
            self.load_run.caused((room.id, account.id, result["_id"]), begun)

    def badge(self, account: Account) -> None:
        self.call("badge", "GET", "/me/badge", account)

    def badge_and(self, account: Account) -> None:
        one, other = random.sample(TAGS, 2)
        self.call("badge_and", "GET", f"/me/badge?roomTags={one}&roomTags={other}", account)

    def badges_by_tags(self, account: Account) -> None:
        self.call("badges_by_tags", "POST", "/badges/byRoomTags", account, {})

    def rooms(self, account: Account) -> None:
        self.call("rooms", "GET", "/rooms?skip=0&limit=20&sortUnreadFirst=1", account)

    def read_on(self, account: Account) -> None:
        """Mark the next message of one of the account's rooms read."""
        room = random.choice(account.reading)
        self.mark_read(account, room, self.load_run.world.next_to_read(account, room))


class HotPath(ApiUser):
    """Closed: reads on without pause and looks at the badges in between."""

    weight = 6
    wait_time = constant(0)

    @task(10)
    def reads_on(self) -> None:
        self.read_on(self.account)

    @task(5)
    def asks_badge(self) -> None:
        self.badge(self.account)

    @task(2)
    def asks_badge_of_two_tags(self) -> None:
        self.badge_and(self.account)

    @task(2)
    def asks_badges_by_tags(self) -> None:
        self.badges_by_tags(self.account)

    @task(1)
    def lists_rooms(self) -> None:
        self.rooms(self.account)


class ChatDay(ApiUser):
    """Like people: reads what is new, writes, looks at the list, sometimes retags a room."""

    weight = 3
    wait_time = between(0.2, 1.0)

    @task(4)
    def catches_up(self) -> None:
        self.badge(self.account)
        room = random.choice(self.account.chatting)
        if room.messages and room.messages[-1] > self.account.cursors.get(room.id, ""):
            self.mark_read(self.account, room, room.messages[-1])

    @task(3)
    def writes(self) -> None:
        self.post(self.account, random.choice(self.account.chatting))

    @task(2)
    def looks_at_the_list(self) -> None:
        self.rooms(self.account)
        self.badges_by_tags(self.account)

    @task(1)
    def retags(self) -> None:
        """As the backend does when a conversation is filed elsewhere."""
        room = random.choice(self.account.chatting)
        headers = {"IM-API-KEY": self.load_run.world.target.api_key}
        self.client.put(room_path(room), json={"roomTags": random.sample(TAGS, 2)}, headers=headers, name="set_tags")


class OpenHotPath(ApiUser):
    """Open: LOAD_ARRIVALS calls a second at random moments, however slow the answers are."""

    fixed_count = 1
    wait_time = constant(0)

    def on_start(self) -> None:
        """Accounts are taken per call."""

    def on_stop(self) -> None:
        """None was kept."""

    @task
    def next_arrival(self) -> None:
        gevent.sleep(random.expovariate(self.load_run.world.target.arrivals))
        gevent.spawn(self._one_call)

    def _one_call(self) -> None:
        actions: list[Callable[[Account], None]] = [
            self.read_on,
            self.badge,
            self.badge_and,
            self.badges_by_tags,
            self.rooms,
        ]
        action = random.choices(actions, weights=(10, 5, 2, 2, 1))[0]
        account = self.load_run.take_account()
        try:
            action(account)
        finally:
            self.load_run.give_back(account)


class Listener(User):
    """A member of many rooms that only listens. Its requests are the notices."""

    weight = 1
    wait_time = constant(60)  # there may be thousands

    def on_start(self) -> None:
        load_run: LoadRun = self.environment.load_run
        load_run.listen(load_run.world.listeners.pop())

    @task
    def sits(self) -> None:
        """The connection outlives the user: the last notices come after the last call."""
