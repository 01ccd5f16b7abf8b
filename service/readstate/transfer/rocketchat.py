"""A dump of Rocket.Chat's database: the files that `mongodump` writes, in one directory.

Of each member the subscription says up to when they have seen the room (`ls`). Where detailed
receipts were stored, they say exactly when which message was read; elsewhere the time of a receipt
is `ls`, as the latest possible.
"""

import gzip
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from readstate.domain import direct
from readstate.domain.transfer import VERSION, Header, Line, UserLine
from readstate.transfer.bson import BsonError, read_documents
from readstate.transfer.elsewhere import Conversation, Member, as_profile
from readstate.transfer.files import DAMAGED, TransferError, damaged

SOURCE = "rocketchat"
_REMOVED = "rm"  # the type of a message that was deleted
_DIRECT = "d"  # the type of a one-to-one room


def read_rocketchat(directory: Path, app: str, history: int) -> Iterator[Line]:
    """The lines of an import. `history`: so many messages of each room are kept.

    All rooms are in memory. Raises TransferError, OSError.
    """
    yield Header(VERSION, _identity(directory), app, 0, SOURCE)
    for person in _collection(directory, "users"):
        names = {"username": str(person.get("username") or ""), "name": str(person.get("name") or "")}
        yield UserLine(str(person["_id"]), as_profile(names))
    rooms = {room.room: room for room in _rooms(directory, history)}
    for subscription in _collection(directory, "rocketchat_subscription"):
        if room := rooms.get(str(subscription.get("rid"))):
            seen_ms = int(subscription.get("ls") or 0)
            room.members[_user(subscription)] = Member(int(subscription.get("ts") or 0), seen_ms)
    for message in _collection(directory, "rocketchat_message"):
        if room := rooms.get(str(message.get("rid"))):
            _add_message(room, message)
    for room in rooms.values():
        room.order()
    for name in ("rocketchat_read_receipts", "rocketchat_read_receipts_archive"):
        for receipt in _collection(directory, name, optional=True):
            if room := rooms.get(str(receipt.get("roomId"))):
                read = (str(receipt.get("userId")), str(receipt.get("messageId")))
                room.note_read(*read, int(receipt.get("ts") or 0))
    for room in rooms.values():
        yield from room.lines()


def _rooms(directory: Path, history: int) -> Iterator[Conversation]:
    for room in _collection(directory, "rocketchat_room"):
        kind = str(room.get("t") or "")
        yield Conversation(
            str(room["_id"]),
            history,
            tags=direct.DIRECT_TAGS if kind == _DIRECT else (),
            profile={"t": kind, "name": str(room.get("fname") or room.get("name") or "")},
            created_ms=int(room.get("ts") or 0),
            frozen=bool(room.get("archived")),
        )


def _add_message(room: Conversation, message: dict[str, Any]) -> None:
    kind = message.get("t")
    if message.get("_hidden") or kind == _REMOVED:
        return  # an earlier text of a message that was edited, or what is left of a deleted one
    # A reply is in the room only when it was also sent there.
    in_thread = bool(message.get("tmid")) and not message.get("tshow")
    room.add(
        int(message.get("ts") or 0),
        str(message["_id"]),
        _user(message),
        countable=not kind and not in_thread,
        hidden=in_thread,
    )


def _user(document: dict[str, Any]) -> str:
    return str((document.get("u") or {}).get("_id") or "")


def _file(directory: Path, collection: str) -> Path | None:
    found = (directory / f"{collection}.bson", directory / f"{collection}.bson.gz")
    return next((path for path in found if path.is_file()), None)


def _collection(directory: Path, collection: str, *, optional: bool = False) -> Iterator[dict[str, Any]]:
    path = _file(directory, collection)
    if path is None:
        if optional:
            return
        raise TransferError(f"{directory} has no {collection}.bson: it must be what mongodump wrote of the database")
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
        try:
            yield from read_documents(file)  # type: ignore[arg-type]  # both read bytes
        except (BsonError, KeyError, TypeError, ValueError) as error:
            raise TransferError(f"{path}: {error}") from None
        except DAMAGED as error:
            raise TransferError(f"{path}: {damaged(error)}") from None


def _identity(directory: Path) -> str:
    """What tells this dump apart: its files with their sizes and first bytes."""
    digest = hashlib.sha256()
    for path in sorted(directory.glob("*.bson*")):
        with path.open("rb") as file:
            digest.update(f"{path.name} {path.stat().st_size}\n".encode() + file.read(65536))
    return digest.hexdigest()[:32]
