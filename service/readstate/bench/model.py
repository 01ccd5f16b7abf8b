"""Who calls what: users of a chat who read on and look at their badges."""

from random import Random
from urllib.parse import SplitResult, quote

import msgspec

from readstate.bench.driver import Planned
from readstate.bench.ledger import Ledger
from readstate.bench.world import TAGS, World
from readstate.replay.api import Api, path
from readstate.replay.feed import message_id

# Of twenty calls. The names are those of the operations, as in the service's metrics.
SHARES = {"mark_read": 10, "badge": 5, "badge_and": 2, "badges_by_tags": 2, "rooms": 1}
READS = SHARES["mark_read"] / sum(SHARES.values())
DESCRIPTION = (
    "open arrivals (a Poisson stream; a call is timed from its moment, however late it is sent). Of twenty calls ten "
    "mark the next message of a room read, five ask for the badge, two for the badge of two tags, two for the badges "
    "by tags, and one for the list of rooms"
)


class Model:
    """Plans one call after the other, and enters the notices that are due in the ledger."""

    def __init__(self, world: World, api: Api, ledger: Ledger, url: SplitResult, seed: int) -> None:
        self._world, self._api, self._ledger = world, api, ledger
        self._base, self._host = url.path.rstrip("/"), url.netloc.rpartition("@")[2]
        self._chance = Random(seed)
        self._operations, self._weights = list(SHARES), list(SHARES.values())

    def next(self) -> Planned:
        """The next call."""
        (operation,) = self._chance.choices(self._operations, self._weights)
        if operation == "mark_read" and (read := self._read()):
            return read
        user = self._chance.choice(self._world.users)
        if operation == "badge_and":
            one, other = self._chance.sample(TAGS, 2)
            return self._planned(operation, user, "GET", f"/me/badge?roomTags={one}&roomTags={other}")
        if operation == "badges_by_tags":
            return self._planned(operation, user, "POST", "/badges/byRoomTags", b"{}")
        if operation == "rooms":
            return self._planned(operation, user, "GET", "/rooms?skip=0&limit=20&sortUnreadFirst=1")
        return self._planned("badge", user, "GET", "/me/badge")

    def _read(self) -> Planned | None:
        member = self._world.next_read()
        if member is None:
            return None
        message = message_id(member.read)
        notice = (member.room.id, member.user, message)
        where, body = path("rooms", member.room.id, "lastRead"), msgspec.json.encode({"message": message})
        return Planned(
            "mark_read",
            self._request(member.user, "PUT", where, body),
            begun=lambda at: self._ledger.cause(notice, at),
            failed=lambda: self._ledger.void(notice),
        )

    def _planned(self, operation: str, user: str, method: str, where: str, body: bytes = b"") -> Planned:
        return Planned(operation, self._request(user, method, where, body))

    def _request(self, user: str, method: str, where: str, body: bytes) -> bytes:
        head = f"{method} {self._base}{where} HTTP/1.1\r\nHost: {self._host}\r\n"
        if token := self._api.tokens.get(user):
            head += f"IM-CLIENT-KEY: {self._api.client_key}\r\nIM-Authorization: {token}\r\n"
        else:
            head += f"IM-API-KEY: {self._api.api_key}\r\nIM-CLIENT-ID: {quote(user, safe='')}\r\n"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return head.encode() + b"\r\n" + body
