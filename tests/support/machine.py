"""Random programs of operations, run on the real store and on the model side by side.

There are few users, rooms, tags and message ids, and the fan-out limit is about three, so that
operations collide. Members are told of one to three posts, so that copies lag all the time. Several
stores with different settings work on the same data in turn.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec.structs import replace

from readstate.batches import in_batches
from readstate.domain.audit import Drift
from readstate.domain.client_rules import Made
from readstate.domain.limits import MAX_RECEIPT_MESSAGES
from readstate.domain.messages import Posted
from readstate.domain.receipts import Filter
from readstate.domain.rooms import MemberState, Status
from readstate.errors import MessageUnknown, ReadStateError, Unavailable
from readstate.store import lua
from readstate.store.executor import Executor
from readstate.store.keys import Keys
from readstate.store.redis_store import RedisStore, redis_store
from readstate.store.states import SEPARATOR, State
from tests.support.attention import Bounds
from tests.support.copies import LIMIT, ROOMS, USERS, Copies
from tests.support.followers import Followers
from tests.support.model import ModelStore
from tests.support.model_messages import LATE_MS
from tests.support.nouns import operation_of
from tests.support.receipts import certainty, check_receipts, whole_list
from tests.support.waiting import wait_until

TAGS = ("blue", "red", "ü 1")
# With them a room of two is above the fan-out limit.
MANY_TAGS = sorted((*TAGS, *(f"tag {number}" for number in range(9))))
MESSAGES = tuple(f"m{number}" for number in range(8))
JOURNAL_MOVES = 16
CLOCKS_APART_US = 1000  # a server's clock may differ by some microseconds from core to core

users = st.sampled_from(USERS)
rooms = st.sampled_from((ROOMS[0], ROOMS[0], *ROOMS))  # operations in different rooms rarely affect each other
groups = st.lists(users, max_size=5)
few_tags = st.sets(st.sampled_from(TAGS)).map(sorted)
tag_sets = st.one_of(few_tags, few_tags, st.just(MANY_TAGS))
picks = st.integers(0, 40)
hands = st.sampled_from((Made.ANYHOW, Made.ANYHOW, *Made))
any_bounds = st.builds(Bounds, st.sampled_from((1, 1, 2, 2, 3)), st.sampled_from((LIMIT, LIMIT, LIMIT, LIMIT, 2, 4)))

PLAIN = {"body": "{}", "sender_must_be_member": False}
AS_MESSAGE = {"move_cursor": True, "as_last": True}  # whether or not it counts


@dataclass
class Bench:
    """What a program runs on; it outlives the programs."""

    run: Callable[[Coroutine[Any, Any, Any]], Any]
    executor: Executor
    restart: Callable[[], None]
    restart_odds: int  # one in so many
    term_of: Callable[[str], int] = lambda _: 0  # of the server of a key
    programs: int = 0
    steps: int = 0


async def outcome_of(call: Awaitable[Any]) -> Any:
    """The value of a call, or the class of its refusal."""
    try:
        return await call
    except ReadStateError as error:
        return type(error)


class ReadStateMachine(RuleBasedStateMachine):
    """After every step every copy, room and member state equals the model, the audit finds nothing,
    and no cursor went back. So does every badge when it is asked for: some users ask after every
    step, all of them at the end, and at random.
    """

    def __init__(self, bench: Bench) -> None:
        super().__init__()
        self.bench = bench
        self.run = bench.run
        bench.programs += 1
        self.app = f"p{bench.programs}"
        self.times = [0]
        self.model = ModelStore(now_ms=self.next_time, term_of=lambda app, room: bench.term_of(Keys.room(app, room)))
        self.copies = Copies()
        self.done: list[tuple[str, dict[str, Any]]] = []
        self.made: list[str] = []
        self.followers = Followers(self.copies)
        self.cursors: dict[tuple[str, str], int] = {}
        self.step = 0
        self.whole = True  # nothing has failed yet
        self.pollers: set[str] = set()
        self.turns = [Bounds(attention=2, limit=LIMIT)]  # settings of the stores that take turns
        self.stores: dict[Bounds, RedisStore] = {}
        self.run(self._at_each_node("FLUSHALL"))

    async def _at_each_node(self, *command: str) -> None:
        """Run a command that may be repeated. A node may just have been restarted."""

        async def is_done() -> bool:
            return await outcome_of(self.bench.executor.each_node(*command)) is not Unavailable

        await wait_until(is_done, f"{command[0]} at each node")

    @property
    def bounds(self) -> Bounds:
        return self.turns[0]

    @property
    def store(self) -> RedisStore:
        """The one whose turn it is."""
        if self.bounds not in self.stores:
            self.stores[self.bounds] = redis_store(
                self.bench.executor,
                fanout_limit=self.bounds.limit,
                attention_posts=self.bounds.attention,
                journal_moves=JOURNAL_MOVES,
            )
        return self.stores[self.bounds]

    def teardown(self) -> None:
        if self.whole:
            self.run(self._end())

    async def _end(self) -> None:
        await self._ask_everything(USERS)
        await self._check_sides()
        assert await self.store.audit.audit_all(repair=False) == []

    # Rules

    @initialize(
        members=st.lists(st.lists(users, min_size=1, max_size=5), min_size=3, max_size=3),
        tags=tag_sets,
        posts=st.integers(0, 3),
        turns=st.lists(any_bounds, min_size=1, max_size=3),
        pollers=st.sets(users, max_size=3),
    )
    def begin(
        self, members: list[list[str]], tags: list[str], posts: int, turns: list[Bounds], pollers: set[str]
    ) -> None:
        """Two rooms, and mostly a third, with messages: else most operations would be refused."""
        self.turns, self.pollers = turns, pollers
        for room, group in zip(ROOMS[: 2 + (len(tags) > 0)], members, strict=False):
            self.create_room(room, tags, group, by_client=False)
            for number in range(posts):
                self.post(room, "", MESSAGES[number], False)

    @rule(room=rooms, tags=tag_sets, members=groups, by_client=st.booleans())
    def create_room(self, room: str, tags: list[str], members: list[str], by_client: bool) -> None:
        """A backend takes over a room that a client made; a client changes no room that exists."""
        self.do("create_room", room=room, tags=tags, profile={"name": b'"x"'}, members=members, by_client=by_client)

    @rule(room=rooms, members=groups, made=hands)
    def add_members(self, room: str, members: list[str], made: Made) -> None:
        self.do("add_members", room=room, members=members, made=made)

    @rule(room=rooms, users=groups, made=hands)
    def invite(self, room: str, users: list[str], made: Made) -> None:
        self.do("invite", room=room, users=users, made=made)

    @rule(room=rooms, members=groups, made=hands)
    def remove_members(self, room: str, members: list[str], made: Made) -> None:
        self.do("remove_members", room=room, members=members, made=made)

    @rule(room=rooms, tags=tag_sets, made=hands)
    def set_tags(self, room: str, tags: list[str], made: Made) -> None:
        self.do("set_tags", room=room, tags=tags, made=made)

    @rule(room=rooms, status=st.sampled_from(Status), made=hands)
    def set_status(self, room: str, status: Status, made: Made) -> None:
        self.do("set_status", room=room, status=status, made=made)

    @rule(room=rooms, value=st.sampled_from((b'"a"', b'"b"')), made=hands)
    def set_profile(self, room: str, value: bytes, made: Made) -> None:
        self.do("set_profile", room=room, profile={"name": value}, made=made)

    @rule(room=rooms, roll=st.integers(0, 2), made=hands)
    def delete_room(self, room: str, roll: int, made: Made) -> None:
        """Less often than the rest: a room must exist for a while to be interesting."""
        if roll == 1:
            self.do("delete_room", room=room, made=made)

    @rule(room=rooms, sender=st.sampled_from(("", *USERS)), message=st.sampled_from(MESSAGES), strict=st.booleans())
    def post(self, room: str, sender: str, message: str, strict: bool) -> None:
        self.do(
            "post", room=room, sender=sender, message=message, countable=True, body="{}", sender_must_be_member=strict
        )

    @rule(room=rooms, sender=st.sampled_from(("", *USERS)), countable=st.sampled_from((True, True, False)))
    def post_without_an_id(self, room: str, sender: str, countable: bool) -> None:
        self.do("post", room=room, sender=sender, message="", countable=countable, **AS_MESSAGE, **PLAIN)

    @rule(room=rooms, user=users, pick=picks)
    def mark_read(self, room: str, user: str, pick: int) -> None:
        self.do("mark_read", room=room, user=user, message=self.some_message(room, pick))

    @rule(room=rooms, user=users)
    def mark_read_to_the_end(self, room: str, user: str) -> None:
        self.do("mark_read", room=room, user=user, message=self.some_message(room, -1))

    @rule(room=rooms, user=users, pick=picks, shift=st.integers(-1, 1))
    def mark_read_until(self, room: str, user: str, pick: int, shift: int) -> None:
        self.do("mark_read_until", room=room, user=user, until_ms=self.some_time(room, pick, shift))

    @rule(room=rooms, user=users, pick=picks, named=st.booleans())
    def mark_unread(self, room: str, user: str, pick: int, named: bool) -> None:
        self.do("mark_unread", room=room, user=user, message=self.some_message(room, pick) if named else "")

    @rule(room=rooms, user=users, count=st.integers(0, 8))
    def set_unread(self, room: str, user: str, count: int) -> None:
        self.do("set_unread", room=room, user=user, count=count)

    @rule(room=rooms, user=users, chosen=st.lists(picks, max_size=4))
    def acknowledge(self, room: str, user: str, chosen: list[int]) -> None:
        self.do("acknowledge", room=room, user=user, messages=[self.some_message(room, pick) for pick in chosen])

    @rule(
        room=rooms,
        sender=users,
        message=st.sampled_from(MESSAGES),
        pick=picks,
        shift=st.sampled_from((-1, 0, 1, -2 * LATE_MS)),
        by_time=st.booleans(),
    )
    def post_late(self, room: str, sender: str, message: str, pick: int, shift: int, by_time: bool) -> None:
        """Sent at about the time of another message, or long ago."""
        sent = {"sender_must_be_member": False, "sent_ms": self.some_time(room, pick, shift), "by_time": by_time}
        self.do("post", room=room, sender=sender, message=message, countable=True, body="{}", **sent)

    @rule(
        room=rooms,
        sender=users,
        message=st.sampled_from(MESSAGES),
        options=st.dictionaries(
            st.sampled_from(("countable", "move_cursor", "as_last", "notify")), st.just(False), min_size=1
        ),
    )
    def post_quietly(self, room: str, sender: str, message: str, options: dict[str, bool]) -> None:
        """Without some of a message's usual effects."""
        self.do(
            "post",
            **{"room": room, "sender": sender, "message": message, "countable": True, **AS_MESSAGE, **options},
            **PLAIN,
        )

    @rule(
        room=rooms, pick=picks, method=st.sampled_from(("delete_message", "recall_message", "edit_message", "message"))
    )
    def touch_message(self, room: str, pick: int, method: str) -> None:
        body = {"body": "{}"} if method in ("recall_message", "edit_message") else {}
        self.do(method, room=room, message=self.some_message(room, pick), **body)

    @rule(room=rooms, pick=picks, shift=st.integers(-1, 1), named=st.booleans(), timed=st.booleans())
    def delete_messages(self, room: str, pick: int, shift: int, named: bool, timed: bool) -> None:
        """Before a message, before a time, before either, or all."""
        before = self.some_message(room, pick) if named else ""
        self.do(
            "delete_messages", room=room, before=before, before_ms=self.some_time(room, pick, shift) if timed else 0
        )

    @rule(user=users, form=st.integers(0, 6))
    def ask(self, user: str, form: int) -> None:
        """A badge in any form, or the list of rooms."""
        self.run(self._ask(user, form % 5) if form < 5 else self._check_subscriptions(user))

    @rule(user=users, limit=st.sampled_from((1, 2, 200)))
    def follow(self, user: str, limit: int) -> None:
        self.run(self._follow(user, limit))

    @rule(
        user=users, items=st.lists(st.tuples(rooms, picks), max_size=3), asking=st.lists(users, max_size=3, unique=True)
    )
    def read_many(self, user: str, items: list[tuple[str, int]], asking: list[str]) -> None:
        """Several rooms at once, and the badges of several users."""
        for room, pick in items:
            self.do("mark_read", room=room, user=user, message=self.some_message(room, pick))
        self.run(self._ask_after(ROOMS[0], asking))

    @rule(pick=st.integers(0, 30))
    def repeat(self, pick: int) -> None:
        """A retry, however late."""
        if pick < len(self.done):
            method, arguments = self.done[-1 - pick]
            self.do(method, **arguments)

    @rule()
    def forget_scripts(self) -> None:
        self.run(self._at_each_node("FUNCTION", "FLUSH"))

    @rule()
    def let_a_day_pass_for_users_in_no_room(self) -> None:
        """Their sides expire: versions begin anew, and the rooms that they left are forgotten."""
        self.run(self._end_sides())

    @rule(roll=st.integers(0, 1000))
    def restart(self, roll: int) -> None:
        if roll % self.bench.restart_odds == 7:
            self.bench.restart()

    # Both sides

    def do(self, method: str, **arguments: Any) -> None:
        """Run an operation on the store and on the model; replies and refusals must be the same."""
        if arguments.get("message") != "":
            self.done.append((method, arguments))
        whole, self.whole = self.whole, False
        self.run(self._do(method, {"app": self.app, **arguments}))
        self.whole = whole

    async def _do(self, method: str, arguments: dict[str, Any]) -> None:
        self.turns.append(self.turns.pop(0))
        before, began = await self._revision(arguments["room"]), await self._server_us(arguments["room"])
        real = await outcome_of(operation_of(self.store, method)(**arguments))
        if method == "post" and not isinstance(real, type) and arguments["message"] == "":
            self.check_made(real.message)
            arguments["message"] = real.message
        revision = await self._set_times(
            arguments["room"], before, began, created=method == "create_room" and real is True
        )
        if method == "mark_read_until" and arguments["until_ms"] == 0 and not isinstance(real, type):
            self.times[:0] = await self._noted_ms(arguments["room"], arguments["user"], began)
        if method == "acknowledge" and real and not isinstance(real, type):
            self.times = [await self._acknowledged_ms(arguments["room"], arguments["user"], real[0], began)]
        expected = await outcome_of(operation_of(self.model, method)(**arguments))
        moved = self.copies.follow(
            method,
            arguments,
            expected,
            self.model.worlds.get(self.app, {}),
            revision=revision,
            bounds=self.bounds,
            now_ms=self.times[-1],
        )
        if isinstance(expected, Posted):
            expected = replace(expected, moved=moved)
        assert real == expected, f"{method} answered otherwise than the model"
        # What is still to be acknowledged would be pushed again by a later operation.
        await self.store.outbox.idle()

    async def _set_times(self, room: str, before: int, began: int, *, created: bool) -> int:
        """The model's clock shows the time of the room's revision, which is returned. A new one is
        of this moment.
        """
        stamp = await self._revision(room)
        assert stamp >= before, "a revision went back"
        if stamp > before:
            # A script may raise the revision twice, and the time does not change while it runs.
            ended = await self._server_us(room)
            assert began - CLOCKS_APART_US <= stamp <= ended + CLOCKS_APART_US, (
                f"a revision is not of its moment: {began} {stamp} {ended}"
            )
        self.times = [stamp // 1000]
        if created:
            self.times.insert(0, (await self.store.rooms.room(app=self.app, room=room, user="")).created_ms)
        return stamp

    async def _acknowledged_ms(self, room: str, user: str, message: str, began: int) -> int:
        """Its time, from the receipt: an acknowledgement changes no room and raises no revision."""
        told = await whole_list(self.store, self.app, room, message)
        at_ms = next(receipt.at_ms for receipt in told.readers if receipt.member == user)
        ended = await self._server_us(room)
        assert (began - CLOCKS_APART_US) // 1000 <= at_ms <= (ended + CLOCKS_APART_US) // 1000, (
            "an acknowledgement is not of its moment"
        )
        return at_ms

    async def _noted_ms(self, room: str, user: str, began: int) -> list[int]:
        """The time noted in a room of two of a member who read everything: this moment, or a later
        one that they had named before.
        """
        there = self.model.worlds[self.app][room]
        if not there.is_of_two:
            return []
        key, known = Keys.room(self.app, room), there.until.get(user, 0)
        noted = int(await self.bench.executor.command("HGET", f"{key}:u", f"{user}{SEPARATOR}", key=key))
        assert max(known, began // 1000) <= noted <= max(known, await self._server_us(room) // 1000)
        return [noted]

    async def _end_sides(self) -> None:
        for user in USERS:
            key = Keys.user(self.app, user)
            if await self.bench.executor.command("TTL", key, key=key) >= 0:
                await self.bench.executor.command("DEL", key, f"{key}:g", key=key)
                self.copies.forget(user)
                self.followers.forget(user)

    def next_time(self) -> int:
        """The next time for the model: first the creation of a new room, or the time up to which a
        member has read everything.
        """
        return self.times.pop(0) if len(self.times) > 1 else self.times[0]

    async def _revision(self, room: str) -> int:
        return (await self.bench.executor.call(lua.member_states(users=()), Keys.room(self.app, room))).revision

    async def _server_us(self, room: str) -> int:
        seconds, rest = await self.bench.executor.command("TIME", key=Keys.room(self.app, room))
        return int(seconds) * 1_000_000 + int(rest)

    def check_made(self, message: str) -> None:
        """An id of ours: 24 lower-case hex, not given before."""
        assert re.fullmatch("[0-9a-f]{24}", message)
        assert message not in self.made
        self.made.append(message)

    def some_message(self, room: str, pick: int) -> str:
        """One of the room's messages, counted from its head; else an id of another room, or of
        none.
        """
        there = self.model.worlds.get(self.app, {}).get(room)
        known = there.messages if there else []
        if known and pick < 2 * len(known):
            return known[-1 - abs(pick) % len(known)].id
        return (*MESSAGES, *self.made)[pick % (len(MESSAGES) + len(self.made))]

    def some_time(self, room: str, pick: int, shift: int) -> int:
        """About the time of one of the room's messages; sometimes 0."""
        there = self.model.worlds.get(self.app, {}).get(room)
        if not there or not there.messages or pick % 5 == 4:
            return 0
        return there.messages[-1 - pick % len(there.messages)].at_ms + shift

    # What must hold after every step

    @invariant()
    def model_equals_store(self) -> None:
        self.bench.steps += 1
        self.step += 1
        whole, self.whole = self.whole, False
        self.run(self._compare())
        self.whole = whole

    async def _compare(self) -> None:
        """What is not paying attention; then the users ask who always do."""
        await asyncio.gather(*(self._check(method, arguments) for method, arguments in self.questions()))
        await self._check_receipts(ROOMS[self.step % len(ROOMS)], sample=2)
        await self._check_found(USERS[self.step % len(USERS)], MESSAGES[self.step % len(MESSAGES)])
        assert [drift for drifts in await asyncio.gather(*self.audits()) for drift in drifts] == []
        await self._check_sides()
        await self._check_ends()
        self.check_cursors()
        if self.pollers:
            await self._ask_everything(sorted(self.pollers))
            await self._check_sides()

    async def _check_sides(self) -> None:
        await self._check_versions()
        await asyncio.gather(*(self._check_copies(user) for user in USERS))
        await asyncio.gather(*(self._check_attention(room) for room in ROOMS))

    async def _check(self, method: str, arguments: dict[str, Any]) -> None:
        answer = await outcome_of(operation_of(self.store, method)(app=self.app, **arguments))
        expected = await outcome_of(operation_of(self.model, method)(app=self.app, **arguments))
        assert in_order(answer) == in_order(expected), f"{method} {arguments}: {answer} instead of {expected}"

    async def _ask_everything(self, asking: Sequence[str]) -> None:
        """Users ask in every form, one after the other: a large room does not admit all of them."""
        for user in asking:
            for form in range(5):
                await self._ask(user, form)
            await self._check_subscriptions(user)
            await self._follow(user, limit=1 + self.step % 3)

    async def _ask(self, user: str, form: int) -> None:
        """Ask for a badge in one of five forms."""
        pair = (TAGS[self.step % 3], TAGS[(self.step + 1) % 3])
        tags = ((), pair[:1], pair, (), pair)[form]
        self.copies.ask(user, self.model.worlds.get(self.app, {}), self.bounds)
        await self._check("badge" if form < 3 else "badges_by_tags", {"user": user, "tags": tags})

    async def _follow(self, user: str, limit: int) -> None:
        there = self.model.worlds.get(self.app, {})
        await self.followers.follow(self.store, self.app, user, there, self.bounds, limit)

    async def _ask_after(self, room: str, asking: Sequence[str]) -> None:
        for user in asking:
            self.copies.ask(user, self.model.worlds.get(self.app, {}), self.bounds)
        await self._check("badges_after", {"room": room, "users": asking})

    def audits(self) -> Iterator[Coroutine[Any, Any, list[Drift]]]:
        """Audits of another room and another user at each step, and from time to time of
        everything. An audit reads all parts of a room, each by a script of its own.
        """
        if self.step % 10 == 0:
            yield self.store.audit.audit_all(repair=False)
        else:
            yield self.store.audit.audit_room(app=self.app, room=ROOMS[self.step % len(ROOMS)], repair=False)
            yield self.store.audit.audit_user(app=self.app, user=USERS[self.step % len(USERS)], repair=False)

    def questions(self) -> Sequence[tuple[str, dict[str, Any]]]:
        """All states of all members, and another part of the rest each step."""
        asked: list[tuple[str, dict[str, Any]]] = []
        for number, room in enumerate(ROOMS):
            asked.append(("members", {"room": room, "limit": 1000}))
            asked.append(("room", {"room": room, "user": USERS[(self.step + number) % len(USERS)]}))
        return [*asked, *(("rooms_of", {"user": user}) for user in USERS)]

    async def _check_receipts(self, room: str, *, sample: int) -> None:
        """Both lists, in pages, of about `sample` messages, other ones at each step; and the
        numbers of all known messages.
        """
        there = self.model.worlds.get(self.app, {}).get(room)
        known = [message.id for message in there.messages] if there else []
        every = max(1, len(known) // sample)
        chosen = [*known[self.step % every :: every], MESSAGES[self.step % len(MESSAGES)]]
        await asyncio.gather(*(self._check_receipt(room, message, which) for message in chosen for which in Filter))
        for messages in in_batches([*known, *MESSAGES], MAX_RECEIPT_MESSAGES):
            asked: dict[str, Any] = {"app": self.app, "room": room, "messages": messages}
            assert await outcome_of(self.store.receipts.receipt_counts(**asked)) == await outcome_of(
                self.model.receipts.receipt_counts(**asked)
            )

    async def _check_receipt(self, room: str, message: str, which: Filter) -> None:
        real = await outcome_of(whole_list(self.store, self.app, room, message, which, limit=1 + self.step % 4))
        true = await outcome_of(whole_list(self.model, self.app, room, message, which))
        if isinstance(real, type) or isinstance(true, type):
            assert real == true, f"receipts of {message} in {room}"
        else:
            there = self.model.worlds[self.app][room]
            check_receipts(real, true, certain=certainty(there, there.find(message), JOURNAL_MOVES))

    async def _check_subscriptions(self, user: str) -> None:
        """No visible change is missing, and no unchanged room is listed, except for derived ones,
        which always are.
        """
        if self.copies.lagging(user):
            self.copies.ask(user, self.model.worlds.get(self.app, {}), self.bounds)
        times = sorted({0, *self.copies.changed_ms.values()})
        since = times[-1 - self.step % len(times)]
        real = await self.store.rooms.subscriptions(app=self.app, user=user, since_ms=since)
        most = await self.model.rooms.subscriptions(app=self.app, user=user, since_ms=since)
        mine = set(await self.model.rooms.rooms_of(app=self.app, user=user))
        visible, derived = self.copies.changed_since(user, since), self.copies.derived_rooms(user)
        assert (visible & mine) | derived <= set(dict(real.changed)) <= set(dict(most.changed)) | derived
        assert visible - mine <= set(dict(real.removed)) <= {room for room in ROOMS if room not in mine}

    async def _check_found(self, user: str, message: str) -> None:
        """Any of the user's rooms that have the message; it is unknown if none of them has it."""
        found = await outcome_of(self.store.messages.find_message(app=self.app, user=user, message=message))
        known = self.model.messages.rooms_with(self.app, user, message)
        assert found in known or (found is MessageUnknown and not known)

    async def _check_versions(self) -> None:
        keys = [Keys.user(self.app, user) for user in USERS]
        stored = await asyncio.gather(*(self.bench.executor.command("HGET", key, "", key=key) for key in keys))
        for user, value in zip(USERS, stored, strict=True):
            self.followers.check_version(user, int.from_bytes((value or b"")[:6]))

    async def _check_copies(self, user: str) -> None:
        """Each copy is the one that was last applied. So copies lag that may, and no others."""
        key = Keys.user(self.app, user)
        stored = await self.bench.executor.call(lua.copies(rooms=()), key)
        found = {
            one.room: (one.revision, one.cursor, one.unread, State(one.state).name.lower(), one.tags) for one in stored
        }
        assert found == {name: copy for (name, who), copy in self.copies.seen.items() if who == user}
        news = await self.bench.executor.command("ZRANGE", f"{key}:n", "0", "-1", key=key)
        assert {name.decode() for name in news} == self.copies.lagging(user)

    async def _check_attention(self, name: str) -> None:
        """Each room knows whom it tells."""
        there, known = self.model.worlds.get(self.app, {}).get(name), self.copies.rooms.get(name)
        said = await self.bench.executor.call(lua.member_states(users=USERS), Keys.room(self.app, name))
        attentive = known.attentive(there) if there and known else []
        assert {state.member for state in said.states if state.attentive} == set(attentive)
        derived = {state.member for state in said.states if state.state == State.DERIVED}
        assert derived == (set(known.attentive_until) if known and known.derived else set())
        key = Keys.room(self.app, name)
        noted = await self.bench.executor.command("SMEMBERS", f"{key}:a", key=key)
        assert {member.decode() for member in noted} == (known.indexed if known else set())

    async def _check_ends(self) -> None:
        """The side of a user in a room stays; for a user in no room everything expires."""
        keys = [(Keys.user(self.app, user), suffix) for user in USERS for suffix in ("", ":g", ":s", ":k", ":d", ":n")]
        ends = iter(
            await asyncio.gather(*(self.bench.executor.command("TTL", key + suffix, key=key) for key, suffix in keys))
        )
        for user in USERS:
            side, gone, *counted = (next(ends) for _ in range(6))
            if await self.model.rooms.rooms_of(app=self.app, user=user):
                assert side == -1, "the side of a member ends"
                assert {gone, *counted} <= {-1, -2}, "a part of it ends"
            else:
                assert -1 not in (side, gone), "the side of a user who is in no room stays"
                assert counted == [-2, -2, -2, -2], "of what is counted something is left"

    def check_cursors(self) -> None:
        """No cursor goes back, not even by leaving and coming back. The model's are used: they have
        just been found equal to the store's.
        """
        for name, room in self.model.worlds.get(self.app, {}).items():
            for user, member in room.members.items():
                assert member.cursor >= self.cursors.get((name, user), 0)
                self.cursors[name, user] = member.cursor


def in_order(answer: Any) -> Any:
    """Answers that have no order, put into one. A list of members says less of each than a room
    says of the user who asks.
    """
    if isinstance(answer, list) and answer and isinstance(answer[0], MemberState):
        answer = [replace(member, moved_ms=0, has_read=False, marked_ms=None, joined=0) for member in answer]
    return sorted(answer, key=repr) if isinstance(answer, list) else answer
