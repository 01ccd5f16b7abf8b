"""Requests: every route of the routing table, with the fields that the OpenAPI document names,
right or changed in some way.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any, get_type_hints
from urllib.parse import quote, urlencode

import msgspec

from readstate.app import Service
from readstate.dialects.tencent.callbacks.commands import ACTIONS
from tests.security.fuzz.examples import Examples
from tests.security.fuzz.mutations import DIGITS, ODD_TEXTS, damaged, mutated, text_of
from tests.security.fuzz.world import API_KEY, CLIENT_KEY, World

JSON = b"application/json"
FORM = b"application/x-www-form-urlencoded"
BACKEND_CALLS_FOR_A_USER = 0.3  # of the calls that a user may make

_METHODS = (
    b"GET",
    b"POST",
    b"PUT",
    b"DELETE",
    b"PATCH",
    b"HEAD",
    b"OPTIONS",
    b"TRACE",
    b"CONNECT",
    b"get",
    b"G" * 300,
    b"\xff",
    b"",
)


@dataclass(frozen=True)
class Route:
    """One method of one path."""

    method: str
    path: str  # with {names}
    operation: str
    body: Any = None  # its JSON schema
    query: tuple[tuple[str, Any, bool], ...] = ()  # name, schema, required
    by_backend: bool = False  # alone

    @property
    def dialect(self) -> str:
        return next((name for name in ("v4", "tencent", "api") if self.path.startswith(f"/{name}/")), "imkit")


@dataclass
class Sent:
    """A request as it will be sent.

    `whole`: framed as HTTP demands, so it is answered and the connection goes on.
    """

    method: bytes
    target: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes | None = None
    chunked: bool = False
    raw: bytes | None = None  # instead of all this
    whole: bool = True
    user: str = ""  # whose token it carries
    mutations: list[str] = field(default_factory=list)

    def encoded(self) -> bytes:
        if self.raw is not None:
            return self.raw
        headers = [(b"Host", b"127.0.0.1"), *self.headers]
        body = self.body or b""
        if self.chunked:
            headers.append((b"Transfer-Encoding", b"chunked"))
            pieces = [body[i : i + 1_000] for i in range(0, len(body), 1_000)]
            body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        elif self.body is not None:
            headers.append((b"Content-Length", b"%d" % len(body)))
        lines = b"".join(b"%s: %s\r\n" % header for header in headers)
        return b"%s %s HTTP/1.1\r\n%s\r\n%s" % (self.method, self.target, lines, body)


def routes_of(service: Service) -> list[Route]:
    """The whole routing table, with what the document says about a route, if anything."""
    document = service.openapi()
    found = []
    for one in service._http.routes:
        path = one.path.replace(":str}", "}")
        handlers: list[Any] = getattr(one, "route_handlers", None) or [getattr(one, "route_handler", None)]
        for handler in handlers:
            for method in sorted(getattr(handler, "http_methods", ())):
                operation = document["paths"].get(path, {}).get("get" if method == "HEAD" else method.lower(), {})
                found.append(_route(method, path, handler, operation))
    # The framework's order is another one in each process, and a seed must give the same requests
    # in each.
    return sorted(found, key=lambda route: (route.path, route.method))


def _route(method: str, path: str, handler: Any, operation: dict[str, Any]) -> Route:
    content = operation.get("requestBody", {}).get("content", {})
    query = [one for one in operation.get("parameters", ()) if one["in"] == "query"]
    return Route(
        method,
        path,
        handler.opt["operation"].name if "operation" in handler.opt else f"{method} {path}",
        next((media["schema"] for media in content.values()), None),
        tuple((one["name"], one["schema"], one.get("required", False)) for one in query),
        operation.get("security") == [{"apiKey": []}],
    )


class Calls:
    """Makes requests for the routes of one service."""

    def __init__(self, service: Service) -> None:
        self.routes = routes_of(service)
        # OPTIONS and the like are many and shallow.
        self._weights = [
            1 if route.method in ("OPTIONS", "HEAD") or route.operation.startswith(route.method) else 8
            for route in self.routes
        ]
        self._examples = Examples(service.openapi()["components"]["schemas"])
        self._callbacks = dict(_callback_schemas())

    def make(self, world: World, rng: Random, operation: str = "") -> tuple[Route, Sent]:
        """One request.

        A third is right as it is, as far as the document says what is right; all are, if an
        `operation` is named.
        """
        (route,) = rng.choices(self.routes, self._weights)
        if operation:
            route = next(route for route in self.routes if route.operation == operation and route.method != "HEAD")
        command = rng.choice(sorted(ACTIONS)) if route.dialect == "tencent" else ""
        value = self._body(route, command, world, rng)
        query = self._query(route, world, rng)
        mutate = 0.0 if operation else rng.random()
        sent = Sent(route.method.encode(), b"", [])
        if value is not None and mutate > 0.35:
            for _ in range(rng.choice((1, 1, 1, 2, 4))):
                value = mutated(value, rng)
            sent.mutations.append("value")
        if mutate > 0.9 or (value is None and mutate > 0.35):
            query = _changed_query(query, rng)
            sent.mutations.append("query")
        _authorize(route, command, query, sent, world, rng)
        _write_body(value, sent, rng)
        sent.target = _path(route, world, rng, sent, odd=0.35 < mutate < 0.45) + (
            b"?" + _query_text(query, sent, rng) if query else b""
        )
        if mutate > 0.8:
            rng.choice(_CHANGES)(sent, rng)
        if len(sent.encoded()) > 300_000:
            sent.body = (sent.body or b"")[:200_000]
        return route, sent

    def _body(self, route: Route, command: str, world: World, rng: Random) -> Any:
        if command:
            schema, examples = self._callbacks[command]
            return {"CallbackCommand": command, **examples.of(schema, world, rng)}
        return _agreeing(self._examples.of(route.body, world, rng)) if route.body is not None else None

    def _query(self, route: Route, world: World, rng: Random) -> list[tuple[str, str]]:
        if route.dialect == "tencent":
            return []
        query = []
        for name, schema, required in route.query:
            if required or rng.random() < 0.4 or name == "messages":
                value = self._examples.of(schema, world, rng, name)
                query += [(name, str(one)) for one in (value if isinstance(value, list) else [value])]
        return query


def _agreeing(value: Any) -> Any:
    """The same for a call with two fields that must agree, which no schema says."""
    if isinstance(value, dict) and "C2CMsgInfo" in value:
        accounts = {"From_Account": value["Peer_Account"], "To_Account": value["Operator_Account"]}
        value["C2CMsgInfo"] = [{**one, **accounts} for one in value["C2CMsgInfo"]]
    return value


def _callback_schemas() -> Iterator[tuple[str, tuple[Any, Examples]]]:
    for name, action in ACTIONS.items():
        body = get_type_hints(action)["body"]
        (schema,), parts = msgspec.json.schema_components([body], ref_template="{name}")
        yield name, (schema, Examples(parts))


def _authorize(route: Route, command: str, query: list[tuple[str, str]], sent: Sent, world: World, rng: Random) -> None:
    """Credentials: mostly the ones for this route, otherwise another's or none."""
    dialect = route.dialect if rng.random() < 0.95 else rng.choice(("imkit", "api", "v4", "tencent", "none"))
    if dialect == "v4":
        query += world.usersig_query()
    elif dialect == "tencent":
        query += world.callback_query(command or "C2C.CallbackAfterSendMsg")
    elif dialect == "api":
        sent.user = world.executor(rng)
        sent.headers += [(b"X-Auth-Token", world.tokens[sent.user].encode()), (b"X-User-Id", sent.user.encode())]
    elif dialect == "imkit":
        as_backend = rng.random() < (0.97 if route.by_backend else BACKEND_CALLS_FOR_A_USER)
        if as_backend:
            sent.headers.append((b"IM-API-KEY", API_KEY.encode()))
            if not route.by_backend and rng.random() < 0.8:
                sent.headers.append((b"IM-CLIENT-ID", quote(world.user(rng), safe="").encode()))
        else:
            sent.user = world.executor(rng)
            sent.headers += [
                (b"IM-CLIENT-KEY", CLIENT_KEY.encode()),
                (b"IM-Authorization", world.tokens[sent.user].encode()),
            ]


