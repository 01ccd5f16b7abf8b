"""The URLs that a receiver of webhooks may have: in private networks only if that is allowed.

`webhooks/addresses.py` holds every connection to the same rule. And the URLs that commands take.
"""

import re
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

MAX_URL_CHARS = 2048
_MAX_HOST_CHARS = 253

# One spelling only: a URL that two libraries could read differently is refused.
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[1-9][0-9]{0,4}))?"
    r"(?P<path>/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?(?P<query>\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?"
)
_NAME = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(?:\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*")
_NUMERIC_LABEL = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")
_INSIDE = (".localhost", ".localdomain", ".local", ".internal", ".intranet", ".lan", ".home.arpa")

# IANA's special-purpose registry, and the addresses that clouds use inside. They are written out
# because "global" in the standard library differs between its versions, and includes multicast and
# NAT64.
_REFUSED_V4 = [
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT; a cloud's metadata service lives there
        "127.0.0.0/8",
        "168.63.129.16/32",  # a cloud's host, as seen from its guests
        "169.254.0.0/16",  # link-local; metadata services
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
]
_UNICAST_V6 = IPv6Network("2000::/3")  # outside of it: local, multicast, or an IPv4 address in another form
_REFUSED_V6 = [
    IPv6Network(network)
    for network in (
        "2001::/23",  # Teredo, benchmarks, ORCHID
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: IPv4 inside
        "3fff::/20",  # documentation
    )
]


class TargetRefused(ValueError):
    """Webhooks are not sent to this URL. The message says why, and what to change."""


def check_url(url: str, *, allow_private: bool) -> None:
    """Raise TargetRefused unless `url` may be a receiver's.

    It must have the one plain spelling: https, a name of letters, digits and hyphens or an address
    in its usual form, no user, no fragment. `allow_private` also allows http and addresses that are
    not public.
    """
    match = _URL.fullmatch(url) if len(url) <= MAX_URL_CHARS else None
    if match is None or int(match["port"] or 443) > 65535:
        raise TargetRefused(
            "must be https://HOST[:PORT][/PATH][?QUERY] in plain ASCII, percent-encoded where needed, "
            "without a user, a fragment or spaces"
        )
    if match["scheme"] != "https" and not allow_private:
        raise TargetRefused(
            "must begin with https://; http:// is for private networks, with READSTATE_WEBHOOK_ALLOW_PRIVATE=true"
        )
    address = _literal(match["host"])
    if address is None:
        _check_name(match["host"], allow_private=allow_private)
    elif is_refused(address) and not allow_private:
        raise TargetRefused(
            f"names {address}, which is not a public address; READSTATE_WEBHOOK_ALLOW_PRIVATE=true allows it"
        )


def is_refused(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is private, local, reserved, multicast, or translates to such a one."""
    if isinstance(address, IPv4Address):
        return not address.is_global or any(address in network for network in _REFUSED_V4)
    if address not in _UNICAST_V6 or address.scope_id is not None:
        return True
    return not address.is_global or any(address in network for network in _REFUSED_V6)


def _literal(host: str) -> IPv4Address | IPv6Address | None:
    """The address in `host`; None for a name.

    Raises TargetRefused for an unusual form of an address.
    """
    try:
        if host.startswith("["):
            return IPv6Address(host[1:-1])
        if _NUMERIC_LABEL.fullmatch(host.rstrip(".").rpartition(".")[2]):
            return IPv4Address(host)
    except AddressValueError:
        raise TargetRefused(
            "names an address in an unusual form; write four decimal numbers, or IPv6 in brackets"
        ) from None
    return None


def _check_name(host: str, *, allow_private: bool) -> None:
    if len(host) > _MAX_HOST_CHARS or not _NAME.fullmatch(host):
        raise TargetRefused(
            "names no valid host; write labels of letters, digits and hyphens, without a dot at the end"
        )
    name = host.lower()
    if not allow_private and ("." not in name or name.endswith(_INSIDE)):
        raise TargetRefused("names a host inside a private network; READSTATE_WEBHOOK_ALLOW_PRIVATE=true allows it")


def is_loopback(host: str) -> bool:
    """Whether `host`, a name or an address, is a loopback address.

    No other machine can reach such an address.
    """
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def mistake_in_service_url(text: str) -> str:
    """What is wrong with the `--url` of a command; "" when nothing is."""
    try:
        url = urlsplit(text)
        sound = (
            url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0 and not (url.query or url.fragment)
        )
    except ValueError:
        sound = False
    if sound:
        return ""
    return (
        "--url must be the service's address, with http:// or https:// in front, "
        f"such as http://127.0.0.1:8080, not {text}"
    )
