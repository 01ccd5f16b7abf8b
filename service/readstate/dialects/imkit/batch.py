"""POST /messages/batch: many messages in one call (docs.imkit.io, Batch Send Messages).

IMKit's form has the message once, and its receivers in `paras`. Our own form is `messages`, each
with all of its fields. In both forms a field beside the list applies to every message that does not
have it itself.
"""

import asyncio
import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import msgspec
from litestar.params import JSONBody, RawBody
from msgspec import Raw, Struct

from readstate.dialects.access import costs
from readstate.dialects.access.rooms import find_room
from readstate.dialects.base import ProblemError
from readstate.dialects.http.body import BadBody, anything, decode, raw_fields
from readstate.dialects.http.reply import Reply, encode, retry_after
from readstate.dialects.imkit import errors
from readstate.dialects.imkit.body import free_fields
from readstate.dialects.imkit.operation import Access, Call, operation
from readstate.dialects.imkit.posting import FindRoom, post_one
from readstate.dialects.imkit.reply import Error, Failure, Ok, ok
from readstate.dialects.imkit.schemas.messages import AdminMessage, Batch, BatchPosted, BatchResult
from readstate.domain.direct import DIRECT_TAGS, direct_room
from readstate.domain.limits import MAX_BATCH_BODY_BYTES, MAX_BODY_BYTES, check_id, check_members, new_id
from readstate.errors import Invalid, ReadStateError, UserUnknown

Fields = dict[str, Raw]

ROOMS_AT_ONCE = 20  # posted to before other callers have a turn

_VARIABLE = re.compile(r"\$[^$]+\$")
_FILLED_IN = ("message", "extra")  # the fields with variables


class _Target(Struct, frozen=True):
    room: str | None = None
    receiver: str | None = None
    sender: str | None = None

    @property
    def two(self) -> tuple[str, str] | None:
        """The two whose room is meant, if they stand for it."""
        return (self.sender, self.receiver) if self.sender and self.receiver is not None and not self.room else None


class _NonePosted(Failure, frozen=True, kw_only=True):
    """A refusal of all messages, with the result of each."""

    result: BatchResult


_admin_message: Callable[[bytes], AdminMessage] = msgspec.json.Decoder(AdminMessage).decode
_target: Callable[[bytes], _Target] = msgspec.json.Decoder(_Target).decode


@operation(
    "POST /messages/batch",
    Access.BACKEND,
    BatchResult,
    statuses=(404,),
    max_body_bytes=MAX_BATCH_BODY_BYTES,
    cost=costs.POST,
)
async def post_batch(request: Call, body: RawBody, data: JSONBody[Batch]) -> Reply:
    """Post up to 500 messages.

    Each is answered on its own, in the order given; those of one room are posted in that order.

    When it fails on our side (503), those behind it in its room are not tried, so that repeating
    them all keeps the order. When none is taken the call is refused, with `results` beside the
    error.
    """
    items = _items(body, data)
    request.charge(costs.POST * (len(items) - 1))
    results: list[Ok | Failure] = [errors.SERVICE_UNAVAILABLE.envelope()] * len(items)
    rooms = iter(_by_room(items))

    async def post_room_after_room() -> None:
        for indexes in rooms:
            for index in indexes:
                result = results[index] = await _post_item(request, items[index])
                if isinstance(result, Failure) and result.RC >= 500:
                    break

    await asyncio.gather(*(post_room_after_room() for _ in range(ROOMS_AT_ONCE)))
    return _answer(results)


def _answer(results: Sequence[Ok | Failure]) -> Reply:
    failures = [result for result in results if isinstance(result, Failure)]
    answer = BatchResult(new_id(), len(results) - len(failures), list(results))
    if not failures or answer.count:
        return ok(answer)
    first = max(failures, key=lambda failure: failure.RC >= 500)
    same = all(failure.error.code == first.error.code for failure in failures)
    status, rm = (
        (first.RC, first.RM) if same or first.RC >= 500 else (errors.INVALID_BODY.status, errors.INVALID_BODY.rm)
    )
    code = first.error.code if status == first.RC else errors.INVALID_BODY.code
    error = Error(code, f"None of the messages was taken; the first that was refused: {first.error.message}")
    headers = retry_after(1) if status >= 500 else ()
    return Reply(encode(_NonePosted(status, rm, error, result=answer)), status, code, headers)


async def _post_item(call: Call, item: bytes) -> Ok | Failure:
    """Post one message of a batch. Returns its result as an envelope."""
    try:
        item, find_room = _addressed(call, _filled_in(item))
        if len(item) > MAX_BODY_BYTES:
            raise Invalid("message", f"a message must have at most {MAX_BODY_BYTES} bytes")
        done = await post_one(call, decode(_admin_message, item), item, find_room)
        return Ok(result=BatchPosted(done.message, done.message, done.room, done.sender, done.at_ms, done.created))
    except (BadBody, ProblemError, ReadStateError) as error:
        problem, text = errors.explain(error)
        return problem.envelope(text)


# What an item is


