"""Tencent IM as the sender of callbacks, in the form and with the signature of its
documentation.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import msgspec

from readstate.app import create_app
from readstate.dialects.tencent.webhooks import sign
from readstate.domain.read_state import ReadState
from readstate.settings import Settings
from readstate.store.connect import connect
from readstate.store.executor import Executor
from tests.support.imkit import API_KEY, CLIENT_KEY, Imkit, Lifespan, client_of, result

SDKAPPID = 1400000001
TOKEN = "callback-token"
OK = b'{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}'

Callback = tuple[str, dict[str, Any]]  # command and body


def fail(info: str) -> bytes:
    """The exact bytes of a refusal."""
    return b'{"ActionStatus":"FAIL","ErrorInfo":"%s","ErrorCode":1}' % info.encode()


def with_callbacks(settings: Settings) -> Settings:
    """The same settings, for a service that takes the callbacks of one app, signed."""
    return msgspec.structs.replace(settings, tencent_sdkappid=SDKAPPID, tencent_token=TOKEN)


class Tencent:
    """Sends callbacks to a running service, and looks at badges through IMKit."""

    def __init__(self, imkit: Imkit) -> None:
        self.imkit = imkit

    async def send(self, command: str, body: Any = None, **query: Any) -> httpx.Response:
        """Send one callback. `query` replaces parameters of the URL; None leaves one out."""
        content = body if isinstance(body, bytes) else None
        given = None if content is not None else {"CallbackCommand": command, **(body or {})}
        return await self.imkit.client.post(
            "/tencent/callbacks", params=self.url(command, **query), content=content, json=given
        )

    def url(self, command: str, **query: Any) -> dict[str, Any]:
        """The query that Tencent appends to the address."""
        now = str(int(time.time()))
        params = {
            "SdkAppid": SDKAPPID,
            "CallbackCommand": command,
            "contenttype": "json",
            "ClientIP": "127.0.0.1",
            "OptPlatform": "RESTAPI",
            "Sign": sign(TOKEN, str(query.get("RequestTime", now))),
            "RequestTime": now,
            **query,
        }
        return {name: value for name, value in params.items() if value is not None}

    async def tell(self, *callbacks: Callback) -> None:
        """Send callbacks, and check that each is acknowledged."""
        for command, body in callbacks:
            answer = await self.send(command, body)
            assert (answer.status_code, answer.content) == (200, OK), (command, answer.text)

    @property
    def read_state(self) -> ReadState:
        return self.imkit.services  # type: ignore[no-any-return]

    async def badges(self, *users: str) -> dict[str, int]:
        """The unread messages of users over all rooms, as IMKit shows them."""
        return {user: await self.imkit.badge(user) for user in users}

    async def unread(self, user: str, room: str) -> int:
        """A user's unread messages in one room, as IMKit's clients see it."""
        return int(result(await self.imkit.as_user(user, "GET", f"/rooms/{room}"))["unread"])


@contextmanager
def running(url: str, runner: asyncio.Runner) -> Iterator[Tencent]:
    """A service on the server at `url`, run by `runner`, for tests that are no coroutines."""
    service = create_app(
        with_callbacks(Settings(redis_url=url, api_key=API_KEY, client_key=CLIENT_KEY, token_secret="t" * 32))
    )

    async def start() -> tuple[Lifespan, httpx.AsyncClient, Executor]:
        return await Lifespan(service).__aenter__(), client_of(service), await connect(url)

    async def stop() -> None:
        await executor.close()
        await client.aclose()
        await lifespan.__aexit__(None, None, None)

    lifespan, client, executor = runner.run(start())
    yield Tencent(Imkit(service, client, executor))
    runner.run(stop())


def direct_sent(sender: str, to: str, seq: int, time_s: int = 1_700_000_000, **fields: Any) -> Callback:
    """C2C.CallbackAfterSendMsg"""
    return "C2C.CallbackAfterSendMsg", {
        "From_Account": sender,
        "To_Account": to,
        "MsgSeq": seq,
        "MsgRandom": 7,
        "MsgTime": time_s,
        "MsgKey": key(seq, time_s),
        "MsgId": f"1-{time_s}-7",
        "OnlineOnlyFlag": 0,
        "SendMsgResult": 0,
        "ErrorInfo": "send msg succeed",
        "UnreadMsgNum": 1,
        "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": f"number {seq}"}}],
        "CloudCustomData": "",
        "EventTime": time_s * 1000,
        **fields,
    }


def key(seq: int, time_s: int = 1_700_000_000) -> str:
    """MsgKey of a one-to-one message."""
    return f"{seq}_7_{time_s}"


def direct_recalled(sender: str, to: str, seq: int, time_s: int = 1_700_000_000) -> Callback:
    """C2C.CallbackAfterMsgWithDraw"""
    return "C2C.CallbackAfterMsgWithDraw", {
        "From_Account": sender,
        "To_Account": to,
        "MsgKey": key(seq, time_s),
        "UnreadMsgNum": 99,
        "EventTime": time_s * 1000,
    }


def direct_read(reader: str, peer: str, time_s: int, **fields: Any) -> Callback:
    """C2C.CallbackAfterMsgReport"""
    return "C2C.CallbackAfterMsgReport", {
        "Report_Account": reader,
        "Peer_Account": peer,
        "LastReadTime": time_s,
        "UnreadMsgNum": 7,
        "EventTime": time_s * 1000,
        **fields,
    }


def direct_receipts(reader: str, peer: str, *keys: str) -> Callback:
    """C2C.CallbackAfterMsgReadReceipt"""
    info = [{"From_Account": peer, "To_Account": reader, "MsgKey": one, "MsgId": f"144115-{one}"} for one in keys]
    body = {"Operator_Account": reader, "Peer_Account": peer, "C2CMsgInfo": info, "EventTime": 1_769_139_587_754}
    return "C2C.CallbackAfterMsgReadReceipt", body


def all_read(reader: str, at_ms: int, **groups: int) -> Callback:
    """C2C.CallbackAfterMsgReadAll; `groups`: the seq passed in each."""
    info = [{"GroupId": group, "MsgSeq": seq} for group, seq in groups.items()]
    return "C2C.CallbackAfterMsgReadAll", {"Report_Account": reader, "EventTime": at_ms, "GroupReadInfo": info}


def group_sent(
    group: str, sender: str, seq: int, *, kind: str = "Public", time_s: int = 1_700_000_000, **fields: Any
) -> Callback:
    """Group.CallbackAfterSendMsg"""
    return "Group.CallbackAfterSendMsg", {
        "GroupId": group,
        "Type": kind,
        "From_Account": sender,
        "Operator_Account": sender,
        "Random": 123456,
        "MsgSeq": seq,
        "MsgTime": time_s,
        "OnlineOnlyFlag": 0,
        "MsgBody": [{"MsgType": "TIMTextElem", "MsgContent": {"Text": f"number {seq}"}}],
        "CloudCustomData": "",
        "EventTime": str(time_s * 1000),
        **fields,
    }


def group_recalled(group: str, *seqs: int, **fields: Any) -> Callback:
    """Group.CallbackAfterRecallMsg"""
    return "Group.CallbackAfterRecallMsg", {
        "Operator_Account": "administrator",
        "Type": "Public",
        "GroupId": group,
        "MsgSeqList": [{"MsgSeq": seq} for seq in seqs],
        "EventTime": 1_700_000_500_000,
        **fields,
    }


def group_receipts(group: str, seq: int, *readers: str) -> Callback:
    """Group.CallbackAfterReadReceipt"""
    members = [{"Member_Account": reader} for reader in readers]
    receipts = [{"MsgSeq": seq, "ReadNum": len(readers), "UnreadNum": 6, "ReadReceiptMembers": members}]
    body = {"GroupId": group, "Type": "Public", "GroupMsgReceiptList": receipts, "EventTime": "1670574414123"}
    return "Group.CallbackAfterReadReceipt", body


def group_created(
    group: str, owner: str, *members: str, kind: str = "Public", at_ms: int = 1_600_000_000_000
) -> Callback:
    """Group.CallbackAfterCreateGroup"""
    return "Group.CallbackAfterCreateGroup", {
        "GroupId": group,
        "Operator_Account": owner,
        "Owner_Account": owner,
        "Type": kind,
        "Name": "MyFirstGroup",
        "MemberList": _members("Member_Account", members),
        "UserDefinedDataList": [{"Key": "UserDefined1", "Value": "hello"}],
        "EventTime": at_ms,
    }


def joined(group: str, *members: str, at_ms: int = 1_600_000_100_000, kind: str = "Public") -> Callback:
    """Group.CallbackAfterNewMemberJoin"""
    body = {"GroupId": group, "Type": kind, "JoinType": "Apply", "Operator_Account": "leckie", "EventTime": at_ms}
    return "Group.CallbackAfterNewMemberJoin", {**body, "NewMemberList": _members("Member_Account", members)}


def left(group: str, *members: str, at_ms: int = 1_700_000_200_000, kind: str = "Public") -> Callback:
    """Group.CallbackAfterMemberExit"""
    body = {"GroupId": group, "Type": kind, "ExitType": "Kicked", "Operator_Account": "leckie", "EventTime": at_ms}
    return "Group.CallbackAfterMemberExit", {**body, "ExitMemberList": _members("Member_Account", members)}


def destroyed(group: str, owner: str, *members: str, at_ms: int = 1_700_000_300_000, kind: str = "Public") -> Callback:
    """Group.CallbackAfterGroupDestroyed"""
    body = {"GroupId": group, "Type": kind, "Owner_Account": owner, "Name": "MyFirstGroup", "EventTime": at_ms}
    return "Group.CallbackAfterGroupDestroyed", {**body, "MemberList": _members("Member_Account", members)}


def topic_created(group: str, topic: str, at_ms: int = 1_600_000_000_500) -> Callback:
    """Group.CallbackAfterCreateTopic"""
    return "Group.CallbackAfterCreateTopic", {**_topic(group, topic), "EventTime": at_ms}


def topic_destroyed(group: str, topic: str, at_ms: int = 1_700_000_400_000) -> Callback:
    """Group.CallbackAfterTopicDestroyed"""
    return "Group.CallbackAfterTopicDestroyed", {**_topic(group, topic), "EventTime": at_ms}


def _topic(group: str, topic: str) -> dict[str, Any]:
    return {
        "GroupId": group,
        "TopicId": topic,
        "Type": "Community",
        "Operator_Account": "al",
        "Owner_Account": "al",
        "Name": "News",
    }


def _members(name: str, members: tuple[str, ...]) -> list[dict[str, str]]:
    return [{name: member} for member in members]
