"""Random histories: who is erased leaves no remnant, and the counts of others do not change."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test
from msgspec.structs import replace

from readstate.domain.direct import direct_room
from readstate.domain.receipts import Filter, ReceiptsPage
from readstate.errors import Fault
from readstate.store.connect import connect
from readstate.store.executor import Executor
from readstate.store.keys import Keys, OfUser
from readstate.store.people import RedisPeople
from readstate.store.redis_store import RedisStore, redis_store
from readstate.store.remnants import remnants
from readstate.store.tokens import RedisTokens
from readstate.store.users import RedisUsers
from tests.support.copies import ROOMS, USERS
from tests.support.machine import JOURNAL_MOVES, Bench, ReadStateMachine, outcome_of, rooms, users
from tests.support.receipts import whole_list
from tests.support.rooms import a_room, posted
from tests.support.servers import Cluster, Server
from tests.support.transfers import Breaking

ERASED = "bob"
OTHERS = tuple(user for user in USERS if user != ERASED)
STAND_IN = "someone-else"


class ErasureMachine(ReadStateMachine):
    """The same programs; in the end one user is erased, at the second try."""

    set_tags = set_status = set_profile = None  # type: ignore[assignment]  # they do not concern people

    @rule(user=users)
    def profile(self, user: str) -> None:
        self.run(RedisUsers(self.bench.executor).upsert_user(app=self.app, user=user, profile={"name": b'"x"'}))

    @rule(room=rooms, other=users, turns=st.integers(2, 40))
    def talk(self, room: str, other: str, turns: int) -> None:
        """Journals grow, sometimes beyond what is kept."""
        for turn in range(turns):
            self.post_without_an_id(room, (ERASED, other)[turn % 2], True)

    @rule(room=rooms)
    def come_and_go(self, room: str) -> None:
        for method in ("add_members", "remove_members", "add_members"):
            self.do(method, room=room, members=[ERASED])

    def teardown(self) -> None:
        super().teardown()
        if self.whole:
            self.run(self._erase())

    async def _erase(self) -> None:
        for room in ROOMS:
            await outcome_of(self.store.rooms.remove_members(app=self.app, room=room, members=[ERASED]))
        before = await self._answers(ERASED)
        number = self.bench.programs % 40
        dying = Breaking(self.bench.executor, number)
        try:
            await people_of(self._store_on(dying), self.app).erase(ERASED, STAND_IN, lambda _: None)
        except Fault:
            assert dying.has_died
            assert await self.store.audit.audit_all(app=self.app) == []
        key = Keys.user(self.app, ERASED) + OfUser.STAND_IN
        noted = await self.bench.executor.command("GET", key, key=key)
        name = await people_of(self.store, self.app).erase(ERASED, STAND_IN, lambda _: None)
        assert name.startswith(f"{STAND_IN}-")
        assert noted in (None, name.encode()), "the name of the first try is kept"
        assert [remnant async for remnant in remnants(self.bench.executor, self.app, ERASED)] == []
        assert await self.store.audit.audit_all(app=self.app) == []
        assert await self._answers(name) == before
        await self._check_bytes()

    def _store_on(self, executor: Any) -> RedisStore:
        return redis_store(
            executor, fanout_limit=self.bounds.limit, attention_posts=self.bounds.attention, journal_moves=JOURNAL_MOVES
        )

    async def _answers(self, name: str) -> list[Any]:
        """What others are answered; the erased user and their stand-in are the same."""
        answers: list[Any] = []
        for room in ROOMS:
            answers.append(await outcome_of(self.store.rooms.members(app=self.app, room=room)))
            there = self.model.worlds.get(self.app, {}).get(room)
            for message in there.messages if there else ():
                for which in Filter:
                    page = await outcome_of(whole_list(self.store, self.app, room, message.id, which))
                    answers.append(_with_stand_in(page, name))
        for user in OTHERS:
            self.copies.ask(user, self.model.worlds.get(self.app, {}), self.bounds)
            answers.append(await self.store.badges.badge(app=self.app, user=user, tags=()))
        return answers

    async def _check_bytes(self) -> None:
        """No value of the app has the bytes of the name."""
        for found in await self.bench.executor.each_node("KEYS", f"{{[rut]:{self.app}:*"):
            for key in found:
                assert ERASED.encode() not in await raw(self.bench.executor, key), key

    async def _compare(self) -> None:
        """Other tests do."""


async def raw(executor: Executor, key: bytes) -> bytes:
    """All bytes of a key and its value, one behind the other."""
    name = key.decode()
    kind = (await executor.command("TYPE", name, key=name)).decode()
    ask = {
        "hash": ("HGETALL", name),
        "zset": ("ZRANGE", name, 0, -1),
        "set": ("SMEMBERS", name),
        "string": ("GET", name),
        "list": ("LRANGE", name, 0, 0),
        "none": ("EXISTS", name),
    }[kind]
    found = await executor.command(*ask, key=name)
    return key + b"\0".join(found if isinstance(found, list) else [b""])


def _with_stand_in(page: ReceiptsPage | type, name: str) -> Any:
    """With one name for the user, whether `name` is theirs or stands in for it."""
    if isinstance(page, type):
        return page
    readers = [replace(one, member=STAND_IN) if one.member == name else one for one in page.readers]
    message = page.message
    if message.sender == name:
        message = replace(message, sender=STAND_IN)
    return replace(page, readers=tuple(sorted(readers, key=lambda one: one.member)), message=message)


def people_of(store: RedisStore, app: str) -> RedisPeople:
    return RedisPeople(store.rooms._executor, store.outbox, store.bounds, app)


@pytest.mark.parametrize("plan", ["atomic", "split"])
@pytest.mark.timeout(3600)
def test_who_is_erased_leaves_no_trace(
    plan: str, lua_dir: Path | None, full: bool, request: pytest.FixtureRequest
) -> None:
    where: Server | Cluster = request.getfixturevalue("server" if plan == "atomic" else "cluster")
    with asyncio.Runner() as runner:
        executor = runner.run(connect(where.url, lua=lua_dir))
        restart = where.restart if isinstance(where, Server) else where.restart_one
        bench = Bench(runner.run, executor, restart, 80, where.term_of)
        try:
            programs = request.config.getoption("--programs") or (500 if full else 8)
            run_state_machine_as_test(
                lambda: ErasureMachine(bench),  # type: ignore[arg-type]
                settings=settings(max_examples=programs, stateful_step_count=40 if full else 25),
            )
        finally:
            runner.run(executor.close())


async def test_a_one_to_one_room_that_holds_the_name_is_deleted(store: RedisStore, app: str) -> None:
    """And forgotten at the other user's side."""
    room = direct_room("ann", "bob")
    await store.rooms.create_room(app=app, room=room, tags=["direct"], members=["ann", "bob"])
    await store.messages.post(
        app=app, room=room, sender="bob", message="m1", countable=True, body="{}", sender_must_be_member=True
    )
    assert await store.badges.badge(app=app, user="ann", tags=()) == 1
    name = await people_of(store, app).erase("bob", None, lambda _: None)
    assert name.startswith("erased-")
    assert await store.badges.badge(app=app, user="ann", tags=()) == 0
    assert await store.rooms.rooms_of(app=app, user="ann") == []
    assert [remnant async for remnant in remnants(store.rooms._executor, app, "bob")] == []
    assert await store.audit.audit_all(app=app) == []


