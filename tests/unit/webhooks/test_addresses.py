"""Webhooks reach no private address, however it is spelled, looked up or redirected to.

A listener on the loopback counts what arrives.
"""

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncIterator
from ipaddress import ip_address

import pytest
import pytest_asyncio
from aiohttp.abc import AbstractResolver, ResolveResult

from readstate.urls import TargetRefused, check_url, is_refused
from readstate.webhooks.addresses import AddressRefused, CheckingResolver, checked_socket
from readstate.webhooks.forms import WebhookRequest
from readstate.webhooks.sender import Sender
from tests.support.receiver import Receiver, Reply

REQUEST = WebhookRequest(b"{}", {})
TLS = ssl.create_default_context()

# Every known way to write "this machine", "this network" or "the metadata service".
SPELLINGS = re.findall(
    r"\S+",
    """
    127.0.0.1 127.0.0.2 127.1 127.0.1 127.255.255.254 2130706433 0x7f000001 0x7F.0.0.1 0x7f.1 017700000001
    0177.0.0.1 0177.1 127.0.0.0x1 127.00.0.1 127.0.0.01 0127.0.0.1 127.0.0.1. 127.1. 2130706433. 0 0. 0.0.0.0
    00000 0x0 0.0 000.000.000.000 4294967295 4294967296 3232235521 1 1.1 256.256.256.256 127.0.0.256 127.0.0
    127.0.0.1.1 255.255.255.255 0.0.0.1 10.0.0.1 10.1 0xa.0.0.1 012.0.0.1 100.64.0.1 100.100.100.200
    100.127.255.255 168.63.129.16 169.254.169.254 169.254.170.2 2852039166 0xa9fea9fe 0251.0376.0251.0376
    172.16.0.1 172.31.255.255 192.0.0.192 192.0.2.1 192.88.99.1 192.168.0.1 192.168.1 198.18.0.1 198.19.255.255
    198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.250 240.0.0.1 [::1] [::] [0:0:0:0:0:0:0:1]
    [0000:0000:0000:0000:0000:0000:0000:0001] [::0001] [::ffff:127.0.0.1] [::ffff:7f00:1] [::ffff:a9fe:a9fe]
    [::ffff:0:127.0.0.1] [::127.0.0.1] [::7f00:1] [64:ff9b::127.0.0.1] [64:ff9b::a9fe:a9fe] [64:ff9b:1::7f00:1]
    [2002:7f00:1::] [2002:a9fe:a9fe::1] [2001::1] [2001:0:7f00:1::] [2001:db8::1] [3fff::1] [100::1] [fc00::1]
    [fd00:ec2::254] [fe80::1] [fe80::1%25lo] [fe80::1%lo] [::1%25lo] [::1%1] [fec0::1] [ff02::1] [ff0e::1]
    [5f00::1] [fe80::5efe:127.0.0.1] [::1 ::1 [127.0.0.1] [::ffff:127.0.0.1 0:0:0:0:0:0:0:1 [v1.::1] localhost
    LOCALHOST localhost. LocalHost.localdomain a.localhost ip6-localhost ip6-loopback printer.local
    metadata.google.internal metadata.google.internal. router.lan nas.home.arpa wiki.intranet
    127.0.0.1:80@localhost user@127.0.0.1 user:pass@127.0.0.1 example.org@127.0.0.1 127.0.0.1#@example.org
    127.0.0.1\\@example.org example.org\\@127.0.0.1 127.0.0.1%00.example.org %31%32%37.0.0.1
    %6c%6f%63%61%6c%68%6f%73%74 127%2e0%2e0%2e1 １２７.0.0.1 127。0。0。1 127．0．0．1 127｡0｡0｡1 ①②⑦.0.0.1 ⓛⓞⓒⓐⓛⓗⓞⓢⓣ
    loc\u00adalhost ｌｏｃａｌｈｏｓｔ local\u200bhost -127.0.0.1 127.0.0.1- .127.0.0.1 127..0.0.1 a..b example.org.
    _dmarc.example.org
    """,
)