def _write_body(value: Any, sent: Sent, rng: Random) -> None:
    if value is None:
        return
    sent.body = text_of(value).encode("utf-8", "surrogatepass")
    kind = JSON
    if isinstance(value, dict) and sent.headers and sent.headers[0][0] == b"X-Auth-Token" and rng.random() < 0.2:
        kind, sent.body = (
            FORM,
            urlencode({name: str(one) for name, one in value.items()}, errors="surrogatepass").encode(),
        )
    sent.headers.append((b"Content-Type", kind))
    if sent.mutations and rng.random() < 0.15:
        sent.body = damaged(sent.body, rng)
    sent.chunked = rng.random() < 0.1


def _path(route: Route, world: World, rng: Random, sent: Sent, *, odd: bool) -> bytes:
    path = route.path
    for name, value in (
        ("{room}", world.room(rng)),
        ("{message}", world.message(rng)),
        ("{user}", world.user(rng)),
        ("{path}", "x"),
    ):
        if odd and name in path and rng.random() < 0.8:
            value = rng.choice(ODD_TEXTS)[:20_000]
            sent.mutations.append("id")
        path = path.replace(name, quote(value, safe="", errors="surrogatepass"))
    text = path.encode()
    if odd and rng.random() < 0.3:
        place = rng.randrange(1, len(text) + 1)
        piece = rng.choice(
            (
                b"%00",
                b"%ff",
                b"%2f",
                b"%1f",
                b"//",
                b"/..",
                b"%",
                b"%zz",
                b"/",
                b";a=b",
                b"%c0%af",
                b"x" * 9_000,
                b"%2f" * 3_000,
            )
        )
        text = text[:place] + piece + text[place:]
        sent.mutations.append("path")
    return text


