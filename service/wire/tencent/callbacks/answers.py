"""What a callback is answered (Tencent Cloud Chat, Webhook Overview).

The status tells the sender whether to send again: 200 never, 503 yes. Whether it was understood is in the body.
"""

from service.errors import Unavailable, UnknownOutcome
from service.wire.reply import Reply, encode
from service.wire.tencent.reply import Fail, Ok

UNAVAILABLE = "SERVICE_UNAVAILABLE"

OK = Reply(encode(Ok()))


def fail(info: str, *, code: str = "FAIL", status: int = 200, headers: tuple[tuple[bytes, bytes], ...] = ()) -> Reply:
    """ErrorCode 1, the only one that callbacks know. `code` is the outcome for metrics and logs."""
    return Reply(encode(Fail(ErrorInfo=info, ErrorCode=1)), status, code, headers)


def try_again(fault: Unavailable | UnknownOutcome) -> Reply:
    """The store is in trouble. Everything may be sent twice, so it does not matter how far this one got."""
    headers = ((b"retry-after", b"%d" % fault.retry_after_s),)
    return fail("The store is out of reach; send it again", code=UNAVAILABLE, status=503, headers=headers)
