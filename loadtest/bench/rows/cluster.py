"""Row u: what a read costs a worker and its caller on a cluster, beside one server."""

from functools import partial

from loadtest.bench.bench import Bench, median_ratio
from loadtest.bench.drive import Sample
from loadtest.bench.figures import MEASURES, RowResult, say
from loadtest.bench.machine import DRIVER_CORE
from loadtest.bench.nodes import nodes

PRIMARIES = 3
MANY = 32  # calls in flight: a worker under load
FASTEST = 25_000  # calls per second that are not exceeded with so many
FASTEST_ALONE = 5_000  # with one
HEADER = (
    "turn",
    "in flight",
    "one server: worker's CPU for one, us",
    "p50 us",
    "cluster: worker's CPU for one, us",
    "p50 us",
    "CPU, times",
    "p50, times",
)


def cluster_cost(bench: Bench) -> RowResult:
    """Each has its own service and people; both are reached over TCP."""
    lengths = bench.lengths

    def sample(place: Bench, connections: int) -> Sample:
        fastest = FASTEST if connections == MANY else FASTEST_ALONE
        return place.reads(place.service, lengths.sample_s, fastest=fastest, connections=connections)

    with (
        Bench(lengths, partial(nodes, DRIVER_CORE, 1)) as single,
        Bench(lengths, partial(nodes, DRIVER_CORE, PRIMARIES)) as cluster,
    ):
        sample(single, MANY), sample(cluster, MANY)
        say(f"PUT lastRead on a cluster of {PRIMARIES} primaries and on one server in turn")
        turns = [
            {flying: (sample(cluster, flying), sample(single, flying)) for flying in (MANY, 1)}
            for _ in range(lengths.pairs)
        ]
    many, alone = ([turn[flying] for turn in turns] for flying in (MANY, 1))
    cpu = median_ratio((one.cpu_us, other.cpu_us) for one, other in many)
    waits = median_ratio((one.p50_us, other.p50_us) for one, other in alone)
    cpu_alone = median_ratio((one.cpu_us, other.cpu_us) for one, other in alone)
    waits_many = median_ratio((one.p50_us, other.p50_us) for one, other in many)
    return RowResult(
        f"{cpu:.2f}, {waits:.2f}",
        MEASURES["cluster_cost"].reached(cpu, waits),
        cpu,
        notes=(
            f"CPU with 1 call in flight {cpu_alone:.2f} times, p50 with {MANY} {waits_many:.2f} times.",
            "All servers are on the driver's core, also the three primaries, so they take time from each other.",
        ),
        table=(HEADER, *(_line(turn, flying, *one) for turn, of in enumerate(turns, 1) for flying, one in of.items())),
    )


def _line(turn: int, flying: int, cluster: Sample, single: Sample) -> tuple[str, ...]:
    figures = [f"{figure:.0f}" for one in (single, cluster) for figure in (one.cpu_us, one.p50_us)]
    ratios = [f"{cluster.cpu_us / single.cpu_us:.2f}", f"{cluster.p50_us / single.p50_us:.2f}"]
    return str(turn), str(flying), *figures, *ratios
