"""The routes of the dialect."""

from collections.abc import Callable

from litestar import HttpMethod, Router, route
from litestar.middleware import DefineMiddleware

from readstate.dialects.http.reply import Reply
from readstate.dialects.services import Services
from readstate.dialects.tencent import group, openim
from readstate.dialects.tencent.auth import Access, Gate, Gateway
from readstate.dialects.tencent.codes import UNREADABLE_REQUEST
from readstate.dialects.tencent.reply import fail
from readstate.dialects.tencent.vocabulary import DIALECT

HANDLERS = (
    openim.admin_set_msg_read,
    openim.get_c2c_unread_msg_num,
    openim.c2c_msg_read_receipt,
    group.set_unread_msg_num,
    group.get_group_msg_receipt,
    group.get_group_msg_receipt_detail,
    group.group_msg_receipt,
)


def tencent_router(access: Access, services: Callable[[], Services]) -> Router:
    """All commands, under /v4. `services` gives what they work with; asked at each request."""
    gate = DefineMiddleware(Gate, gateway=Gateway(access), services=services)
    return Router(path="/v4", route_handlers=[_options, *HANDLERS], middleware=[gate], tags=[DIALECT.tag])


@route(
    sorted({path for handler in HANDLERS for path in handler.paths}),
    http_method=[HttpMethod.OPTIONS],
    status_code=200,
    opt={"operation": "options"},
    include_in_schema=False,
)
async def _options() -> Reply:
    """The framework's own answer would not have status 200."""
    return fail(UNREADABLE_REQUEST)
