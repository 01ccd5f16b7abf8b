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
    bounds: Bounds


def redis_store(executor: Executor, *, events: bool = False, **given: int) -> RedisStore:
    """The operations, one value for each noun. `given`: those bounds that differ from the defaults.

    `events`: reads become events for webhooks.
    """
    bounds = Bounds(**given)
    outbox: Outbox = SplitPlan(executor, bounds) if executor.plan == "split" else AtomicPlan(executor)
    limits = UserLimits(executor, bounds)
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
        bounds=bounds,
    )