class Sayings(AbstractResolver):
    """A resolver with a list of answers; the last one repeats."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            ResolveResult(
                hostname=host,
                host=one,
                port=port,
                family=socket.AF_INET6 if ":" in one else socket.AF_INET,
                proto=0,
                flags=0,
            )
            for one in answer
        ]

    async def close(self) -> None:
        return


class Hostile(Sayings):
    """Reads odd spellings of addresses as the system does, and resolves every name to this
    machine.
    """

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        try:
            found = socket.getaddrinfo(host, port, flags=socket.AI_NUMERICHOST, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return await super().resolve(host, port, family)
        self.answers = [[str(found[0][4][0])]]
        answer = await super().resolve(host, port, family)
        self.answers = [["127.0.0.1"]]
        return answer


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver


def checked(url: str, resolver: AbstractResolver | None = None) -> Sender:
    return Sender(url, allow_private=False, tls=TLS, resolver=resolver)


def test_the_corpus_is_as_large_as_it_says() -> None:
    assert len(set(SPELLINGS)) == len(SPELLINGS) >= 130


@pytest.mark.parametrize("scheme", ["https", "http"])
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_spelling_of_a_private_host_may_be_set(scheme: str, spelling: str) -> None:
    """The service does not start with it."""
    with pytest.raises(TargetRefused):
        check_url(f"{scheme}://{spelling}/hook", allow_private=False)
    with pytest.raises(TargetRefused):
        check_url(f"{scheme}://{spelling}:8080/hook", allow_private=False)


async def test_no_spelling_leads_to_a_connection(receiver: Receiver) -> None:
    """Even an unchecked URL: the check of the connection works alone."""

    async def reason(url: str) -> str:
        async with checked(url, Hostile(["127.0.0.1"])) as sender:
            return (await sender.send(REQUEST)).reason

    urls = [f"{scheme}://{spelling}:{receiver.port}/hook" for spelling in SPELLINGS for scheme in ("http", "https")]
    reasons = await asyncio.gather(*map(reason, urls), return_exceptions=True)
    assert "" not in reasons
    # What is no URL at all does not even make a sender.
    assert {type(one) for one in reasons} == {str, ValueError}
    assert sum(isinstance(one, str) for one in reasons) > 150
    assert receiver.connections == 0


async def test_the_listener_would_have_counted(receiver: Receiver) -> None:
    """Without the check the same listener is reached: by address, by odd spellings, and by any
    resolver.
    """
    for host in ("127.0.0.1", "localhost", "0x7f.1", "metadata.google.internal"):
        resolver = Hostile(["127.0.0.1"])
        async with Sender(f"http://{host}:{receiver.port}/", allow_private=True, tls=TLS, resolver=resolver) as sender:
            assert (await sender.send(REQUEST)).reason == "", host
    assert receiver.connections == 4


@pytest.mark.parametrize(
    "answer",
    [
        ["127.0.0.1"],
        ["::1"],
        ["169.254.169.254"],
        ["8.8.8.8", "127.0.0.1"],
        ["127.0.0.1", "8.8.8.8"],
        ["2606:4700:4700::1111", "::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["0.0.0.0"],
        ["no address"],
    ],
)
async def test_a_name_with_one_private_address_is_not_connected_to(receiver: Receiver, answer: list[str]) -> None:
    """Also among public ones: the system chooses which is tried first."""
    async with checked(f"http://hooks.example.org:{receiver.port}/", Sayings(answer)) as sender:
        assert (await sender.send(REQUEST)).reason == "refused_address"
    assert receiver.connections == 0


async def test_a_name_is_looked_up_once_and_the_address_that_was_checked_is_connected_to(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resolver that answers otherwise the second time is not asked a second time."""
    connected_to = []

    def unreachable(address_info: tuple[object, ...]) -> socket.socket:
        checked_socket(address_info).close()
        connected_to.append(address_info[4][0])  # type: ignore[index]
        raise OSError("not in a test")

    monkeypatch.setattr("readstate.webhooks.addresses.checked_socket", unreachable)
    rebinding = Sayings(["93.184.215.14"], ["127.0.0.1"])
    async with checked(f"http://hooks.example.org:{receiver.port}/", rebinding) as sender:
        assert (await sender.send(REQUEST)).reason == "connection"
        assert (rebinding.asked, connected_to) == (1, ["93.184.215.14"])
        # The next attempt looks the name up anew, and checks anew.
        assert (await sender.send(REQUEST)).reason == "refused_address"
    assert (rebinding.asked, connected_to, receiver.connections) == (2, ["93.184.215.14"], 0)


async def test_a_resolver_that_lies_between_check_and_connection_meets_the_second_check(receiver: Receiver) -> None:
    """The socket itself is checked, wherever its address comes from."""
    for address in ("127.0.0.1", "::1", "169.254.169.254"):
        with pytest.raises(AddressRefused):
            checked_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", (address, receiver.port)))
    checked_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("8.8.8.8", 443))).close()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "target",
    ["http://127.0.0.1:{port}/inner", "/inner", "//localhost:{port}/inner", "http://[::ffff:127.0.0.1]:{port}/"],
)
async def test_a_redirect_is_a_failure_and_not_followed(receiver: Receiver, status: int, target: str) -> None:
    """Even where private addresses are allowed."""
    receiver.answer = lambda call: Reply(status, {"Location": target.format(port=receiver.port)})
    async with Sender(receiver.url, allow_private=True, tls=TLS) as sender:
        assert (await sender.send(REQUEST)).reason == "status_3xx"
    assert [call.target for call in receiver.calls] == ["/hook"]


