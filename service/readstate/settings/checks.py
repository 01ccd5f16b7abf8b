"""Rules for settings that a type cannot express, and for settings together."""

import itertools
import re
from collections.abc import Iterable
from ipaddress import ip_network
from urllib.parse import urlsplit

from readstate.errors import SettingsError
from readstate.settings.fields import PREFIX, Fields
from readstate.settings.secret_files import SECRETS
from readstate.urls import TargetRefused, check_url
from readstate.webhook_keys import client_tls, secret_of

# Every two of these must differ. A person who knows one of them would know the other, and what ends
# with the one would go on with the other.
_KEYS = [name for name in SECRETS if name != "redis_url"]
# These pairs may be equal; _check_webhook refuses them where both sign in Tencent's form.
_MAY_BE_EQUAL = [
    {one, other} for one in ("tencent_token", "tencent_old_token") for other in ("webhook_token", "webhook_old_token")
]

# The setting that each one needs to have any effect, and the words between the two names.
_NEEDS = {
    "tencent_key": ("tencent_sdkappid", "is the key of the app that is named by"),
    "tencent_old_key": ("tencent_key", "is accepted beside"),
    "tencent_old_token": ("tencent_token", "is accepted beside"),
    "webhook_old_token": ("webhook_token", "signs beside"),
    "webhook_token": ("webhook_url", "signs what is sent to"),
    "webhook_client_cert": ("webhook_url", "is shown to the receiver at"),
    "ops_host": ("ops_port", "is the address of"),
    "webhook_client_key": ("webhook_client_cert", "is the key of the certificate in"),
}

SENTINEL = "+sentinel://"

# Scheme, host and port; no port that is the scheme's default. Apps have schemes of their own
# (capacitor://localhost).
_ORIGIN = re.compile(
    r"(?!http://[^/]*:80$|https://[^/]*:443$)[a-z][a-z0-9+.-]*://([a-z0-9_.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?"
)


def check_given(settings: Fields) -> None:
    """Raises SettingsError for values that cannot be used, alone or together. Reads no files."""
    if SENTINEL in (settings.redis_url or ""):
        _check_sentinels(str(settings.redis_url))
    else:
        _check_url("redis_url", settings.redis_url, ("redis", "rediss", "unix"))
    _check_url("webhook_url", settings.webhook_url, ("http", "https"))
    _check_together(settings)
    _check_webhook(settings)
    _check_origins(settings.cors_origins)
    _check_proxies(settings.proxies())


def _check_url(name: str, value: str | None, schemes: tuple[str, ...]) -> None:
    if value is None:
        return
    variable, expected = PREFIX + name.upper(), " or ".join(f"{scheme}://" for scheme in schemes)
    try:
        url = urlsplit(value)
        reachable = bool(url.path if url.scheme == "unix" else url.hostname) and url.port != 0
    except ValueError:
        raise SettingsError(f"{variable} is not a URL; it begins with {expected}") from None
    if url.scheme not in schemes:
        raise SettingsError(f"{variable} must begin with {expected}")
    if not reachable:
        raise SettingsError(f"{variable} names no {'path' if url.scheme == 'unix' else 'host'} after {url.scheme}://")


def _check_sentinels(value: str) -> None:
    parts = urlsplit(value)
    addresses = parts.netloc.rpartition("@")[2].split(",")
    if parts.scheme not in ("redis+sentinel", "rediss+sentinel") or not parts.path.strip("/") or not all(addresses):
        raise SettingsError(f"{PREFIX}REDIS_URL must be as in redis+sentinel://host:26379,host:26379/service")
    for address in addresses:
        _check_url("redis_url", f"redis://{address}", ("redis",))


def _check_proxies(proxies: Iterable[str]) -> None:
    for proxy in proxies:
        try:
            ip_network(proxy)
        except ValueError as error:
            raise SettingsError(
                f"READSTATE_TRUSTED_PROXIES cannot be used: {error}; "
                "give addresses or networks, such as 10.0.0.7,10.1.0.0/16"
            ) from None


