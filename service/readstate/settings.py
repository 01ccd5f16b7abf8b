"""The settings: one frozen value, read once from the environment and passed on.

Every name is that of the field in capitals after `READSTATE_`. `resolve` makes what is left open (the secrets and the place of
the data), so that the supervisor and each worker end up with the same values.
"""

import difflib
import itertools
import os
import pwd
import re
import secrets
import stat
from collections.abc import Iterable, Mapping
from errno import ENOSPC
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypedDict, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

from readstate.webhooks.guard import TargetRefused, check_url
from readstate.webhooks.signing import secret_of
from readstate.webhooks.tls import client_tls

PREFIX = "READSTATE_"

VISIBLE = r"\A[\x21-\x7e]*\Z"
Token = Annotated[str, Meta(min_length=8, max_length=256, pattern=VISIBLE)]
Secret = Annotated[str, Meta(min_length=16, max_length=256, pattern=VISIBLE)]
SigningKey = Annotated[str, Meta(min_length=32, max_length=256, pattern=VISIBLE)]
Seconds = Annotated[int, Meta(ge=1, le=3600)]


class SettingsError(Exception):
    """A setting cannot be used. The message is one sentence that names the variable and says what to change."""


class Bounds(TypedDict):
    """What the store keeps at most: the settings of these names."""

    fanout_limit: int
    message_history: int
    journal_moves: int
    journal_days: int
    user_room_limit: int
    user_tag_limit: int


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an operator may choose. Each comment says who would change it."""

    # Whoever lets other machines in: 0.0.0.0, or the address of one interface.
    host: Annotated[str, Meta(min_length=1)] = "127.0.0.1"
    # Whoever has something else on 8080; 0 takes any free port.
    port: Annotated[int, Meta(ge=0, le=65535)] = 8080
    # Whoever has more than two cores: about one worker for each.
    workers: Annotated[int, Meta(ge=1, le=64)] = 1
    # Whoever runs a Redis or Valkey of their own: redis://, rediss:// or unix://. Unset, an embedded one is started.
    redis_url: str | None = None
    # Whoever keeps data elsewhere. Holds the secrets that were made and the embedded server's files; private to one user.
    data_dir: Annotated[str, Meta(min_length=1)] = ".readstate"
    # Whoever deploys: the backend's secret (the IM-API-KEY of its calls). Made and kept in the data directory when unset.
    api_key: Secret = ""
    # Set it to replace the API key without a refused call (docs/keys.md): another one that is accepted.
    old_api_key: Secret = ""
    # Whoever deploys: names the first app in its clients' calls (the IM-CLIENT-KEY). Made and kept when unset.
    client_key: Secret = ""
    # Set it to replace the client key without a refused call: another one that is accepted.
    old_client_key: Secret = ""
    # Whoever deploys on several machines, which must share it: signs the users' tokens. Made and kept when unset.
    token_secret: SigningKey = ""
    # Set it to replace the token secret without logging users out: tokens that it signed are accepted; it signs none.
    old_token_secret: SigningKey = ""
    # Whoever measured that posts into large rooms cost too much (lower) or badges do (higher): members with a count of their own.
    fanout_limit: Annotated[int, Meta(ge=1, le=100_000)] = 256
    # Whoever has receipts for messages older than the last 10,000 of a room: messages remembered per room.
    message_history: Annotated[int, Meta(ge=100, le=1_000_000)] = 10_000
    # Whoever needs exact times of receipts further back: moves of a member's cursor remembered per room.
    journal_moves: Annotated[int, Meta(ge=16, le=1_000_000)] = 1024
    # The same, or whoever may not keep them so long: days for which they are remembered.
    journal_days: Annotated[int, Meta(ge=1, le=36_500)] = 90
    # Change it when users are in more rooms. Backends may bring a user into so many, clients into half of them.
    user_room_limit: Annotated[int, Meta(ge=2, le=100_000)] = 2000
    # Change it when users' rooms carry more distinct tags. For backends; for clients half of it.
    user_tag_limit: Annotated[int, Meta(ge=2, le=100_000)] = 1000
    # Change it when clients label the rooms that they make with more tags.
    client_tag_limit: Annotated[int, Meta(ge=0, le=100)] = 10
    # Change it when clients name more people in one call: as members, invitees, or to be removed.
    client_people_limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    # Change it for a product whose rooms are public: every user may join a room by its id unless the room says otherwise.
    rooms_open: bool = False
    # Change it when users must agree before they are in a room: people whom a client invites become members by joining.
    invited_must_accept: bool = False
    # Change it when users need more: cost units in a second, on each worker; ten times as many at once. 0: any number.
    # A unit is what a badge costs.
    user_rate_limit: Annotated[int, Meta(ge=0, le=10_000_000)] = 100
    # The same for all users of an app together, where there are several apps.
    app_rate_limit: Annotated[int, Meta(ge=0, le=10_000_000)] = 10_000
    # The same for the backend of an app.
    backend_rate_limit: Annotated[int, Meta(ge=0, le=10_000_000)] = 0
    # The same for what comes from one address without valid credentials; 0 does not slow down wrong ones either.
    address_rate_limit: Annotated[int, Meta(ge=0, le=10_000_000)] = 100
    # Change it when more sockets come from one address, on each worker. 0: any number.
    address_socket_limit: Annotated[int, Meta(ge=0, le=1_000_000)] = 2000
    # Set it behind a proxy: its addresses or networks, comma-separated, whose X-Forwarded-For and -Proto are believed.
    trusted_proxies: Annotated[str, Meta(max_length=4096)] = ""
    # Change it to give the embedded Valkey more or less memory, in MiB. Unset: half of the machine's,
    # or of the container's.
    embedded_memory_mb: Annotated[int, Meta(ge=64, le=16_777_216)] | None = None
    # Whoever wants users to log in more or less often: days until a token ends.
    token_life_days: Annotated[int, Meta(ge=1, le=3650)] = 7
    # Whoever has clients (the Flutter SDK) that take the badge in the answer to "last read" for the room's own.
    lastread_badge_scope: Literal["total", "room"] = "total"
    # Whoever has proxies that close silent connections sooner.
    socket_ping_interval_s: Seconds = 25
    # Whoever has clients on very slow networks.
    socket_ping_timeout_s: Seconds = 20
    # Whoever serves browsers: origins that may call, comma-separated; `*` for any.
    cors_origins: str = "*"
    # Whoever looks for a fault.
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    # Whoever has Rocket.Chat clients that call too often: calls per user, route and minute; 0 for any number.
    rocketchat_rate_limit: Annotated[int, Meta(ge=0, le=1_000_000)] = 6000
    # Whoever speaks the Tencent dialect: the numeric SDKAppID of the app.
    tencent_sdkappid: Annotated[int, Meta(ge=1, lt=2**53)] | None = None
    # The same: the key that signs UserSig.
    tencent_key: Secret | None = None
    # Set it to replace that key without a refused call: a UserSig made with it is accepted.
    tencent_old_key: Secret | None = None
    # The same as the key: the account that may call the server API; several comma-separated.
    tencent_admin: Annotated[str, Meta(min_length=1, max_length=1024)] = "administrator"
    # Whoever calls that more often: calls of one command in a second; 0 for any number.
    tencent_rate_limit: Annotated[int, Meta(ge=0, le=1_000_000)] = 200
    # The same: the token that incoming callbacks are checked with.
    tencent_token: Token | None = None
    # Set it to replace that token without a refused callback: one signed with it is accepted.
    tencent_old_token: Token | None = None
    # Whoever wants to be told of changes: where webhooks are sent.
    webhook_url: str | None = None
    # The same: signs the webhooks.
    webhook_token: Token | None = None
    # Whoever receives webhooks inside a private network, and knows that the service then reaches into it.
    webhook_allow_private: bool = False
    # Whoever replaces the token: the one before, which signs as well until the receiver has learned the new one.
    webhook_old_token: Token | None = None
    # Whoever wants everything told in one form, or in both: auto tells in Tencent's form what Tencent knows.
    webhook_form: Literal["auto", "standard", "tencent", "both"] = "auto"
    # Whoever wants failing webhooks to become dead letters sooner or later; 0: after a single attempt.
    webhook_retry_hours: Annotated[float, Meta(ge=0, le=168)] = 24
    # Whoever has a receiver that asks for a client certificate: PEM files.
    webhook_client_cert: Annotated[str, Meta(min_length=1)] | None = None
    # The same: its key, unless the certificate's file holds it.
    webhook_client_key: Annotated[str, Meta(min_length=1)] | None = None

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Self:
        """Read the READSTATE_ variables; an empty one counts as unset.

        Raises SettingsError for an unknown name (with the nearest known one), for a value out of bounds, and for a setting
        that does nothing without another one.
        """
        given = {name: value for name, value in environ.items() if name.upper().startswith(PREFIX)}
        for name in sorted(given):
            _check_known(name)
        fields = {name.removeprefix(PREFIX).lower(): value for name, value in given.items() if value}
        settings = cls(**{name: _convert(name, _plain(name, value)) for name, value in fields.items()})
        _check_url("redis_url", settings.redis_url, ("redis", "rediss", "unix"))
        _check_url("webhook_url", settings.webhook_url, ("http", "https"))
        _check_together(settings)
        _check_webhook(settings)
        _check_origins(settings.cors_origins)
        _check_proxies(settings.proxies())
        return settings

    def resolve(self) -> Self:
        """The same settings with an absolute data directory and with every secret set.

        Creates the data directory (mode 0700) and a file per secret (mode 0600) where they are missing; what is there is kept.
        A deployment that gives every secret and a server of its own needs no data directory and gets none.
        Raises SettingsError when others may read the directory or a secret, when two secrets are the same, or when these or the client
        certificate cannot be used.
        """
        directory = Path(self.data_dir).absolute()
        if self.redis_url is None or self.open_secrets():
            private_directory(directory)
        made = {name: _kept_secret(directory, name) for name in self.open_secrets()}
        _check_client_certificate(self)
        resolved = msgspec.structs.replace(self, data_dir=str(directory), **made)
        _check_distinct(resolved)
        return resolved

    def looked_after(self) -> Self:
        """The same for a command that looks after a service: nothing is made, and a secret that is neither given nor kept stays "".

        Raises SettingsError as `resolve` does.
        """
        directory = Path(self.data_dir).absolute()
        kept = {name: _read_secret(directory, name) for name in self.open_secrets() if (directory / name).exists()}
        if kept:
            check_private_directory(directory)
        _check_client_certificate(self)
        resolved = msgspec.structs.replace(self, data_dir=str(directory), **kept)
        _check_distinct(resolved)
        return resolved

    def open_secrets(self) -> list[str]:
        """Names of the secrets that were not given, and so are made and kept."""
        return [name for name in _SECRET_BYTES if not getattr(self, name)]

    def proxies(self) -> list[str]:
        """The trusted proxies, each an address or a network."""
        return [proxy.strip() for proxy in self.trusted_proxies.split(",") if proxy.strip()]

    def bounds(self) -> Bounds:
        """What a RedisStore takes beside its connection; the same for workers, deliverers and audits, all of which may write."""
        return Bounds(
            fanout_limit=self.fanout_limit,
            message_history=self.message_history,
            journal_moves=self.journal_moves,
            journal_days=self.journal_days,
            user_room_limit=self.user_room_limit,
            user_tag_limit=self.user_tag_limit,
        )

    def environ(self) -> dict[str, str]:
        """These settings as READSTATE_ variables: what a worker is started with."""
        values = msgspec.structs.asdict(self)
        return {PREFIX + name.upper(): _text(value) for name, value in values.items() if value is not None}


# Random bytes of each secret that is made when unset.
_SECRET_BYTES = {"api_key": 32, "client_key": 24, "token_secret": 48}

# Every two must differ: who knows the one would know the other, and what ends with the one would go on with the other.
_KEYS = (
    *("api_key", "old_api_key", "client_key", "old_client_key", "token_secret", "old_token_secret"),
    *("tencent_key", "tencent_old_key", "tencent_token", "tencent_old_token", "webhook_token", "webhook_old_token"),
)
# But for these: _check_webhook refuses them where both sign in Tencent's form.
_MAY_BE_EQUAL = [
    {one, other} for one in ("tencent_token", "tencent_old_token") for other in ("webhook_token", "webhook_old_token")
]

# What each needs to have any effect, and the words between the two.
_NEEDS = {
    "tencent_key": ("tencent_sdkappid", "is the key of the app that is named by"),
    "tencent_old_key": ("tencent_key", "is accepted beside"),
    "tencent_old_token": ("tencent_token", "is accepted beside"),
    "webhook_old_token": ("webhook_token", "signs beside"),
    "webhook_token": ("webhook_url", "signs what is sent to"),
    "webhook_client_cert": ("webhook_url", "is shown to the receiver at"),
    "webhook_client_key": ("webhook_client_cert", "is the key of the certificate in"),
}

# Scheme, host and port, where the port is not the scheme's own. Apps have schemes of their own (capacitor://localhost).
_ORIGIN = re.compile(
    r"(?!http://[^/]*:80$|https://[^/]*:443$)[a-z][a-z0-9+.-]*://([a-z0-9_.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?"
)

_BOOLEANS = {"yes": "true", "on": "true", "no": "false", "off": "false"}

_TYPES: dict[str, Any] = get_type_hints(Settings, include_extras=True)


def private_directory(directory: Path) -> Path:
    """Create `directory` (mode 0700) if needed; one of ours that is still empty, as `mkdir` makes it, is closed to others.

    Raises SettingsError unless it is a directory of ours that no other user may use or replace.
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if _is_ours_and_new(directory):
            directory.chmod(0o700)
    except OSError as error:
        raise _unusable(directory, error) from None
    return check_private_directory(directory)