def _items(body: bytes, data: Batch) -> list[bytes]:
    """The messages, each with the shared fields. Raises ProblemError, Invalid."""
    if data.messages is not None and data.paras is not None:
        raise ProblemError(errors.INVALID_BODY, "Give messages or paras, and not both")
    given = data.messages if data.messages is not None else data.paras
    if given is None:
        raise ProblemError(errors.MISSING_PARAMETER, "messages is required")
    shared = {name: value for name, value in decode(raw_fields, body).items() if name not in ("messages", "paras")}
    if data.messages is None:
        shared = {"sender": Raw(b"null"), **shared}
    if len(given) * len(encode(shared)) > MAX_BATCH_BODY_BYTES:
        raise Invalid(
            "message",
            f"what the messages share counts for each of them, {MAX_BATCH_BODY_BYTES} bytes in all: send fewer at once",
        )
    return [_with_shared(shared, bytes(item)) if shared else bytes(item) for item in given]


def _with_shared(shared: Fields, item: bytes) -> bytes:
    try:
        return encode(shared | decode(raw_fields, item))
    except BadBody:
        return item  # no object; it is refused later


def _by_room(items: Sequence[bytes]) -> list[list[int]]:
    """Indexes of the items that have to be posted in order: those of one room, however they name
    it.

    Items that name no room have no order.
    """
    targets = [_target_of(item) for item in items]
    of_two = {direct_room(*target.two): clients_room(*target.two) for target in targets if target.two}
    indexes: defaultdict[str | None, list[int]] = defaultdict(list)
    for index, target in enumerate(targets):
        room = clients_room(*target.two) if target.two else target.room
        indexes[of_two.get(room or "", room)].append(index)
    return list(indexes.values())


def _target_of(item: bytes) -> _Target:
    try:
        target: _Target = decode(_target, item)
    except BadBody:
        return _Target()
    return target


def _filled_in(item: bytes) -> bytes:
    """The message with its variables replaced. Raises BadBody, Invalid."""
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
    """JSON with each variable replaced by its text. The text may not contain a further variable.

    Raises Invalid.
    """
    named = {_alike(encode(name))[2:-2]: _alike(text)[1:-1] for name, text in texts.items()}
    # A variable stands between two `$`. Each part is looked at once, however many there are.
    parts = _alike(value).split("$")
    filled, index, added = parts[:1], 1, 0
    while index < len(parts):
        text = named.get(parts[index]) if index + 1 < len(parts) else None
        if text is None:
            filled.append("$" + parts[index])
            index += 1
            continue
        filled += (text, parts[index + 1])
        index += 2
        added += len(text)
        if added > MAX_BODY_BYTES:
            raise Invalid("message", f"a message must have at most {MAX_BODY_BYTES} bytes")
    return "".join(filled).encode()


def _alike(value: bytes) -> str:
    """The same JSON, with its texts escaped as this service escapes them."""
    return encode(decode(anything, value)).decode()


def _addressed(call: Call, item: bytes) -> tuple[bytes, FindRoom | None]:
    """The message with its room, or with a way to find the room of its receiver.

    Raises BadBody, ProblemError.
    """
    if b'"receiver"' not in item:
        return item, None
    target: _Target = decode(_target, item)
    if target.room or target.receiver is None:
        return item, None
    if target.two is None:
        raise ProblemError(errors.MISSING_PARAMETER, "sender is required with receiver")
    one, other = target.two
    room = direct_room(check_id("sender", one), check_id("receiver", other))
    addressed = encode(decode(raw_fields, item) | {"room": room})
    return addressed, lambda needed: room_of_two(call, one, other, needed=needed)


# The room of two users, where a message names its receiver instead of a room


async def room_of_two(call: Call, sender: str, receiver: str, *, needed: bool = True) -> str:
    """The room of two users: the one of IMKit's clients if it exists, else the one of all dialects.

    If neither exists, the latter is created when it is `needed`. Raises Invalid, UserUnknown (the
    backend has not created the receiver), LimitReached.
    """
    app, services = call.auth.app, call.services
    check_id("sender", sender)
    if check_id("receiver", receiver) == sender:
        raise Invalid("receiver", "receiver must be another user than the sender")
    if receiver not in await services.directory.known(app=app, users=[receiver]):
        raise UserUnknown(receiver)
    two = check_members("members", [sender, receiver])
    there = None
    for room in (clients_room(sender, receiver), direct_room(sender, receiver)):
        there = await find_room(services.rooms, app=app, room=room, user=receiver)
        if there is not None and there.member_count == 2:
            # Anyone can compute the clients' id, so it proves nothing: look at the members.
            states = await services.rooms.members(app=app, room=room, limit=2)
            if {state.member for state in states} == set(two):
                return room
    if needed and there is None:
        await services.rooms.create_room(
            app=app,
            room=check_id("room", room),
            tags=DIRECT_TAGS,
            profile={"roomType": b'"direct"'},
            members=two,
        )
    elif needed:
        # Not created anew: that would take the room over from the client that made it.
        await services.rooms.add_members(app=app, room=room, members=two)
    return room


def clients_room(one: str, other: str) -> str:
    """The id that IMKit's clients derive from two users (imkit-flutter-sdk).

    It is the MD5 of the lower-cased ids, sorted and joined by `_`.
    """
    pair = "_".join(sorted((one.lower(), other.lower())))
    return hashlib.md5(pair.encode(), usedforsecurity=False).hexdigest()