def _check_webhook(settings: Fields) -> None:
    for name in ("webhook_token", "webhook_old_token"):
        try:
            secret_of(getattr(settings, name) or "")
        except ValueError as error:
            raise SettingsError(f"{PREFIX}{name.upper()} {error}") from None
    if settings.webhook_url is None:
        return
    try:
        check_url(settings.webhook_url, allow_private=settings.webhook_allow_private)
    except TargetRefused as refused:
        raise SettingsError(f"READSTATE_WEBHOOK_URL {refused}") from None
    if settings.webhook_token is None:
        raise SettingsError(
            "READSTATE_WEBHOOK_URL needs READSTATE_WEBHOOK_TOKEN, the secret that signs webhooks: "
            "`openssl rand -hex 32` makes one"
        )
    if settings.webhook_form in ("tencent", "both") and settings.tencent_sdkappid is None:
        raise SettingsError(
            f"READSTATE_WEBHOOK_FORM={settings.webhook_form} needs READSTATE_TENCENT_SDKAPPID, which the form names"
        )
    if (
        settings.tencent_sdkappid is not None
        and settings.webhook_form != "standard"
        and settings.webhook_token == settings.tencent_token
    ):
        raise SettingsError(
            "READSTATE_WEBHOOK_TOKEN and READSTATE_TENCENT_TOKEN must differ: "
            "who sees a webhook could send callbacks; change one of them"
        )


def check_client_certificate(settings: Fields) -> None:
    """Raises SettingsError when the files of the client certificate cannot be used."""
    if settings.webhook_client_cert is not None:
        try:
            client_tls(settings.webhook_client_cert, settings.webhook_client_key)
        except ValueError as error:
            raise SettingsError(f"READSTATE_WEBHOOK_CLIENT_CERT: {error}") from None


def _check_together(settings: Fields) -> None:
    """Refuses a setting that has no effect without another one: its operator expects an effect."""
    for name, (other, why) in _NEEDS.items():
        if getattr(settings, name) is not None and getattr(settings, other) is None:
            raise SettingsError(f"{PREFIX}{name.upper()} {why} {PREFIX}{other.upper()}; set that as well, or neither")
    told_in_tencents_form = settings.webhook_url is not None and settings.webhook_form != "standard"
    used = settings.tencent_key is not None or settings.tencent_token is not None or told_in_tencents_form
    if settings.tencent_sdkappid is not None and not used:
        raise SettingsError(
            "READSTATE_TENCENT_SDKAPPID needs READSTATE_TENCENT_KEY, the key of that app, for calls under /v4; "
            "set that as well, or neither"
        )
    if settings.ops_port is not None and settings.ops_port == settings.port:
        raise SettingsError("READSTATE_OPS_PORT and READSTATE_PORT are the same; give each its own")
    if settings.embedded_memory_mb is not None and settings.redis_url is not None:
        raise SettingsError(
            "READSTATE_EMBEDDED_MEMORY_MB is for the embedded Valkey, and READSTATE_REDIS_URL names another server; "
            "unset one of them"
        )


def _check_origins(origins: str) -> None:
    for origin in filter(None, map(str.strip, origins.split(","))):
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            raise SettingsError(
                f"READSTATE_CORS_ORIGINS cannot be used: {origin!r} is no origin; "
                "give `*` or origins as browsers send them, in small letters and without a path, such as https://chat.example.org,http://localhost:3000"
            )


def check_distinct(settings: Fields) -> None:
    """Raises SettingsError when two keys are the same."""
    for one, other in itertools.combinations(_KEYS, 2):
        value = getattr(settings, one)
        if value and value == getattr(settings, other) and {one, other} not in _MAY_BE_EQUAL:
            hint = (
                "unset the old one, or give the new one a value of its own"
                if "old_" in one + other
                else "give each its own"
            )
            raise SettingsError(
                f"{PREFIX}{one.upper()} and {PREFIX}{other.upper()} are the same; {hint}: "
                "`openssl rand -hex 32` makes one"
            )
