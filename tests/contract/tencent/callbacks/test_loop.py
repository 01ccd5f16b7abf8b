"""Callbacks in, the server API out: IMKit's clients see the same."""

import pytest

from readstate.settings import Settings
from tests.support import tencent_callbacks as told
from tests.support.imkit import Imkit
from tests.support.tencent import Tencent as Backend
from tests.support.tencent import said, with_tencent
from tests.support.tencent_callbacks import TOKEN, Tencent

T_S = 1_700_000_000


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return with_tencent(settings, tencent_token=TOKEN)


@pytest.fixture
def backend(imkit: Imkit) -> Backend:
    """The caller of the server API."""
    return Backend(imkit)


async def unread(backend: Backend, account: str) -> int:
    """Unread messages by the server API."""
    return int(said(await backend.call("openim/get_c2c_unread_msg_num", {"To_Account": account}))["AllC2CUnreadMsgNum"])


async def test_messages_come_in_and_are_read_by_the_server_api(tencent: Tencent, backend: Backend) -> None:
    """Up to and including the second that the backend names; then all of them."""
    await tencent.tell(*(told.direct_sent("bo", "al", seq, T_S + seq) for seq in (1, 2, 3)))
    assert (await unread(backend, "al"), await tencent.badges("al")) == (3, {"al": 3})
    read = {"Report_Account": "al", "Peer_Account": "bo"}
    said(await backend.call("openim/admin_set_msg_read", {**read, "MsgReadTime": T_S + 2}))
    assert (await unread(backend, "al"), await tencent.badges("al")) == (1, {"al": 1})
    await tencent.tell(told.direct_sent("bo", "al", 1, T_S + 1), told.direct_recalled("bo", "al", 3, T_S + 3))
    assert (await unread(backend, "al"), await tencent.badges("al")) == (0, {"al": 0})
    await tencent.tell(told.direct_sent("bo", "al", 4, T_S + 4), told.direct_sent("bo", "al", 5, T_S + 5))
    said(await backend.call("openim/admin_set_msg_read", read))
    assert (await unread(backend, "al"), await tencent.badges("al")) == (0, {"al": 0})


async def test_group_receipts_come_in_and_are_told_by_the_server_api(tencent: Tencent, backend: Backend) -> None:
    """They stand beside reads on our side. A recalled message has none."""
    await tencent.tell(
        told.group_created("g", "al", "bo", "cy", "di"), told.group_sent("g", "al", 1), told.group_sent("g", "al", 2)
    )
    await tencent.tell(told.group_receipts("g", 1, "bo"), told.group_recalled("g", 2))
    await tencent.imkit.as_user("cy", "PUT", "/rooms/g/lastRead", {"message": "1"})
    asked = {"GroupId": "g", "MsgSeqList": [{"MsgSeq": 1}, {"MsgSeq": 2}]}
    answer = said(await backend.call("group_open_http_svc/get_group_msg_receipt", asked))
    first, second = answer["GroupMsgReceiptList"]
    assert (first["Code"], first["ReadNum"], first["UnreadNum"]) == (0, 2, 1)
    assert second["Code"] == 10062


async def test_a_group_that_ended_is_unknown_to_the_server_api(tencent: Tencent, backend: Backend) -> None:
    await tencent.tell(told.group_created("g", "al"), told.destroyed("g", "al"))
    asked = {"GroupId": "g", "Member_Account": "al", "UnreadMsgNum": 1}
    assert said(await backend.call("group_open_http_svc/set_unread_msg_num", asked))["ErrorCode"] == 10010
