"""POST /messages/batch: many messages in one call (docs.imkit.io, Batch Send Messages).

IMKit's form has the message once, and in `paras` to whom it goes. Ours is `messages`, each with everything of its own. Both take both:
what stands beside the list goes for all that do not say otherwise.
"""

import asyncio
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import msgspec
from litestar import post
from litestar.params import JSONBody, RawBody
from msgspec import Raw, Struct

from service.domain.limits import MAX_BATCH_BODY_BYTES, MAX_BODY_BYTES, new_id
from service.errors import Invalid, ReadStateError
from service.wire import costs
from service.wire.body import BadBody, decode
from service.wire.desk import Desk
from service.wire.imkit.body import free_fields
from service.wire.imkit.call import Call, Caller, Who
from service.wire.imkit.documented import documented
from service.wire.imkit.errors import INVALID_BODY, MISSING_PARAMETER, SERVICE_UNAVAILABLE, Refused, explain, explain_body
from service.wire.imkit.messages import AdminMessage, Batch, BatchPosted, BatchResult
from service.wire.imkit.one_to_one import room_of_two
from service.wire.imkit.posting import post_one
from service.wire.imkit.reply import Error, Failure, Ok, ok
from service.wire.reply import Reply, encode

Fields = dict[str, Raw]

_VARIABLE = re.compile(r"\$[^$]+\$")
_FILLED_IN = ("message", "extra")  # where variables are


class _Target(Struct, frozen=True):
    room: str | None = None
    receiver: str | None = None
    sender: str | None = None


class _NoneTaken(Struct, frozen=True):
    """A refusal with what became of each."""

    RC: int
    RM: str
    error: Error
    result: BatchResult


_admin_message: Callable[[bytes], AdminMessage] = msgspec.json.Decoder(AdminMessage).decode
_target: Callable[[bytes], _Target] = msgspec.json.Decoder(_Target).decode
_fields: Callable[[bytes], Fields] = msgspec.json.Decoder(Fields).decode
_decode_anything = msgspec.json.Decoder().decode


@post(
    "/messages/batch",
    **documented(
        "post_batch",
        Who.BACKEND,
        BatchResult,
        statuses=(404,),
        max_body_bytes=MAX_BATCH_BODY_BYTES,
        cost=costs.POST,
    ),
)
async def post_batch(request: Call, body: RawBody, data: JSONBody[Batch]) -> Reply:
    """Post up to 500 messages. Each is answered on its own, in the order given; those of one room are posted in that order.

    When it fails on our side (503), those behind it in its room are not tried, so that repeating them all keeps the order. When none is
    taken the call is refused, with `results` beside the error.
    """
    items = _items(body, data)
    request.charge(costs.POST * (len(items) - 1))
    by_target: defaultdict[tuple[str | None, ...], list[int]] = defaultdict(list)
    for place, item in enumerate(items):
        by_target[_target_of(item)].append(place)
    results: list[Ok | Failure] = [SERVICE_UNAVAILABLE.envelope()] * len(items)

    async def post_in_order(places: list[int]) -> None:
        for place in places:
            result = results[place] = await _post_item(request.desk, request.auth, items[place])
            if isinstance(result, Failure) and result.RC >= 500:
                return

    await asyncio.gather(*(post_in_order(places) for places in by_target.values()))
    return _answer(results)


def _answer(results: Sequence[Ok | Failure]) -> Reply:
    failures = [result for result in results if isinstance(result, Failure)]
    answer = BatchResult(new_id(), len(results) - len(failures), list(results))
    if not failures or answer.count:
        return ok(answer)
    first = max(failures, key=lambda failure: failure.RC >= 500)
    same = all(failure.error.code == first.error.code for failure in failures)
    status, rm = (first.RC, first.RM) if same or first.RC >= 500 else (INVALID_BODY.status, INVALID_BODY.rm)
    code = first.error.code if status == first.RC else INVALID_BODY.code
    error = Error(code, f"None of the messages was taken; the first that was refused: {first.error.message}")
    headers = ((b"retry-after", b"1"),) if status >= 500 else ()
    return Reply(encode(_NoneTaken(status, rm, error, answer)), status, code, headers)


