"""What an operator may set. The variable of a field is its name in capitals after `READSTATE_`."""

from typing import Annotated, Any, Literal, get_type_hints

from msgspec import Meta, Struct

from readstate.urls import is_loopback

PREFIX = "READSTATE_"

VISIBLE = r"\A[\x21-\x7e]*\Z"
Token = Annotated[str, Meta(min_length=8, max_length=256, pattern=VISIBLE)]
Secret = Annotated[str, Meta(min_length=16, max_length=256, pattern=VISIBLE)]
SigningKey = Annotated[str, Meta(min_length=32, max_length=256, pattern=VISIBLE)]
Seconds = Annotated[int, Meta(ge=1, le=3600)]
RateLimit = Annotated[int, Meta(ge=0, le=10_000_000)]
CallLimit = Annotated[int, Meta(ge=0, le=1_000_000)]


# What the store keeps at most.
_BOUNDS = (
    *("fanout_limit", "attention_posts", "message_history", "journal_moves", "journal_days"),
    *("user_room_limit", "user_tag_limit"),
)


class Fields(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings, by topic. Each comment says what the setting is, and when to change it."""

    # The process

    # Listening address. 0.0.0.0 lets other machines in; the address of one interface, those on it.
    host: Annotated[str, Meta(min_length=1)] = "127.0.0.1"
    # Listening port; 0 takes any free one.
    port: Annotated[int, Meta(ge=0, le=65535)] = 8080
    # Port of /metrics, /healthz and /readyz, which are then not on the port above. Set it, if
    # callers are not to reach these.
    ops_port: Annotated[int, Meta(ge=1, le=65535)] | None = None
    # Address of that port. Unset: 127.0.0.1.
    ops_host: Annotated[str, Meta(min_length=1)] | None = None
    # Worker processes: about one for each core.
    workers: Annotated[int, Meta(ge=1, le=64)] = 1
    # Addresses or networks of the proxies in front, comma-separated: their X-Forwarded-For and
    # -Proto are believed.
    trusted_proxies: Annotated[str, Meta(max_length=4096)] = ""
    # Least level of the lines in the log. "debug" has a line for each request.
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    # The store

    # URL of a Redis or Valkey: redis://, rediss:// or unix://. Unset: an embedded one is started.
    redis_url: str | None = None
    # Directory of kept secrets and of the embedded server's files; private to one user.
    data_dir: Annotated[str, Meta(min_length=1)] = ".readstate"
    # Memory of the embedded server in MiB. Unset: half of the machine's, or of the container's.
    embedded_memory_mb: Annotated[int, Meta(ge=64, le=16_777_216)] | None = None
    # Members up to which a room counts for each of them. Lower, if posts into large rooms cost too
    # much; higher, if badges do.
    fanout_limit: Annotated[int, Meta(ge=1, le=100_000)] = 256
    # Countable posts of which a member is told after they last paid attention to a room. Fewer, if
    # posts cost too much; more, if badges do.
    attention_posts: Annotated[int, Meta(ge=1, le=1_000_000_000)] = 4
    # What a change has survived before it is answered: nothing ("fast"), a power cut of its server
    # ("fsynced"), or the loss of its server ("replicated"). A call can ask for another in Prefer.
    durability: Literal["fast", "fsynced", "replicated"] = "fast"
    # Milliseconds that an answer waits for that. Then it says that it is not known.
    durability_within_ms: Annotated[int, Meta(ge=10, le=60_000)] = 2000
    # Messages remembered per room; receipts reach back as far.
    message_history: Annotated[int, Meta(ge=100, le=1_000_000)] = 10_000
    # Moves of a member's cursor remembered per room: how far back the times of receipts are exact.
    journal_moves: Annotated[int, Meta(ge=16, le=1_000_000)] = 1024
    # Days for which these moves are remembered. Fewer, if they may not be kept so long.
    journal_days: Annotated[int, Meta(ge=1, le=36_500)] = 90
    # Rooms of a user, as far as backends add them; clients may bring a user into half as many.
    user_room_limit: Annotated[int, Meta(ge=2, le=100_000)] = 2000
    # Distinct tags on a user's rooms, as far as backends set them; for clients half as many.
    user_tag_limit: Annotated[int, Meta(ge=2, le=100_000)] = 1000

    # Keys of backends, clients and users

    # The backend's secret: the IM-API-KEY of its calls. Unset: made and kept in the data directory.
    api_key: Secret = ""
    # Another API key that is accepted, while the key is replaced (docs/keys.md).
    old_api_key: Secret = ""
    # Name of the first app in its clients' calls: the IM-CLIENT-KEY. Unset: made and kept.
    client_key: Secret = ""
    # Another client key that is accepted, while the key is replaced.
    old_client_key: Secret = ""
    # Signing key of users' tokens, the same on all machines of a deployment. Unset: made and kept.
    token_secret: SigningKey = ""
    # Another signing key, while the secret is replaced: its tokens are accepted, and it signs none.
    old_token_secret: SigningKey = ""
    # Days until a token ends.
    token_life_days: Annotated[int, Meta(ge=1, le=3650)] = 7

    # What clients may do

    # Tags that a client may put on a room.
    client_tag_limit: Annotated[int, Meta(ge=0, le=100)] = 10
    # People that a client may name in one call: as members, invitees, or to be removed.
    client_people_limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    # Public rooms: every user may join a room by its id unless the room says otherwise.
    rooms_open: bool = False
    # Consent: people whom a client invites become members only by joining.
    invited_must_accept: bool = False
    # Scope of the badge in the answer to "last read". "room" is for clients (the Flutter SDK) that
    # take it for the room's own.
    lastread_badge_scope: Literal["total", "room"] = "total"

    # How much callers may ask

    # Cost units of one user in a second, on each worker; ten times as many at once. 0: any number.
    # A badge costs one unit.
    user_rate_limit: RateLimit = 100
    # The same for all users of an app together, where there are several apps.
    app_rate_limit: RateLimit = 10_000
    # The same for the backend of an app.
    backend_rate_limit: RateLimit = 0
    # The same for one address without valid credentials. 0 does not slow down guessing either.
    address_rate_limit: RateLimit = 100
    # Sockets of one address on each worker. 0: any number.
    address_socket_limit: CallLimit = 2000

    # Sockets and browsers

    # Seconds between two pings. Fewer, if a proxy closes silent connections sooner.
    socket_ping_interval_s: Seconds = 25
    # Seconds that a client may take to answer a ping. More, if networks are very slow.
    socket_ping_timeout_s: Seconds = 20
    # Origins that browsers may call from, comma-separated; `*` for any.
    cors_origins: str = "*"
    # The page /docs, on which the calls are described and tried. "auto": where the service listens
    # on a loopback address.
    docs: Literal["auto", "on", "off"] = "auto"

    # Rocket.Chat

    # Calls per user, route and minute. 0: any number.
    rocketchat_rate_limit: CallLimit = 6000

    # Tencent

    # Numeric SDKAppID of the app.
    tencent_sdkappid: Annotated[int, Meta(ge=1, lt=2**53)] | None = None
    # The key that signs UserSig.
    tencent_key: Secret | None = None
    # Another key whose UserSig is accepted, while the key is replaced.
    tencent_old_key: Secret | None = None
    # Accounts that may call the server API, comma-separated.
    tencent_admin: Annotated[str, Meta(min_length=1, max_length=1024)] = "administrator"
    # Calls of one command of the server API in a second. 0: any number.
    tencent_rate_limit: CallLimit = 200
    # The token that incoming callbacks are checked with.
    tencent_token: Token | None = None
    # Another token for callbacks that is accepted, while the token is replaced.
    tencent_old_token: Token | None = None

    # Webhooks

    # URL of the receiver, the backend's server for webhooks. Unset: no webhooks.
    webhook_url: str | None = None
    # The secret that signs webhooks.
    webhook_token: Token | None = None
    # The token before, which signs as well until the receiver knows the new one.
    webhook_old_token: Token | None = None
    # Private addresses and http:// for the receiver: the service reaches into a private network.
    webhook_allow_private: bool = False
    # Form, or forms, of an event. "auto": Tencent's for what Tencent knows, else the native one.
    webhook_form: Literal["auto", "standard", "tencent", "both"] = "auto"
    # Hours until a failing webhook becomes a dead letter. 0: after a single attempt.
    webhook_retry_hours: Annotated[float, Meta(ge=0, le=168)] = 24
    # PEM file of a certificate to show to the receiver.
    webhook_client_cert: Annotated[str, Meta(min_length=1)] | None = None
    # PEM file of its key. Unset: the certificate's file holds the key.
    webhook_client_key: Annotated[str, Meta(min_length=1)] | None = None

    def ops_address(self) -> tuple[str, int] | None:
        """Where /metrics, /healthz and /readyz are, if not where callers are answered."""
        return None if self.ops_port is None else (self.ops_host or "127.0.0.1", self.ops_port)

    def shows_docs(self) -> bool:
        """Whether there is a page /docs."""
        return self.docs == "on" or (self.docs == "auto" and is_loopback(self.host))

    def proxies(self) -> list[str]:
        """The trusted proxies, each an address or a network."""
        return [proxy.strip() for proxy in self.trusted_proxies.split(",") if proxy.strip()]

    def bounds(self) -> dict[str, Any]:
        """What a RedisStore takes beside its connection.

        It is the same for workers, deliverers and audits, all of which may write.
        """
        return {name: getattr(self, name) for name in _BOUNDS}


TYPES: dict[str, Any] = get_type_hints(Fields, include_extras=True)