def check_private_directory(directory: Path) -> Path:
    """`directory`, which must be there, changed in nothing. Raises SettingsError as `private_directory` does."""
    try:
        status = directory.stat()
    except OSError as error:
        raise _unusable(directory, error) from None
    _check_private(directory, status, "700")
    for parent in directory.resolve().parents:
        _check_not_replaceable(directory, parent)
    if not os.access(directory, os.W_OK | os.X_OK):
        raise SettingsError(
            f"READSTATE_DATA_DIR: {directory} cannot be written; run `chmod 700 {directory}` or name another directory"
        )
    return directory


def _unusable(directory: Path, error: OSError) -> SettingsError:
    full = error.errno == ENOSPC
    remedy = "free some space there, or name another directory" if full else "name a directory that you may write"
    return SettingsError(f"READSTATE_DATA_DIR: {directory} cannot be used ({error.strerror}); {remedy}")


def _is_ours_and_new(directory: Path) -> bool:
    """Whether no other user can have put anything into it so far: it is ours, others may at most read it, and it is empty."""
    status = directory.stat()
    return status.st_uid == os.geteuid() and not stat.S_IMODE(status.st_mode) & 0o022 and not any(directory.iterdir())


def _check_private(path: Path, status: os.stat_result, mode: str) -> None:
    if status.st_uid != os.geteuid():
        # Only root may give it away.
        remedy = f"run `chown 0 {path}`, or name" if os.geteuid() == 0 else "name"
        raise SettingsError(
            f"{path} belongs to another user ({_name_of(status.st_uid)}), who could change it; "
            f"{remedy} a directory of your own in READSTATE_DATA_DIR"
        )
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise SettingsError(f"{path} is open to other users of this machine; run `chmod {mode} {path}`")


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _check_not_replaceable(directory: Path, parent: Path) -> None:
    """Who may write a directory may put other things in the place of those in it.

    The sticky bit, as on /tmp, forbids that.
    """
    mode = stat.S_IMODE(parent.stat().st_mode)
    if mode & 0o002 and not mode & stat.S_ISVTX:
        raise SettingsError(
            f"every user of this machine may write {parent}, and so may replace {directory}; run `chmod o-w {parent}` or name another "
            "READSTATE_DATA_DIR"
        )