class Busy(RedisPeople):
    """An erasure beside which the service goes on: `busy` is awaited before and behind a room."""

    busy: Callable[[str, bool], Awaitable[None]]

    async def _room(self, room: str, user: str, name: str) -> None:
        await self.busy(room, False)
        await super()._room(room, user, name)
        await self.busy(room, True)


def busy_people(store: RedisStore, app: str, busy: Callable[[str, bool], Awaitable[None]]) -> Busy:
    people = Busy(store.rooms._executor, store.outbox, store.bounds, app)
    people.busy = busy
    return people


async def test_messages_that_come_meanwhile_leave_no_trace(store: RedisStore, app: str) -> None:
    """Which may be where the walk has passed."""
    direct = await a_room(store, app, direct_room("ann", "bob"))

    async def busy(room: str, is_over: bool) -> None:
        if room == direct and not is_over:
            for number in range(40):
                await posted(store, app, room, f"m{number}")

    await busy_people(store, app, busy).erase("bob", None, lambda _: None)
    assert [remnant async for remnant in remnants(store.rooms._executor, app, "bob")] == []


async def test_who_comes_back_meanwhile_is_erased_as_well(store: RedisStore, app: str) -> None:
    """What they did before and after has two names, so that each counts. A new token ends."""
    executor = store.rooms._executor
    tokens = RedisTokens(executor)
    await RedisUsers(executor).upsert_user(app=app, user="bob", profile={})
    await a_room(store, app, members=["ann", "bob"])
    times = iter("1")

    async def busy(room: str, is_over: bool) -> None:
        if is_over and (time := next(times, None)):
            await tokens.remember_token(app=app, user="bob", token_id="late", created_ms=1, expires_s=2**31)
            await read_one(time)
            await store.rooms.remove_members(app=app, room=room, members=["bob"])
            await store.rooms.add_members(app=app, room=room, members=["bob"])

    async def read_one(time: str) -> None:
        await store.rooms.add_members(app=app, room="r", members=["bob"])
        message = (await posted(store, app, message=f"m{time}")).message
        await store.reading.mark_read(app=app, room="r", user="bob", message=message)

    await read_one("0")
    name = await busy_people(store, app, busy).erase("bob", "gone", lambda _: None)
    assert [remnant async for remnant in remnants(executor, app, "bob")] == []
    assert await store.audit.audit_all(app=app) == []
    pages = [await whole_list(store, app, "r", message, Filter.READ) for message in ("m0", "m1")]
    names = [one.member for page in pages for one in page.readers]
    assert [one.token_id for one in (await tokens.revocations(app=app, since=0)).entries] == ["late"]
    assert len(set(names)) == len(names) == 2
    assert names[0] == name
    assert all(one.startswith("gone-") for one in names)
