"""Which requests the fast path takes, and what it reads off a handler."""

from typing import Annotated, Any

import pytest
from litestar import get, post
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Struct

from readstate.dialects.access import costs
from readstate.dialects.http.body import BadBody
from readstate.dialects.http.handler_call import HandlerCall
from readstate.dialects.http.reply import Reply
from readstate.dialects.imkit.fast_path import FastRoutes
from readstate.dialects.imkit.messages import send
from readstate.dialects.imkit.operation import Access, Call, operation
from readstate.dialects.imkit.reading import FAST_ROUTES, badge, badges_by_tags, mark_read, mark_read_many


class Muted(Struct):
    """A result."""

    muted: bool


class Mute(Struct):
    """A body."""

    until_ms: int


@operation("PUT /rooms/{room:str}/mute", Access.CLIENT, Muted)
async def mute(request: Call, room: FromPath[str], data: JSONBody[Mute]) -> Reply:
    """A second hot PUT with an id."""
    raise NotImplementedError  # only its route is read


@operation("PUT /users/{user:str}", Access.CLIENT, Muted)
async def rename(request: Call, user: FromPath[str], data: JSONBody[Mute]) -> Reply:
    """One whose path ends with the id."""
    raise NotImplementedError  # only its route is read


def found(routes: FastRoutes, method: str, path: str, query: bytes = b"") -> tuple[str, str] | None:
    """The name of the call, and the id in the path."""
    scope: Any = {
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "headers": [(b"accept", b"*/*")],
    }
    match = routes.find(scope)
    return match and (match[0].operation.name, match[1])


def test_calls_of_one_method_with_an_id_stand_side_by_side() -> None:
    """Each is found by its own path; adding one takes none of the others off the fast path."""
    routes = FastRoutes(mark_read, mute, rename, mark_read_many)
    assert found(routes, "PUT", "/rooms/r/lastRead") == ("mark_read", "r")
    assert found(routes, "PUT", "/rooms/r/mute") == ("mute", "r")
    assert found(routes, "PUT", "/users/al") == ("rename", "al")
    assert found(routes, "PUT", "/me/lastReads") == ("mark_read_many", "")


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("PUT", "/rooms//lastRead", b""),
        ("PUT", "/rooms/lastRead", b""),
        ("PUT", "/rooms/a/b/lastRead", b""),
        ("PUT", "/rooms/r/lastRead/", b""),
        ("PUT", "/rooms/%41/lastRead", b""),
        ("PUT", "/rooms/r\x00/lastRead", b""),
        ("POST", "/rooms/r/lastRead", b""),
        ("GET", "/me/badge/", b""),
        ("GET", "/me/badge", b"roomTags=%41"),
        ("GET", "/me/badge", b"roomTags=a+b"),
        ("GET", "/me/badge", b"&" * 128),
        ("PUT", "/me/badge", b""),
    ],
)
def test_what_is_unusual_is_left_to_the_framework(method: str, path: str, query: bytes) -> None:
    assert found(FAST_ROUTES, method, path, query) is None


def test_what_is_called_is_read_off_the_handler() -> None:
    """Method, path, parameters and body stand nowhere else."""
    calls = [HandlerCall.of(handler) for handler in (mark_read, badge, badges_by_tags, send)]
    assert [(one.method, one.prefix, one.id_parameter, one.suffix) for one in calls] == [
        ("PUT", "/rooms/", "room", "/lastRead"),
        ("GET", "/me/badge", "", ""),
        ("POST", "/badges/byRoomTags", "", ""),
        ("POST", "/rooms/", "room", "/message"),
    ]
    assert [dict(one.query) for one in calls] == [
        {},
        {"roomTags": "room_tags", "roomTags[]": "room_tags_array"},
        {},
        {},
    ]
    assert [(one.decoder is not None, one.body_optional, one.takes_body_bytes) for one in calls] == [
        (True, False, False),
        (False, False, False),
        (True, True, False),
        (True, False, True),
    ]


def test_a_body_becomes_the_arguments_that_the_handler_takes() -> None:
    of_body: dict[str, Any] = {}
    HandlerCall.of(send).add_body(of_body, b'{"message": "hello"}')
    assert of_body.keys() == {"data", "body"}
    assert of_body["body"] == b'{"message": "hello"}'
    optional: dict[str, Any] = {}
    HandlerCall.of(badges_by_tags).add_body(optional, b"")
    assert optional == {"data": None}
    with pytest.raises(BadBody, match="A JSON body is required"):
        HandlerCall.of(mute).add_body({}, b"")
    with pytest.raises(BadBody, match="Expected `int`"):
        HandlerCall.of(mute).add_body({}, b'{"until_ms": "1"}')


def test_what_cannot_be_called_so_is_refused_at_the_start() -> None:
    """An argument that only the framework could make, or two ids."""

    @get("/rooms/{room:str}/messages/{message:str}")
    async def with_two_ids(room: FromPath[str], message: FromPath[str]) -> None:
        """Two ids."""

    @post("/rooms")
    async def with_a_header(headers: dict[str, str], tags: Annotated[list[str], QueryParameter(name="t")]) -> None:
        """Headers."""

    for handler in (with_two_ids, with_a_header):
        with pytest.raises(ValueError, match="cannot be called outside the framework"):
            HandlerCall.of(handler)


def test_an_expensive_call_is_refused_at_the_start() -> None:
    @operation("GET /rooms", Access.CLIENT, Muted, cost=costs.EXPENSIVE)
    async def dear(request: Call) -> Reply:
        """Expensive."""
        raise NotImplementedError  # only its route is read

    with pytest.raises(ValueError, match="expensive"):
        FastRoutes(dear)