def _kept_secret(directory: Path, name: str) -> str:
    """The secret in the file `name`, made when there is none. Whoever links the file first decides for all that start together."""
    path = directory / name
    if not path.exists():
        fresh = directory / f".{name}.{secrets.token_hex(8)}"
        try:
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
                file.write(secrets.token_urlsafe(_SECRET_BYTES[name]) + "\n")
                file.flush()
                os.fsync(file.fileno())
            os.link(fresh, path)
        except FileExistsError:
            pass
        except OSError as error:
            raise _unusable(directory, error) from None
        finally:
            fresh.unlink(missing_ok=True)
    return _read_secret(directory, name)


def _read_secret(directory: Path, name: str) -> str:
    path = directory / name
    _check_private(path, path.stat(), "600")
    value = path.read_text(encoding="ascii", errors="replace").strip()
    return str(_convert(name, value, source=f"the secret in {path}"))


def _check_known(variable: str) -> None:
    """`variable` is named as it was set; its capitals count."""
    name = variable[len(PREFIX) :].lower()
    if variable == variable.upper() and name in _TYPES:
        return
    nearest = difflib.get_close_matches(name, _TYPES, n=1)
    hint = f"the nearest known one is {PREFIX}{nearest[0].upper()}" if nearest else "the README lists all of them"
    raise SettingsError(f"{variable} is not a setting; {hint}")