def _changed_query(query: list[tuple[str, str]], rng: Random) -> list[tuple[str, str]]:
    odd = rng.choice(ODD_TEXTS)
    if not query or rng.random() < 0.2:
        name = rng.choice(("roomTags", "roomTags[]", "q", "j", "x", "sid", "limit"))
        return [*query, *[(name, odd)] * (1 if len(odd) > 50 else rng.choice((1, 2, 200)))]
    place = rng.randrange(len(query))
    name = query[place][0]
    changes = (
        [*query, query[place]],
        query[:place] + query[place + 1 :],
        [*query[:place], (name, odd), *query[place + 1 :]],
        [*query[:place], (name, DIGITS), *query[place + 1 :]],
        [*query[:place], (name + "[]", query[place][1]), *query[place + 1 :]],
        [*query[:place], (name + "[a][b]", query[place][1]), *query[place + 1 :]],
    )
    return rng.choice(changes)


def _query_text(query: list[tuple[str, str]], sent: Sent, rng: Random) -> bytes:
    text = urlencode(query, errors="surrogatepass").encode()
    if "query" in sent.mutations and rng.random() < 0.3:
        piece = rng.choice(
            (b"&" * 500, b"%zz", b"%ff", b"\xc3\xa9", b"%00", b"=&=", b"&%41=%42" * 2_000, b"+", b"?", b"#x")
        )
        text = rng.choice((text + piece, piece + text))
    return text[:60_000]


# What else may be wrong with a request


def _method(sent: Sent, rng: Random) -> None:
    sent.method = rng.choice(_METHODS)
    sent.mutations.append("method")
    sent.whole = sent.method.isalpha() and sent.method.isupper() and sent.method != b"CONNECT" and len(sent.method) < 10


