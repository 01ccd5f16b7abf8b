"""How long and how large a run is."""

from dataclasses import dataclass, replace

from readstate.store.bounds import DEFAULTS


@dataclass(frozen=True)
class Lengths:
    """Of the whole run (FULL) and of one that only shows where things stand (QUICK)."""

    pairs: int  # A B A B: how often two things are measured in turn
    sample_s: int  # one uninterrupted stretch of closed load
    warm_s: int
    users: int  # of the population that HTTP is measured on
    bulk_users: int
    loads: tuple[float, ...]  # shares of the capacity at which latency is measured, besides half
    load_s: float
    half_load_s: float  # at half of the capacity, which is the figure
    script_rounds: int  # runs of redis-benchmark over all pairs
    post_batches: int
    large_room: int  # members
    memory_users: int  # with 50 rooms each; fewer with more rooms, so that there are as many read states
    memory_rooms_each: tuple[int, ...]
    many_users: int  # of the large population of row i
    day_users: int  # of row o
    day_posts: int  # of each of its days
    day_ask_s: tuple[int, ...]  # between two badges of a person online
    day_attention: tuple[int, ...]  # posts that attention lasts, besides the default
    crowd: int  # members of the large room of row p
    mix_states: int  # read states that the posts of a mix of row q change
    noisy_rooms: int  # of each poller of row q
    message_rooms: int  # of row s, with 100 messages each
    dear_rooms: int  # of one user, in row t
    dear_rounds: int  # of each of its calls
    sockets: int  # of the crowd of rows ab to ae and ag
    memory_sockets: int  # in row aa; all members of their rooms
    idle_sockets: int  # in row ab
    idle_s: float
    connected: int  # in rows ac and ae
    hold_s: float  # row ad; 300 is the whole length
    churn_s: float  # row ae; 1200 is the whole length
    overload_s: float  # row af; 120 is the whole length
    honest: int  # sockets of row ag
    hostile: int
    storm: int  # members of the room of row ah
    emitted: int  # notices in a stretch of row w
    worker_users: int  # of each worker of row y


FULL = Lengths(
    pairs=5,
    sample_s=5,
    warm_s=4,
    users=1000,
    bulk_users=300,
    loads=(0.1, 0.25, 0.7, 0.85),
    load_s=10,
    half_load_s=30,
    script_rounds=60,
    post_batches=20,
    large_room=1_000_000,
    memory_users=2000,
    memory_rooms_each=(5, 20, 50, 100, 200),
    many_users=20_000,
    day_users=500,
    day_posts=3000,
    day_ask_s=(5, 30),
    day_attention=(1, 2, 4, 8),
    crowd=10_000,
    mix_states=80_000,
    noisy_rooms=500,
    message_rooms=10_000,
    dear_rooms=DEFAULTS.user_room_limit,
    dear_rounds=20,
    sockets=15_000,
    memory_sockets=5000,
    idle_sockets=8000,
    idle_s=50.0,
    connected=5000,
    hold_s=30.0,
    churn_s=60.0,
    overload_s=15.0,
    honest=5000,
    hostile=1000,
    storm=1000,
    emitted=2000,
    worker_users=100,
)

# What takes minutes at its whole length takes all of it.
WHOLE = replace(FULL, hold_s=300.0, churn_s=1200.0, overload_s=120.0)

QUICK = Lengths(
    pairs=3,
    sample_s=2,
    warm_s=2,
    users=1000,
    bulk_users=300,
    loads=(0.25, 0.75),
    load_s=3,
    half_load_s=5,
    script_rounds=12,
    post_batches=6,
    large_room=100_000,
    memory_users=2000,  # memory grows in steps: with fewer it is not the same
    memory_rooms_each=(50,),
    many_users=4000,
    day_users=300,
    day_posts=1000,
    day_ask_s=(5,),
    day_attention=(),
    crowd=10_000,
    mix_states=20_000,
    noisy_rooms=500,
    message_rooms=500,
    dear_rooms=DEFAULTS.user_room_limit,
    dear_rounds=6,
    sockets=4000,
    memory_sockets=2000,
    idle_sockets=4000,
    idle_s=26.0,
    connected=2000,
    hold_s=5.0,
    churn_s=20.0,
    overload_s=6.0,
    honest=1000,
    hostile=200,
    storm=1000,
    emitted=1000,
    worker_users=100,
)
