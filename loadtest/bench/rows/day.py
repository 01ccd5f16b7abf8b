"""Row o: what the store does in a day of chat, by how long attention lasts."""

from dataclasses import replace
from statistics import mean

from loadtest.bench.bench import Bench
from loadtest.bench.day import POST_S, READ_S, SESSION_S, Day, DaySize, Kind
from loadtest.bench.feed import DayCost, attention_name, day_cost
from loadtest.bench.figures import MEASURES, RowResult, say
from loadtest.bench.population import ALL_ATTENTIVE
from readstate.store.bounds import DEFAULTS

PLACES = ((250, 26), (20, 7))  # members of the largest room, rooms of a user
ONLINE = (0.07, 0.22)
HEADER = ("day", "attention, posts", "store, s", "share", "a post, us", "a badge, us", "a read, us", "CPU, s", "share")


def mixed_day(bench: Bench) -> RowResult:
    """The same days with attention of several lengths, and with all members attentive."""
    lengths, lines, shares = bench.lengths, [], []
    size = DaySize(lengths.day_users, posts=lengths.day_posts, warm=lengths.day_posts // 2)
    attentions = sorted({*lengths.day_attention, DEFAULTS.attention_posts, ALL_ATTENTIVE})
    for largest, rooms_each in PLACES:
        for online in ONLINE:
            found = []
            for ask_s in lengths.day_ask_s:
                day = Day(replace(size, largest=largest, rooms_each=rooms_each, online=online, ask_s=ask_s))
                say(str(day.size))
                costs = {posts: day_cost(day.rooms, day.warm_up, day.calls, posts) for posts in attentions}
                found.append(costs[DEFAULTS.attention_posts].seconds / costs[ALL_ATTENTIVE].seconds)
                lines += [_line(day, posts, costs) for posts in attentions]
            shares.append(max(found))
    return RowResult(
        ", ".join(f"{share:.2f}" for share in shares),
        MEASURES["mixed_day"].reached(*shares),
        mean(shares),
        notes=(
            f"{size.users} users; {size.posts:,} posts after {size.warm:,} that are not counted. People are online for "
            f"{SESSION_S / 60:.0f} minutes at a time and read a room in which something is unread every {READ_S:.0f} "
            f"s. For each user of the service a post is made every {POST_S:.0f} s. The calls of a day are the same "
            "for each length of attention.",
            f"Each figure is that of the dearer pace of asking, with attention of {DEFAULTS.attention_posts} posts. "
            "`make bench-check` compares their mean.",
            "Store: time in scripts, by the server's clock. CPU: of the server in all, with its network and its file. "
            "Shares are of what it is when attention lasts for good.",
        ),
        table=(HEADER, *lines),
    )


def _line(day: Day, posts: int, costs: dict[int, DayCost]) -> tuple[str, ...]:
    cost, most = costs[posts], costs[ALL_ATTENTIVE]
    return (
        str(day.size),
        attention_name(posts),
        f"{cost.seconds:.2f}",
        f"{cost.seconds / most.seconds:.2f}",
        f"{cost.us[Kind.POST]:.0f}",
        f"{cost.us[Kind.ASK]:.1f}",
        f"{cost.us[Kind.READ]:.1f}",
        f"{cost.cpu_s:.2f}",
        f"{cost.cpu_s / most.cpu_s:.2f}",
    )