def _plain(name: str, value: str) -> str:
    """The one spelling of a value that may be spelled in several ways. Secrets and paths stand as they are."""
    if name.endswith("_url"):
        scheme, mark, rest = value.partition("://")
        return scheme.lower() + mark + rest
    wanted = _TYPES[name]
    choices = get_args(wanted) if get_origin(wanted) is Literal else ()
    if wanted is bool or choices:
        value = value.strip().lower()
    if wanted is bool:
        return _BOOLEANS.get(value, value)
    return value


def _convert(name: str, value: str, source: str = "") -> Any:
    variable = source or PREFIX + name.upper()
    try:
        return msgspec.convert(value, _TYPES[name], strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{variable} cannot be used: it must be {_wanted(name, str(error))}") from None


def _wanted(name: str, error: str) -> str:
    """What msgspec expected, in the words of somebody who sets a variable."""
    choices = get_args(_TYPES[name])
    if "invalid enum value" in error.lower():
        return "one of " + ", ".join(choices)
    if "regex" in error:
        return "printable ASCII without spaces"
    wanted = error.removeprefix("Expected ").partition(", got")[0].replace(" | null", "")
    for type_name, words in {
        "`int`": "a whole number",
        "`float`": "a number",
        "`str`": "text",
        "`bool`": "true or false",
    }.items():
        wanted = wanted.replace(type_name, words)
    return wanted.replace("<=", "of at most").replace(">=", "of at least").replace("length of", "length")


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


def _check_proxies(proxies: Iterable[str]) -> None:
    for proxy in proxies:
        try:
            ip_network(proxy)
        except ValueError as error:
            raise SettingsError(
                f"READSTATE_TRUSTED_PROXIES cannot be used: {error}; give addresses or networks, such as 10.0.0.7,10.1.0.0/16"
            ) from None


def _check_webhook(settings: Settings) -> None:
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
            "READSTATE_WEBHOOK_URL needs READSTATE_WEBHOOK_TOKEN, the secret that signs webhooks: `openssl rand -hex 32` makes one"
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
            "READSTATE_WEBHOOK_TOKEN and READSTATE_TENCENT_TOKEN must differ: who sees a webhook could send callbacks; change one of them"
        )


