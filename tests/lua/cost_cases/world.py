"""The store in which one script is counted, and the list of cases."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from readstate.store import audit_scripts, lua, scripts, transfer_scripts
from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.redis_store import RedisStore, redis_store
from readstate.store.script_calls import Call
from tests.support.calls import plain_call
from tests.support.costs import Cost, Counting
from tests.support.rooms import posted

NAMES = sorted(path.stem for path in scripts.lua_dir().glob("*.lua"))


DECLARED = (lua, audit_scripts, transfer_scripts)  # where scripts are declared for Python


FANOUT_LIMIT = 256


ATTENTION_POSTS = 1_000_000  # every member is told, which costs most


LEAVE_AT_ONCE = 100  # of a room that is taken over


FORGOTTEN_AT_ONCE = 16  # rooms that a user left, when they leave another one


ON_THE_SPLIT_PLAN = {"pending"}


# So many more may be allowed than are counted at the limits, besides three times as many
SLACK = 25


Sizes = dict[str, int]


class World:
    """A store in which one script is counted."""

    def __init__(self, executor: Executor, app: str, script: str, *, large: bool) -> None:
        self.executor = executor
        self.app = app
        self.large = large
        self.script = script
        self._stores: list[RedisStore] = []
        self.store = self.store_with(message_history=2000)
        self._counting = Counting(executor)

    @property
    def counted(self) -> list[Cost]:
        return self._counting.counted

    def store_with(self, **bounds: Any) -> RedisStore:
        """A store whose members are all attentive, unless it is said otherwise."""
        given = {"fanout_limit": FANOUT_LIMIT, "attention_posts": ATTENTION_POSTS, **bounds}
        store = redis_store(self.executor, **given)
        self._stores.append(store)
        return store

    async def idle(self) -> None:
        """Wait until no store has anything to do: the server counts the commands of all."""
        for store in self._stores:
            await store.outbox.idle()

    def of(self, small: int, large: int) -> int:
        """The size that is tried."""
        return large if self.large else small

    async def count(self, work: Awaitable[Any]) -> Any:
        """Do `work`, in which the script that is tried runs."""
        await self.idle()
        return await self._counting.of(self.script, work)

    async def run(self, key: str, **arguments: Any) -> Any:
        """The script by itself, counted."""
        return await self.count(self.executor.call(self.call(self.script, **arguments), key))

    def call(self, script: str, **arguments: Any) -> Call[Any]:
        """The call of a script that leaves its reply as it is."""
        declared = next(found for one in DECLARED if (found := getattr(one, script, None)))
        return plain_call(script, *declared(**arguments).args)

    async def room(self, members: int, *, tags: int = 0, others: int = 0, prefix: str = "t") -> list[str]:
        """Room r of so many members who are all in `others` further rooms of one tag each, and so
        have as many tag sets. Its members.
        """
        names = people(members)
        for number in range(others):
            await self.store.rooms.create_room(
                app=self.app, room=f"other{number}", tags=[f"o{number}"], profile={}, members=names
            )
        await self.store.rooms.create_room(app=self.app, room="r", tags=many(prefix, tags), profile={}, members=names)
        await self.store.outbox.idle()
        return names

    async def come(self, members: int) -> list[str]:
        """As many members as that are in room r from now on. All of them."""
        names = people(members)
        await self.store.rooms.add_members(app=self.app, room="r", members=names)
        await self.store.outbox.idle()
        return names

    async def news(self, count: int, *, tags: int = 1, shared: int = 0, user: str = "ann") -> None:
        """So many rooms of the user alone of which they were told nothing since their attention
        ended. Meanwhile each got other tags of its own, and a message of it was deleted.
        """
        short = self.store_with(attention_posts=1, message_history=2000)
        for name in many("n", count):
            common = many("all", shared)
            await short.rooms.create_room(
                app=self.app, room=name, tags=[*common, *many(f"{name}old", tags)], profile={}, members=[user]
            )
            for message in ("m1", "m2", "m3"):
                await posted(short, self.app, name, message=message)
            await short.messages.delete_message(app=self.app, room=name, message="m2")
            await short.rooms.set_tags(app=self.app, room=name, tags=[*common, *many(f"{name}t", tags)])
        await short.outbox.idle()

    async def long_gone(self, names: Sequence[str], count: int = FORGOTTEN_AT_ONCE) -> None:
        """Let so many rooms that these users left over an hour ago be forgotten next."""
        for name in names:
            key = Keys.user(self.app, name)
            await self.executor.command(
                "ZADD", key + ":g", *(part for room in many("gone", count) for part in (1, room)), key=key
            )

    async def messages(
        self, count: int, *, room: str = "r", sender: str = "", prefix: str = "m", store: RedisStore | None = None
    ) -> list[str]:
        """So many messages in the room, posted by way of `store` where its bounds matter."""
        names = [f"{prefix}{number:05}" for number in range(count)]
        for name in names:
            await posted(store or self.store, self.app, room, message=name, sender=sender)
        return names

    async def rooms(self, count: int, *, tags: int = 1, shared: int = 0, derived: bool = False) -> list[str]:
        """Rooms of ann's, each with tags of its own and some that all have; above the fan-out
        limit, or hers alone. One message in each.
        """
        names = many("d" if derived else "r", count)
        crowd = people(FANOUT_LIMIT + 1) if derived else []
        for name in names:
            await self.store.rooms.create_room(
                app=self.app,
                room=name,
                tags=[*many("all", shared), *many(f"{name}t", tags)],
                profile={},
                members=["ann", *crowd],
            )
            await posted(self.store, self.app, name)
        await self.store.outbox.idle()
        return names


def people(count: int) -> list[str]:
    return [f"p{number:04}" for number in range(count)]


def many(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{number:03}" for number in range(count)]


Case = Callable[[World], Awaitable[Sizes]]


CASES: dict[str, Case] = {}


def case(script: str) -> Callable[[Case], Case]:
    """The way in which a script is tried: makes a world, runs the script in it, and answers the
    sizes that its formula names.
    """

    def register(function: Case) -> Case:
        CASES[script] = function
        return function

    return register
