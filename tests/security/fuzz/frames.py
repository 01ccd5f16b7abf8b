"""What a client sends over a socket: right or changed Socket.IO, in right or wrong frames."""

import struct
from random import Random
from typing import Any

from tests.security.fuzz.examples import FREE
from tests.security.fuzz.mutations import DIGITS, damaged, mutated, text_of
from tests.security.fuzz.world import CLIENT_KEY, World

ENGINE = b"/socket.io/?EIO=4&transport="
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10

_ODD_PACKETS = (
    "",
    "3",
    "5",
    "1",
    "2probe",
    "6",
    "0{}",
    "40",
    "41",
    "43",
    "44{}",
    "4",
    "40/admin,",
    "42/admin,[]",
    "451-[]",
    "459999999999-[]",
    "42[]",
    "42",
    "42[7]",
    "42{}",
    "42null",
    "42" + "[" * 30_000,
    "42" + DIGITS + '["conf"]',
    '42["conf",' + DIGITS + "]",
    "431" + "9" * 200 + "[]",
    "bAAAA",
    "4" * 60_000,
    "\x1e",
    "40\x1e40",
    "\u0664\u0662",
    '42["chat message"]',
    '42["lastRead",null]',
    '42["auth2"]',
    '42["auth2",{}]',
    '42["connect",1]',
    '42["disconnect"]',
    '420["auth2","x",{"IM-CLIENT-KEY":"\\ud800"}]',
    '420["conf",{"encoding":1e999}]',
)


def packets(world: World, rng: Random) -> list[bytes]:
    """The events of one client from CONNECT on, within what a socket may send at once."""
    said = ["40"]
    if rng.random() < 0.3:
        said.append('420["conf",{"encoding":"base64"}]')
    if rng.random() < 0.9:
        said.append("421" + text_of(["auth2", world.token(rng), {"IM-CLIENT-KEY": CLIENT_KEY}]))
    said += [_packet(world, rng, number) for number in range(rng.randrange(2, 30))]
    if rng.random() < 0.1:
        said = said[1:]
    return [one.encode("utf-8", "surrogatepass") for one in said]


def _packet(world: World, rng: Random, number: int) -> str:
    ack = "" if rng.random() < 0.2 else str(number)
    content: dict[str, Any] = {"room": world.room(rng), "message": world.message(rng)}
    event = rng.choice(("chat message", "lastRead", "lastRead", "typing", "conf", "auth2"))
    arguments: Any = [event, content]
    if event == "chat message":
        content |= {
            "messageType": rng.choice(("text", "recall", "edit")),
            **{k: v for k, v in FREE.items() if rng.random() < 0.2},
        }
        if rng.random() < 0.2:
            content["_id"] = world.message(rng)
    elif event == "auth2":
        arguments = [event, world.token(rng), {"IM-CLIENT-KEY": CLIENT_KEY}]
    elif event == "conf":
        arguments = [event, {"encoding": "base64"}]
    how = rng.random()
    if how < 0.5:
        return f"42{ack}{text_of(arguments)}"
    if how < 0.85:
        # The beginning is kept, or hardly anything would be understood.
        changed = mutated(arguments[1:], rng) if rng.random() < 0.9 else mutated(arguments, rng)
        arguments = [event, *changed] if isinstance(changed, list) else [event, changed]
        return f"42{ack}{text_of(arguments)}"[:60_000]
    if how < 0.93:
        return str(rng.choice(_ODD_PACKETS))
    return damaged(f"42{ack}{text_of(arguments)}".encode("utf-8", "surrogatepass"), rng).decode("utf-8", "replace")


def handshake(rng: Random) -> bytes:
    """The request that begins a websocket, rarely with a mistake."""
    more = rng.choice(
        (
            b"",
            b"",
            b"",
            b"",
            b"Origin: https://evil.example\r\n",
            b"Sec-WebSocket-Extensions: permessage-deflate\r\n",
            b"IM-CLIENT-KEY: x\r\n",
        )
    )
    query = rng.choice(
        (
            b"",
            b"",
            b"",
            b"",
            b"&sid=x",
            b"&EIO=3",
            b"&IM-CLIENT-KEY=%ff",
            b"&%41=%42" * 3_000,
            b"&transport=polling",
            b"&sid=%00",
        )
    )
    version = b"13" if rng.random() < 0.97 else rng.choice((b"8", b"", b"x"))
    return (
        b"GET " + ENGINE + b"websocket" + query + b" HTTP/1.1\r\nHost: x\r\n"
        b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: " + version + b"\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" + more + b"\r\n"
    )  # fmt: skip


def frames(packet: bytes, rng: Random) -> bytes:
    """A packet as one or several websocket frames, rarely wrong ones."""
    how = rng.random()
    if how < 0.88:
        return frame(TEXT, packet)
    if how < 0.92 and len(packet) > 1:
        cut = rng.randrange(1, len(packet))
        between = frame(PING, b"x") if rng.random() < 0.5 else b""
        return frame(TEXT, packet[:cut], final=False) + between + frame(0, packet[cut:])
    return bytes(
        rng.choice(
            (
                frame(BINARY, packet),
                frame(PING, b"x" * 125),
                frame(PONG, b""),
                frame(PING, b"x" * 126),
                frame(rng.choice((3, 7, 11, 15)), packet),
                frame(0, packet),
                frame(TEXT, packet, reserved=rng.choice((0x40, 0x20, 0x10))),
                frame(TEXT, packet, masked=False),
                frame(TEXT, b"\xff\xfe\xed\xa0\x80"),
                frame(TEXT, b"4" * 70_000),
                frame(CLOSE, struct.pack(">H", rng.choice((0, 1000, 1005, 1011, 65_535))) + b"\xff"),
                frame(CLOSE, b"x"),
                b"\x81\xff" + b"\xff" * 8 + b"mask",
                frame(TEXT, packet)[: rng.randrange(1, 8)],
                rng.randbytes(20),
            )
        )
    )


def frame(opcode: int, payload: bytes, *, final: bool = True, masked: bool = True, reserved: int = 0) -> bytes:
    """One websocket frame of a client."""
    length, bit = len(payload), 0x80 if masked else 0
    if length < 126:
        head = struct.pack(">BB", opcode | (0x80 if final else 0) | reserved, bit | length)
    elif length < 65_536:
        head = struct.pack(">BBH", opcode | (0x80 if final else 0) | reserved, bit | 126, length)
    else:
        head = struct.pack(">BBQ", opcode | (0x80 if final else 0) | reserved, bit | 127, length)
    # A mask of zeros is one, too.
    return head + (b"\0\0\0\0" if masked else b"") + payload


def heard(data: bytes) -> list[tuple[int, bytes]]:
    """The frames of a server in `data`: opcode and payload."""
    found, place = [], 0
    while place + 2 <= len(data):
        opcode, length = data[place] & 0x0F, data[place + 1] & 0x7F
        place += 2
        if length == 126:
            (length,) = struct.unpack_from(">H", data, place)
            place += 2
        elif length == 127:
            (length,) = struct.unpack_from(">Q", data, place)
            place += 8
        found.append((opcode, data[place : place + length]))
        place += length
    return found