def _check_client_certificate(settings: Settings) -> None:
    if settings.webhook_client_cert is not None:
        try:
            client_tls(settings.webhook_client_cert, settings.webhook_client_key)
        except ValueError as error:
            raise SettingsError(f"READSTATE_WEBHOOK_CLIENT_CERT: {error}") from None


def _check_together(settings: Settings) -> None:
    """Refuse what does nothing without another setting: an operator who sets it expects something of it."""
    for name, (other, why) in _NEEDS.items():
        if getattr(settings, name) is not None and getattr(settings, other) is None:
            raise SettingsError(f"{PREFIX}{name.upper()} {why} {PREFIX}{other.upper()}; set that as well, or neither")
    told_in_tencents_form = settings.webhook_url is not None and settings.webhook_form != "standard"
    used = settings.tencent_key is not None or settings.tencent_token is not None or told_in_tencents_form
    if settings.tencent_sdkappid is not None and not used:
        raise SettingsError(
            "READSTATE_TENCENT_SDKAPPID needs READSTATE_TENCENT_KEY, the key of that app, for calls under /v4; set that as well, or neither"
        )
    if settings.embedded_memory_mb is not None and settings.redis_url is not None:
        raise SettingsError(
            "READSTATE_EMBEDDED_MEMORY_MB is for the embedded Valkey, and READSTATE_REDIS_URL names another server; unset one of them"
        )


def _check_origins(origins: str) -> None:
    for origin in filter(None, map(str.strip, origins.split(","))):
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            raise SettingsError(
                f"READSTATE_CORS_ORIGINS cannot be used: {origin!r} is no origin; give `*` or origins as browsers send them, "
                "in small letters and without a path, such as https://chat.example.org,http://localhost:3000"
            )


def _check_distinct(settings: Settings) -> None:
    for one, other in itertools.combinations(_KEYS, 2):
        value = getattr(settings, one)
        if value and value == getattr(settings, other) and {one, other} not in _MAY_BE_EQUAL:
            hint = (
                "unset the old one, or give the new one a value of its own"
                if "old_" in one + other
                else "give each its own"
            )
            raise SettingsError(
                f"{PREFIX}{one.upper()} and {PREFIX}{other.upper()} are the same; {hint}: `openssl rand -hex 32` makes one"
            )


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
