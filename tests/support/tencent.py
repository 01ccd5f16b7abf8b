"""A Tencent IM backend: its signatures, its calls, and its conversations and groups."""

from typing import Any

import httpx
import msgspec
from TLSSigAPIv2 import TLSSigAPIv2

from readstate.dialects.tencent.group_types import group_profile
from readstate.dialects.tencent.naming import message_of_seq, time_ms
from readstate.domain.direct import TAG, direct_room
from readstate.settings import Settings
from tests.support.imkit import Imkit

SDKAPPID = 1400000001
KEY = "5bd2850fff3ecb11d7c805251c51ee463a25727bddc2385f3fa8bfee1bb93b5e"  # of a made-up application
ADMIN = "administrator"
APP = "default"


def with_tencent(settings: Settings, **more: Any) -> Settings:
    """The same settings, for a service that speaks this dialect.

    Any number of calls a second unless told otherwise.
    """
    given = {"tencent_sdkappid": SDKAPPID, "tencent_key": KEY, "tencent_rate_limit": 0, **more}
    return msgspec.structs.replace(settings, **given)


def usersig(identifier: str = ADMIN, *, sdkappid: int = SDKAPPID, key: str = KEY, expire: int = 86_400) -> str:
    """A UserSig by the published library, at the present time."""
    return str(TLSSigAPIv2(sdkappid, key).gen_sig(identifier, expire))


class Tencent:
    """The app's backend beside a running service."""

    def __init__(self, imkit: Imkit) -> None:
        self.imkit = imkit
        self.usersig = usersig()

    @property
    def read_state(self) -> Any:
        return self.imkit.services

    async def call(
        self, command: str, body: Any = None, *, method: str = "POST", **query: str | None
    ) -> httpx.Response:
        """Call "service/command" as the administrator.

        `query`: parameters of the URL that are other than they should; None: left out.
        """
        proper = {
            "sdkappid": str(SDKAPPID),
            "identifier": ADMIN,
            "usersig": self.usersig,
            "random": "99999999",
            "contenttype": "json",
        }
        params = {name: value for name, value in (proper | query).items() if value is not None}
        content = body if isinstance(body, bytes) else msgspec.json.encode({} if body is None else body)
        return await self.imkit.client.request(method, f"/v4/{command}", params=params, content=content)

    async def conversation(self, one: str, other: str, *messages: tuple[str, str, int]) -> None:
        """A conversation of two accounts with (sender, MsgKey, MsgTime) in it; MsgTime 0: now."""
        room = direct_room(one, other)
        await self.read_state.rooms.create_room(app=APP, room=room, tags=[TAG], members=[one, other])
        for sender, key, time_s in messages:
            await self.read_state.messages.post(
                app=APP, room=room, sender=sender, message=key, sent_ms=time_ms(time_s) if time_s else 0, by_time=True
            )

    async def group(
        self, group: str, *members: str, kind: str = "Public", messages: tuple[tuple[str, int], ...] = ()
    ) -> None:
        """A group with (sender, MsgSeq) in it."""
        await self.read_state.rooms.create_room(app=APP, room=group, profile=group_profile(kind), members=members)
        for sender, seq in messages:
            await self.read_state.messages.post(app=APP, room=group, sender=sender, message=message_of_seq(seq))

    async def unread(self, room: str, account: str) -> int:
        """The unread messages of an account in a room."""
        me = (await self.read_state.rooms.room(app=APP, room=room, user=account)).me
        assert me is not None, f"{account} is not in {room}"
        return int(me.unread)

    async def unread_of(self, account: str, peer: str) -> int:
        """The unread messages of an account in a conversation."""
        return await self.unread(direct_room(account, peer), account)


def said(answer: httpx.Response) -> dict[str, Any]:
    """The answer's fields.

    Every answer has status 200, names the request and agrees with itself.
    """
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.headers["x-request-id"]
    body: dict[str, Any] = answer.json()
    assert (body["ActionStatus"], body["ErrorInfo"] == "") == (
        ("OK", True) if body["ErrorCode"] == 0 else ("FAIL", False)
    ), body
    return body


def code(answer: httpx.Response) -> int:
    """The answer's ErrorCode."""
    return int(said(answer)["ErrorCode"])
