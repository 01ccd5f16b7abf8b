"""The caller's rooms (apidocs/get-subscription-room, get-all-subscriptions)."""

import time
from collections.abc import Sequence

from readstate.batches import in_batches
from readstate.dialects.access import costs
from readstate.dialects.base import ProblemError, Services
from readstate.dialects.rocketchat import schemas, views
from readstate.dialects.rocketchat.errors import INVALID_DATE, ROOM_REQUIRED
from readstate.dialects.rocketchat.operation import Call, operation
from readstate.dialects.rocketchat.rooms import find_summaries, names
from readstate.domain.identity import Session
from readstate.times import iso, unix_ms

# Rooms that were left are known for an hour. Asked about an earlier time, every subscription is
# answered, and the client can tell which are gone.
REMOVED_KNOWN_MS = 50 * 60 * 1000


@operation("GET /subscriptions.getOne", empty={"roomId": ROOM_REQUIRED})
async def subscription(request: Call, given: schemas.OneSubscription) -> schemas.SubscriptionAnswer:
    """One room of the caller; null for a room that is not there or not the caller's."""
    services, session = request.services, request.auth
    return schemas.SubscriptionAnswer(next(iter(await _subscriptions(services, session, [given.room], {})), None))


@operation("GET /subscriptions.get", cost=costs.LIST)
async def subscriptions(request: Call, given: schemas.ManySubscriptions) -> schemas.SubscriptionsAnswer:
    """The caller's rooms that changed after `updatedSince`, and those left since; without it all
    rooms.
    """
    services, session = request.services, request.auth
    since_ms = _since_ms(given.since)
    known_ms = time.time_ns() // 1_000_000 - REMOVED_KNOWN_MS
    found = await services.rooms.subscriptions(
        app=session.app, user=session.user, since_ms=since_ms if since_ms > known_ms else 0
    )
    changed = dict(found.changed)
    request.charge(costs.of_list(len(changed)))
    removed = [(room, at_ms) for room, at_ms in found.removed if given.since and at_ms > since_ms]
    return schemas.SubscriptionsAnswer(
        update=[
            one
            for batch in in_batches(sorted(changed))
            for one in await _subscriptions(services, session, batch, changed)
        ],
        remove=[
            schemas.RemovedSubscription(views.subscription_id(room, session.user), iso(at_ms))
            for room, at_ms in sorted(removed)
        ],
    )


async def _subscriptions(
    services: Services, session: Session, asked: Sequence[str], changed: dict[str, int]
) -> list[schemas.Subscription]:
    """The caller's view of those of the rooms `asked` that the caller is in.

    `changed` has when they changed, where that is known.
    """
    rooms = await find_summaries(services, session, asked)
    called = await names(services, session, rooms)
    owner = views.person(session.user, (await services.people.find(session.app, [session.user]))[session.user])
    return [
        views.subscription(session, room, name, owner, changed.get(room.room) or views.changed_ms(room))
        for room, name in zip(rooms, called, strict=True)
    ]


def _since_ms(text: str) -> int:
    """Unix ms of `updatedSince`, 0 without it. Raises ProblemError."""
    try:
        return max(0, unix_ms(text)) if text else 0
    except ValueError:
        raise ProblemError(INVALID_DATE) from None
