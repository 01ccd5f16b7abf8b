"""A client made of the OpenAPI document by openapi-python-client.

Prints one JSON object with the answers.

in {"url": ..., "clientKey": ..., "token": ..., "room": ..., "message": ..., "tags": [two tags]}
"""

import json
import sys
from typing import Any

from readstate_client import Client
from readstate_client.api.im_kit import badge, mark_read, receipt_counts, receipts
from readstate_client.models import Failure, MarkRead


def main() -> None:
    given = json.loads(sys.argv[1])
    headers = {"IM-CLIENT-KEY": given["clientKey"], "IM-Authorization": given["token"]}
    client = Client(base_url=given["url"], headers=headers, raise_on_unexpected_status=True)
    room, message, tags = given["room"], given["message"], given["tags"]
    before = [
        result(badge.sync(client=client)).badge,
        result(badge.sync(client=client, room_tags=tags[:1])).badge,
        result(badge.sync(client=client, room_tags=tags)).badge,
    ]
    read = result(mark_read.sync(room, client=client, body=MarkRead(message=message)))
    page = result(receipts.sync(room, message, client=client))
    counts = result(receipt_counts.sync(room, client=client, messages=[message]))
    unknown = mark_read.sync("nowhere", client=client, body=MarkRead(message=message))
    told = {
        "before": before,
        "read": read.last_read,
        "after": read.badge,
        "readers": page.read_count,
        "counted": [[one.message, one.read_count] for one in counts.data],
        "unknown": [unknown.rc, unknown.error.code] if isinstance(unknown, Failure) else [0, ""],
    }
    print(json.dumps(told))


def result(answer: Any) -> Any:
    if isinstance(answer, Failure):
        raise TypeError(answer.error.message)
    return answer.result


if __name__ == "__main__":
    main()
