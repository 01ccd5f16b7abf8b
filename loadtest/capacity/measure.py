"""What only capacity asks: bytes of calls and channels, and whether a prediction comes true."""

from collections import Counter

from loadtest.bench.bench import run
from loadtest.bench.day import DaySize
from loadtest.bench.figures import say
from loadtest.bench.machine import DRIVER_CORE, SERVER_CORE, on_core
from loadtest.bench.processes import valkey
from loadtest.capacity import costs as table
from loadtest.capacity.costs import Costs, Row
from loadtest.peers.ours import http
from loadtest.peers.work import Act, DayOfWork, feed, mean_members

CHANNELS = 20_000
CHANNEL_CHARS = 48  # of a room's channel with ids of IMKit's lengths
OVERHEAD = 66  # of TCP, IP and Ethernet, for each packet
FRAME_CHARS = 107  # lastRead with ids of 24, 13 and 24 characters
ANOTHER = DaySize(users=300, posts=1500, warm=300, rooms_each=7, largest=20, online=0.22)
BY = "`python -m loadtest.capacity --check`"


def measured(costs: Costs, size: DaySize = ANOTHER) -> list[Row]:
    """The rows of the table that are measured here."""
    with on_core(DRIVER_CORE):
        return [
            Row(table.SUBSCRIPTION, subscription_bytes(), "bytes", BY),
            Row(table.FRAME, FRAME_CHARS + 4 + OVERHEAD, "bytes", "the length of a `lastRead`, with its headers"),
            *run(_day(costs, DayOfWork(size))),
        ]


def subscription_bytes(channels: int = CHANNELS) -> float:
    """Memory that the store takes for one channel to which one worker subscribes."""
    say(f"{channels:,} subscriptions")
    with valkey(SERVER_CORE) as server:
        before = server.used_memory()
        with server.subscribed([f"{number:0{CHANNEL_CHARS}}" for number in range(channels)]):
            return round((server.used_memory() - before) / channels, 1)


async def _day(costs: Costs, day: DayOfWork) -> list[Row]:
    """A day over HTTP: its bytes, its CPU, and what the table predicts of that."""
    calls = Counter(call.act for call in day.calls)
    members = mean_members([call for call in day.calls if call.act is Act.POST], day.rooms)
    say(f"a day of {len(day.calls):,} calls")
    async with http() as peer:
        await peer.make_rooms(day.rooms)
        await feed(peer, day.warm_up)
        bytes_before, network_before, before = peer.client_bytes, peer.network(), peer.cpu_s()
        await feed(peer, day.calls)
        after = peer.cpu_s()
        client_bytes, network = peer.client_bytes - bytes_before, peer.network() - network_before
    rows = [
        Row(table.REQUEST, round(client_bytes / len(day.calls) + 2 * OVERHEAD, 1), "bytes", BY),
        Row(table.STORE_CALL, round(network / len(day.calls), 1), "bytes", BY),
    ]
    for part in table.PARTS:
        predicted = costs.mix({act: float(count) for act, count in calls.items()}, members, part)
        rows += [
            Row(table.predicted_name(part), round(predicted, 3), "s", BY),
            Row(table.measured_name(part), round(after[part] - before[part], 3), "s", BY),
        ]
    return rows
