"""A store behind TLS with a private authority.

The embedded Valkey has no TLS, so a proxy adds it.
"""

import asyncio
import contextlib
import shutil
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from readstate.store.connect import connect
from readstate.store.server_check import ServerRefused, check_server
from tests.support.authority import Authority
from tests.support.servers import Server

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="needs the openssl command to make certificates"
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def name() -> str:
    """What the certificate is for."""
    return "DNS:localhost"


@pytest_asyncio.fixture
async def address(server: Server, authority: Authority, name: str) -> AsyncIterator[str]:
    """HOST:PORT where the server is reached over TLS."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*authority.certify("store", name))

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_unix_connection(str(server.socket))
        both = [
            asyncio.create_task(pass_on(reader, server_writer)),
            asyncio.create_task(pass_on(server_reader, writer)),
        ]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for end in (writer, server_writer):
            end.close()

    async def pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                target.write(data)
                await target.drain()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    yield f"localhost:{listener.sockets[0].getsockname()[1]}"
    listener.close()


async def refusal(url: str) -> str:
    with pytest.raises(ServerRefused) as caught:
        await check_server(url)
    return str(caught.value)


async def test_an_authority_that_the_url_names_is_believed(address: str, authority: Authority) -> None:
    url = f"rediss://{address}?ssl_ca_certs={authority.certificate}"
    assert (await check_server(url)).primaries == 1
    executor = await connect(url)
    assert await executor.command("EXISTS", "{nothing}", key="{nothing}") == 0
    await executor.close()


async def test_an_authority_that_the_environment_names_is_believed(
    address: str, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    assert (await check_server(f"rediss://{address}")).primaries == 1


async def test_without_it_both_ways_to_name_it_are_said(address: str) -> None:
    """It does not suggest to do without TLS."""
    sentence = await refusal(f"rediss://{address}")
    assert "CERTIFICATE_VERIFY_FAILED" in sentence
    assert "SSL_CERT_FILE" in sentence
    assert "rediss://HOST:PORT?ssl_ca_certs=FILE" in sentence
    assert "redis://" not in sentence


async def test_a_url_without_tls_is_told_of_it(address: str) -> None:
    """This server ends a connection on which no TLS begins, and says no more."""
    sentence = await refusal(f"redis://:secret@{address}")
    assert sentence.endswith("correct READSTATE_REDIS_URL, or use rediss:// if it has TLS")


async def test_a_url_without_tls_is_told_of_it_by_an_alert() -> None:
    """Other servers say in their own protocol what they expected."""

    async def alert(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"\x15\x03\x03\x00\x02\x02\x46")
        writer.close()

    async with await asyncio.start_server(alert, "127.0.0.1", 0) as listener:
        sentence = await refusal(f"redis://127.0.0.1:{listener.sockets[0].getsockname()[1]}")
    assert sentence.endswith("correct READSTATE_REDIS_URL, or use rediss:// if it has TLS")


@pytest.mark.parametrize("name", ["DNS:elsewhere.example.org"])
async def test_a_certificate_for_another_name_is_said(address: str, authority: Authority) -> None:
    sentence = await refusal(f"rediss://{address}?ssl_ca_certs={authority.certificate}")
    assert sentence.endswith("name it in READSTATE_REDIS_URL as its certificate does")


async def test_a_file_that_cannot_be_read_is_named(address: str, tmp_path: Path) -> None:
    nowhere = tmp_path / "ca.pem"
    assert f"the file that ssl_ca_certs names, {nowhere}, cannot be read" in await refusal(
        f"rediss://{address}?ssl_ca_certs={nowhere}"
    )