async def test_proxies_of_the_environment_are_not_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy would resolve the name itself."""
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, receiver.url)
    async with checked("http://hooks.example.org/", Sayings(["127.0.0.1"])) as sender:
        assert (await sender.send(REQUEST)).reason == "refused_address"
    assert receiver.connections == 0


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.org",
        "https://hooks.example.org/a/b%20c?key=value&b=%2F",
        "https://HOOKS.example.org:8443/",
        "https://xn--bcher-kva.example/",
        "https://8.8.8.8/",
        "https://[2606:4700:4700::1111]:443/hook",
        "https://1.example.org/",
        "https://localhost.example.org/",
    ],
)
def test_a_public_receiver_may_be_set(url: str) -> None:
    check_url(url, allow_private=False)


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:8080/hook", "http://localhost/", "http://receiver:9000/", "https://10.0.0.1/", "http://[::1]/"],
)
def test_private_receivers_and_http_need_their_setting(url: str) -> None:
    check_url(url, allow_private=True)
    with pytest.raises(TargetRefused, match="READSTATE_WEBHOOK_ALLOW_PRIVATE"):
        check_url(url, allow_private=False)


def test_plain_http_is_refused_even_for_a_public_host() -> None:
    """Reads of members would be visible on the way."""
    with pytest.raises(TargetRefused, match="must begin with https://"):
        check_url("http://hooks.example.org/", allow_private=False)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://",
        "https:///hook",
        "https://hooks.example.org:0/",
        "https://hooks.example.org:65536/",
        "https://hooks.example.org:/",
        "https://hooks.example.org/#fragment",
        "https://hooks.example.org/ ",
        " https://hooks.example.org/",
        "https://hooks.example.org/\n",
        "https://hooks.example.org\t/",
        "https:/hooks.example.org/",
        "https:hooks.example.org",
        "HTTPS://hooks.example.org/",
        "ftp://hooks.example.org/",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "unix:///run/valkey.sock",
        "http+unix://%2Frun%2Fvalkey.sock/",
        "https://user@hooks.example.org/",
        "https://user:pass@hooks.example.org/",
        "https://hooks.example.org\\@127.0.0.1/",
        "https://hooks.example.org/ä",
        "https://bücher.example/",
        "https://" + "a" * 64 + ".example/",
        "https://" + "a." * 130 + "example/",
        "https://hooks.example.org/" + "a" * 2048,
        "https://-a.example.org/",
        "https://a-.example.org/",
        "https://a_b.example.org/",
    ],
)
@pytest.mark.parametrize("allow_private", [False, True])
def test_an_unusual_spelling_is_refused_whatever_it_means(url: str, allow_private: bool) -> None:
    """Two libraries might read it differently."""
    with pytest.raises(TargetRefused):
        check_url(url, allow_private=allow_private)


@pytest.mark.parametrize(
    "public",
    ["1.1.1.1", "8.8.8.8", "93.184.215.14", "172.32.0.1", "100.128.0.1", "2606:4700:4700::1111", "2a00:1450::1"],
)
def test_public_addresses_pass(public: str) -> None:
    assert not is_refused(ip_address(public))


@pytest.mark.parametrize("private", ["8.8.8.8", "1.2.3.4"])
def test_a_public_address_in_disguise_is_refused(private: str) -> None:
    """Translated addresses are refused, because the real one is unknown."""
    number = int(ip_address(private))
    for prefix in (0xFFFF << 32, 0, 0x0064FF9B << 96, (0xFFFF << 48)):
        assert is_refused(ip_address(prefix | number | (1 << 120 if prefix == 0 else 0)))


async def test_lookups_go_on_side_by_side(receiver: Receiver) -> None:
    """The check holds for many at once as for one."""
    async with checked(f"http://hooks.example.org:{receiver.port}/", Sayings(["127.0.0.1"])) as sender:
        answers = await asyncio.gather(*(sender.send(REQUEST) for _ in range(50)))
    assert {answer.reason for answer in answers} == {"refused_address"}
    assert receiver.connections == 0


async def test_the_check_of_names_keeps_the_answer_as_it_is() -> None:
    resolver = CheckingResolver(Sayings(["8.8.8.8", "1.1.1.1"]))
    assert [one["host"] for one in await resolver.resolve("hooks.example.org", 443)] == ["8.8.8.8", "1.1.1.1"]
