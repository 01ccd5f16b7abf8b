"""Payloads as text: JSON, plain or in base64."""

import base64
import json

import pytest

from readstate.dialects.imkit.sockets.encoding import Encoding, as_argument, encode_json, load_json
from readstate.dialects.imkit.sockets.packets import ServerEvent


def test_a_raw_event_is_a_plain_object() -> None:
    """docs.imkit.io, Socket Events: without `conf` payloads are objects."""
    payload = encode_json({"roomID": "r", "memberID": "ann", "messageID": "m1"})
    assert (
        ServerEvent("lastRead", payload).packet(Encoding.RAW).text
        == b'42["lastRead",{"roomID":"r","memberID":"ann","messageID":"m1"}]'
    )


def test_a_base64_event_is_one_ascii_string() -> None:
    """Decoded with `atob` the text is pure ASCII and still says the same."""
    given = {"message": 'né \u2028 \U0001f600 \x7f \x01 \\ "'}
    name, argument = json.loads(ServerEvent("chat message", encode_json(given)).packet(Encoding.BASE64).text[2:])
    text = base64.b64decode(argument, validate=True).decode("ascii")
    assert name == "chat message"
    assert json.loads(text) == given
    assert "\\u00e9" in text
    assert "\\ud83d\\ude00" in text


def test_each_encoding_is_made_once() -> None:
    """All connections with the same encoding share one packet."""
    event = ServerEvent("chat message", encode_json({"message": "hello"}))
    assert event.packet(Encoding.RAW) is event.packet(Encoding.RAW)
    assert event.packet(Encoding.RAW) is not event.packet(Encoding.BASE64)


def test_the_argument_of_an_ack_follows_the_encoding() -> None:
    assert as_argument(b'{"RC":0}', Encoding.RAW) == '{"RC":0}'
    assert as_argument(b'{"RC":0}', Encoding.BASE64) == '"eyJSQyI6MH0="'


@pytest.mark.parametrize("text", ["", "{", "[1,]", "nul", '"\ud800"', "[" * 100_000, '{"a":' * 100_000, "1 2", "NaN"])
def test_bad_json_is_a_value_error(text: str) -> None:
    """Deep nesting too, which would raise RecursionError otherwise."""
    with pytest.raises(ValueError):
        load_json(text)
