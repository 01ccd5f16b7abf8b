"""Payloads that need more than a notice: a sender's profile, the present room, a new badge."""

import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence

from msgspec import Struct

from readstate.dialects.imkit import views
from readstate.dialects.imkit.room_event import left_event, room_event
from readstate.dialects.imkit.sockets.encoding import encode_json
from readstate.dialects.people import People
from readstate.domain.notices import MessagePosted
from readstate.domain.read_state import ReadState
from readstate.errors import Fault


class StorePayloads(Struct, frozen=True):
    """`delivery.Payloads`, fetched from the store."""

    read_state: ReadState
    people: People

    async def message(self, app: str, posted: MessagePosted) -> bytes:
        """A message as HTTP answers it."""

        async def fetch() -> bytes:
            return encode_json(
                await views.message_for_everybody(
                    self.people, app, posted.room, posted.message, posted.sender, posted.at_ms, posted.body
                )
            )

        try:
            return await _with_retry(fetch)
        except Fault:
            # A message without the sender's profile is better than none.
            sender = views.user_ref(posted.sender, None) if posted.sender else None
            return encode_json(views.message_view(app, posted.room, posted.message, sender, posted.at_ms, posted.body))

    async def room(self, app: str, room: str) -> bytes:
        """A room as it is now."""
        return await _with_retry(lambda: room_event(self.read_state.rooms, self.people, app, room))

    async def left(self, app: str, room: str, users: Sequence[str], deleted: bool) -> Mapping[str, bytes]:
        """The last event of a room, for each of `users`, who are no longer in it."""
        badges: Mapping[str, int] = {}
        with contextlib.suppress(Fault):  # the event is useful without the badge too
            badges = await self.read_state.badges.badges_after(app=app, room=room, users=users)
        return {user: left_event(app, room, badges.get(user), deleted=deleted) for user in users}


async def _with_retry(fetch: Callable[[], Awaitable[bytes]]) -> bytes:
    """Fetch once more when the store fails, because an event that is not sent is lost."""
    try:
        return await fetch()
    except Fault:
        return await fetch()
