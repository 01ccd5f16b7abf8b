"""One user who does the worst that the limits allow, in a process of its own that is told on stdin,
in JSON, what to do.

    {"url", "user", "token", "client_key", "seconds", "connections", "sockets",
     "calls": [[method, path, body], ...], "events": [...]}

Each connection makes the dearest calls in turn, each from another one on, and waits but shortly
when it is refused. Prints how many answers there were of each status.
"""

import asyncio
import itertools
import json
import sys
import time
from collections import Counter
from typing import Any

from tests.security.fuzz.client import Garbled, Line, read_answer
from tests.security.fuzz.frames import ENGINE, TEXT, frame

AFTER_A_REFUSAL_S = 0.05


async def main(plan: dict[str, Any]) -> Counter[str]:
    """Attack for as long as the plan says."""
    statuses: Counter[str] = Counter()
    until = time.monotonic() + plan["seconds"]
    async with asyncio.TaskGroup() as group:
        for number in range(plan["connections"]):
            group.create_task(_call(plan, number, until, statuses))
        for number in range(plan["sockets"]):
            group.create_task(_say(plan, number, until, statuses))
    return statuses


async def _call(plan: dict[str, Any], number: int, until: float, statuses: Counter[str]) -> None:
    calls = [_request(plan, *call) for call in plan["calls"]]
    async with Line(plan["url"]) as line:
        for request in itertools.islice(itertools.cycle(calls), number % len(calls), None):
            if time.monotonic() > until:
                return
            answer = await line.ask(request)
            statuses[str(answer.status)] += 1
            if answer.status in (0, 429, 503):
                await asyncio.sleep(AFTER_A_REFUSAL_S)


def _request(plan: dict[str, Any], method: str, path: str, body: Any) -> bytes:
    content = b"" if body is None else json.dumps(body).encode()
    user = path.startswith("/api/") and "X-Auth-Token: {token}\r\nX-User-Id: {user}\r\n".format(**plan)
    who = user or "IM-CLIENT-KEY: {client_key}\r\nIM-Authorization: {token}\r\n".format(**plan)
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\n{who}Content-Length: {len(content)}\r\n\r\n".encode() + content


async def _say(plan: dict[str, Any], number: int, until: float, statuses: Counter[str]) -> None:
    """Events as fast as a socket accepts them, on a new socket after each cut."""
    opening = (
        b"GET "
        + ENGINE
        + b"websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    introduction = json.dumps(["auth2", plan["token"], {"IM-CLIENT-KEY": plan["client_key"]}])
    line = Line(plan["url"])
    while time.monotonic() < until:
        try:
            reader, writer = await line.open()
            writer.write(opening)
            await read_answer(reader)
            writer.write(frame(TEXT, b"40") + frame(TEXT, f"42{introduction}".encode()))
            reading = asyncio.create_task(_read_all(reader))
            for turn in itertools.count(number):
                if time.monotonic() > until or reading.done():
                    break
                event = json.dumps(plan["events"][turn % len(plan["events"])])
                writer.write(frame(TEXT, f"42{turn}{event}".encode()))
                statuses["event"] += 1
                await asyncio.sleep(0.021)
            reading.cancel()
        except (OSError, Garbled, asyncio.IncompleteReadError):
            statuses["socket closed"] += 1
            await asyncio.sleep(AFTER_A_REFUSAL_S)
        await line.close()


async def _read_all(reader: asyncio.StreamReader) -> None:
    while await reader.read(2**20):
        pass


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(json.load(sys.stdin)))))
