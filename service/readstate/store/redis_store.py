"""Read state in Redis, made of one class for each noun. Their methods are the scripts' names."""

from readstate.domain.read_state import ReadState
from readstate.store.audit import RedisAudit
from readstate.store.badges import RedisBadges
from readstate.store.bounds import Bounds
from readstate.store.changes import RedisChanges
from readstate.store.executor import Executor
from readstate.store.latest import RedisLatest
from readstate.store.messages import RedisMessages
from readstate.store.outbox import Outbox
from readstate.store.plan_atomic import AtomicPlan
from readstate.store.plan_split import SplitPlan
from readstate.store.reading import RedisReading
from readstate.store.receipts import RedisReceipts
from readstate.store.rooms import RedisRooms
from readstate.store.throttle import RedisThrottle
from readstate.store.user_limits import UserLimits

FANOUT_LIMIT = 256  # attentive members
ATTENTION_POSTS = 4  # countable posts until a member is no longer told
MESSAGE_HISTORY = 10_000  # messages
JOURNAL_MOVES = 1024  # of one member in one room
JOURNAL_DAYS = 90
DEFAULTS = Bounds(FANOUT_LIMIT, ATTENTION_POSTS, MESSAGE_HISTORY, JOURNAL_MOVES, JOURNAL_DAYS)
USER_ROOM_LIMIT = 2000  # rooms that a backend may bring a user into; clients half of them
USER_TAG_LIMIT = 1000  # distinct tags on a user's rooms, the same


class RedisStore(ReadState, frozen=True):
    """The operations in Redis, over either plan; see docs/architecture.md."""

    rooms: RedisRooms
    messages: RedisMessages
    reading: RedisReading
    receipts: RedisReceipts
    badges: RedisBadges
    changes: RedisChanges
    audit: RedisAudit
    throttle: RedisThrottle
    latest: RedisLatest
    outbox: Outbox


def redis_store(
    executor: Executor,
    *,
    fanout_limit: int = FANOUT_LIMIT,
    attention_posts: int = ATTENTION_POSTS,
    message_history: int = MESSAGE_HISTORY,
    journal_moves: int = JOURNAL_MOVES,
    journal_days: int = JOURNAL_DAYS,
    user_room_limit: int = USER_ROOM_LIMIT,
    user_tag_limit: int = USER_TAG_LIMIT,
    events: bool = False,
) -> RedisStore:
    """The operations, one value for each noun. `events`: reads become events for webhooks."""
    bounds = Bounds(fanout_limit, attention_posts, message_history, journal_moves, journal_days)
    outbox: Outbox = SplitPlan(executor, bounds) if executor.plan == "split" else AtomicPlan(executor)
    limits = UserLimits(executor, rooms=user_room_limit, tags=user_tag_limit)
    badges = RedisBadges(executor, outbox, bounds)
    rooms = RedisRooms(executor, outbox, bounds, limits=limits, badges=badges)
    return RedisStore(
        rooms=rooms,
        messages=RedisMessages(executor, outbox, bounds, rooms=rooms),
        reading=RedisReading(executor, outbox, bounds, badges=badges, events=events),
        receipts=RedisReceipts(executor),
        badges=badges,
        changes=RedisChanges(executor, outbox, bounds, rooms=rooms),
        audit=RedisAudit(executor, outbox, bounds),
        throttle=RedisThrottle(executor),
        latest=RedisLatest(executor),
        outbox=outbox,
    )