async def _post_item(desk: Desk, caller: Caller, item: bytes) -> Ok | Failure:
    """Post one message of a batch and say in an envelope what became of it."""
    try:
        item = await _addressed(desk, caller, _filled_in(item))
        if len(item) > MAX_BODY_BYTES:
            raise Invalid("message", f"a message must have at most {MAX_BODY_BYTES} bytes")
        data = decode(_admin_message, item)
        done = await post_one(desk, caller, data, item)
        return Ok(result=BatchPosted(done.message, done.message, data.room, done.sender or None, done.at_ms, done.created))
    except BadBody as error:
        problem, message = explain_body(error)
        return problem.envelope(message)
    except Refused as error:
        return error.problem.envelope(str(error))
    except ReadStateError as error:
        problem, message = explain(error)
        return problem.envelope(message)


# What an item is


def _items(body: bytes, data: Batch) -> list[bytes]:
    """The messages, each with what they share. Raises Refused, Invalid."""
    if data.messages is not None and data.paras is not None:
        raise Invalid("paras", "give messages or paras, and not both")
    given = data.messages if data.messages is not None else data.paras
    if given is None:
        raise Refused(MISSING_PARAMETER, "messages is required")
    shared = {name: value for name, value in decode(_fields, body).items() if name not in ("messages", "paras")}
    if data.messages is None:
        shared = {"sender": Raw(b"null"), **shared}
    if len(given) * sum(map(len, shared.values())) > MAX_BATCH_BODY_BYTES:
        raise Invalid(
            "message", f"what the messages share counts for each of them, {MAX_BATCH_BODY_BYTES} bytes in all: send fewer at once"
        )
    return [_with_shared(shared, bytes(item)) if shared else bytes(item) for item in given]


def _with_shared(shared: Fields, item: bytes) -> bytes:
    try:
        return encode(shared | decode(_fields, item))
    except BadBody:
        return item  # and is refused as what it is


def _target_of(item: bytes) -> tuple[str | None, ...]:
    """Which items of a batch wait for each other. Those that name nothing do not matter."""
    try:
        target = decode(_target, item)
    except BadBody:
        return ()
    return (target.room,) if target.room else (target.sender, target.receiver)


def _filled_in(item: bytes) -> bytes:
    """The message with its variables filled in. Raises BadBody, Invalid."""
    if b'"$' not in item:
        return item
    fields = free_fields(item, ())
    texts = {name: fields.pop(name) for name in [*fields] if _VARIABLE.fullmatch(name)}
    for name, text in texts.items():
        if not text.startswith(b'"'):
            raise Invalid(name, f"{name} must be a text")
    for name in _FILLED_IN:
        if texts and name in fields:
            fields[name] = _with_texts(fields[name], texts)
    return encode({name: Raw(value) for name, value in fields.items()})


def _with_texts(value: bytes, texts: Mapping[str, bytes]) -> bytes:
    """JSON in which each variable is the text that there is for it, which may name no further one. Raises Invalid."""
    json = _alike(value)
    named = {_alike(encode(name))[1:-1]: _alike(text)[1:-1] for name, text in texts.items()}
    if len(json) + sum(json.count(name) * len(text) for name, text in named.items()) > MAX_BODY_BYTES:
        raise Invalid("message", f"a message must have at most {MAX_BODY_BYTES} bytes")
    any_name = re.compile("|".join(map(re.escape, sorted(named, key=len, reverse=True))))
    return any_name.sub(lambda found: named[found[0]], json).encode()


def _alike(value: bytes) -> str:
    """The same JSON with its texts escaped as we do it."""
    return encode(decode(_decode_anything, value)).decode()


async def _addressed(desk: Desk, caller: Caller, item: bytes) -> bytes:
    """The message with its room, which may be said by its receiver. Raises BadBody, Refused and what the domain raises."""
    if b'"receiver"' not in item:
        return item
    target = decode(_target, item)
    if target.room or target.receiver is None:
        return item
    if not target.sender:
        raise Refused(MISSING_PARAMETER, "sender is required with receiver")
    room = await room_of_two(desk, caller.app, target.sender, target.receiver)
    return encode(decode(_fields, item) | {"room": room})