def _headers(sent: Sent, rng: Random) -> None:
    """Headers that come twice, are too long, too many or oddly spelt."""
    sent.mutations.append("headers")
    names = [name for name, _ in sent.headers] or [b"IM-API-KEY"]
    name = rng.choice(names)
    more: list[tuple[bytes, bytes]] = rng.choice(
        (
            [(name, b"other")],
            [(name, b"")],
            [(name, b"\xff\xfe\x80")],
            [(name, "é€".encode())],
            [(name, b"%00%ff%")],
            [(name, b"a" * 70_000)],
            [(b"IM-CLIENT-ID", quote(rng.choice(ODD_TEXTS)[:9_000], errors="replace").encode())],
            [(b"IM-API-KEY", API_KEY.encode()), (b"Authorization", b"Bearer x.y.z")],
            [(b"Authorization", b"Bearer " + b"eyJhbGciOiJub25lIn0.eyJpZCI6InUwLTAifQ.")],
            [(b"CLIENT_KEY", CLIENT_KEY.encode()), (b"API_KEY", b"\xe9")],
            [
                (
                    b"Content-Type",
                    rng.choice(
                        (b"text/plain", FORM, b"multipart/form-data", b"application/json; charset=utf-16", b"x" * 900)
                    ),
                )
            ],
            [(b"Content-Encoding", b"gzip")],
            [(b"Expect", b"100-continue")],
            [(b"Origin", b"https://evil.example"), (b"Access-Control-Request-Method", b"PUT")],
            [
                (b"Connection", b"Upgrade, HTTP2-Settings"),
                (b"Upgrade", b"h2c"),
                (b"HTTP2-Settings", b"AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA"),
            ],
            [
                (b"Connection", b"Upgrade"),
                (b"Upgrade", b"websocket"),
                (b"Sec-WebSocket-Version", b"13"),
                (b"Sec-WebSocket-Key", b"eHg="),
            ],
            [(b"X-Forwarded-For", b"1.2.3.4, ::1, x" * 50), (b"Forwarded", b"for=_")],
            [(b"Cookie", b"a=" + b"b" * 5_000)],
            [(b"X-%d" % k, b"x") for k in range(rng.choice((20, 127, 200, 2_000)))],
            [(b"Range", b"bytes=0-0,-1"), (b"If-None-Match", b"*"), (b"Accept", b"text/html")],
        )
    )
    if any(header[0] in (b"Expect", b"Upgrade") for header in more):
        sent.whole = False
    if rng.random() < 0.3:
        sent.headers = [header for header in sent.headers if header[0] != name]
    sent.headers += more


def _framing(sent: Sent, rng: Random) -> None:
    """Wrong lengths, bad chunks, bytes that are not HTTP."""
    sent.mutations.append("framing")
    body = sent.body or b"{}"
    right = sent.encoded()
    head = (
        right.partition(b"\r\n\r\n")[0]
        .replace(b"\r\nContent-Length: %d" % len(body), b"")
        .replace(b"\r\nTransfer-Encoding: chunked", b"")
    )
    length = rng.choice(
        (b"%d" % (len(body) + 5), b"%d" % max(0, len(body) - 3), b"-1", b"+2", b"0x2", b"2,2", b"9" * 30, b"", b"\xb2")
    )
    sent.raw = rng.choice(
        (
            head + b"\r\nContent-Length: " + length + b"\r\n\r\n" + body,
            head + b"\r\nContent-Length: %d\r\nContent-Length: %d\r\n\r\n" % (len(body), len(body) + 1) + body,
            head + b"\r\nContent-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" % len(body) + body,
            head + b"\r\nTransfer-Encoding: chunked\r\n\r\n%x;a=b\r\n" % len(body) + body + b"\r\n0\r\nX: y\r\n\r\n",
            head
            + b"\r\nTransfer-Encoding: chunked\r\n\r\n"
            + rng.choice((b"zz\r\n", b"-1\r\n", b"f" * 20 + b"\r\n", b"1\n", b"5\r\nab"))
            + body,
            head
            + b"\r\nTransfer-Encoding: "
            + rng.choice((b"gzip", b"xchunked", b"chunked, identity", b"\0"))
            + b"\r\n\r\n"
            + body,
            right + right,
            right[: rng.randrange(len(right))],
            damaged(right, rng),
            right.replace(b"HTTP/1.1", rng.choice((b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/1.1 x", b"")), 1),
            right.replace(b"\r\n", b"\n"),
            rng.randbytes(rng.choice((1, 30, 500))) + b"\r\n\r\n",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + rng.randbytes(200),
            right.replace(sent.target, b"http://127.0.0.1" + sent.target, 1),
            right.replace(sent.target, b"*", 1),
        )
    )
    sent.whole = False


_CHANGES = (_method, _headers, _headers, _headers, _framing, _framing)
