"""What the service measures about itself, for Prometheus.

Labels are names of operations (those of `domain.read_state` and of a few calls around it) and
outcomes (`ok` or the code of the error). Both are short fixed lists. Users, rooms and messages are
never labels.

Each of several workers keeps its numbers in a file of its own in `PROMETHEUS_MULTIPROC_DIR`, and
every worker can give the sum. The variable must name a private empty directory before the first
import of this module.
"""

import contextlib
import os
from pathlib import Path
from time import perf_counter
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
DIRECTORY_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

# From the time of a script on a quiet machine up to the time that a client waits.
LATENCY_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
# From one look at a shard up to a receiver that was away for an hour.
WEBHOOK_LAG_BUCKETS_S = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0, 3600.0)

REQUESTS = Histogram(
    "readstate_request_seconds",
    "Time to answer, by operation and outcome.",
    ["surface", "operation", "outcome"],
    buckets=LATENCY_BUCKETS_S,
)
BUILD_INFO = Gauge("readstate_build_info", "1, of the version that runs.", ["version"], multiprocess_mode="livemax")
WORKERS = Gauge("readstate_workers", "Workers that run.", multiprocess_mode="livesum")
WORKER_MEMORY = Gauge("readstate_worker_memory_bytes", "Memory of the workers.", multiprocess_mode="livesum")
WORKER_CPU = Counter("readstate_worker_cpu_seconds", "Processor time of the workers.")
EVENT_LOOP_DELAY = Histogram(
    "readstate_event_loop_delay_seconds",
    "How late a worker's event loop was, at four looks a second.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0),
)
ROUND_TRIPS = Counter("readstate_redis_round_trips", "Batches of commands written to Redis.")
SCRIPTS_KILLED = Counter("readstate_scripts_killed", "Scripts that ran too long and were ended, by script.", ["script"])
PROCESSES_REPLACED = Counter(
    "readstate_processes_replaced",
    "Processes that died and were started again: worker, deliverer, or store (the embedded one).",
    ["process"],
)
STORE_REFUSALS = Counter(
    "readstate_store_refusals",
    "Calls that a server refused for the time being, by the first word of its reply.",
    ["word"],
)
NODES_EMPTIED = Counter("readstate_nodes_emptied", "Times that a node came back without its data.")
STORE_MEMORY = Gauge(
    "readstate_store_memory_bytes", "Memory that the fullest server uses.", multiprocess_mode="livemostrecent"
)
STORE_MEMORY_LIMIT = Gauge(
    "readstate_store_memory_limit_bytes", "Its maxmemory; 0: none.", multiprocess_mode="livemostrecent"
)
FAILOVERS = Counter("readstate_failovers", "Times that another primary of a cluster was met.")
COPIES_RECONCILED = Counter(
    "readstate_copies_reconciled", "Copies that were updated after a failover, those of changes under way too."
)
OPEN_SOCKETS = Gauge("readstate_open_sockets", "Sockets that are connected.", multiprocess_mode="livesum")
NOTICES_SENT = Counter("readstate_notices_sent", "Notices put on the way to a socket, by event.", ["event"])
NOTICES_DROPPED = Counter("readstate_notices_dropped", "Notices that did not reach a socket, by reason.", ["reason"])
NOTICE_GAPS = Counter("readstate_notice_gaps", "Times that a worker may have missed notices of users or rooms.")
SUBSCRIPTIONS = Gauge(
    "readstate_subscriptions", "Rooms and users whose notices the workers listen to.", multiprocess_mode="livesum"
)
WEBHOOKS_DELIVERED = Counter(
    "readstate_webhooks_delivered", "Webhooks that were accepted, by form; none: nothing to tell.", ["form"]
)
WEBHOOKS_FAILED = Counter(
    "readstate_webhooks_failed", "Attempts to deliver a webhook that failed, by reason.", ["reason"]
)
WEBHOOKS_DEAD = Counter("readstate_webhooks_dead", "Events that were given up and became dead letters.")
WEBHOOKS_WAITING = Gauge(
    "readstate_webhooks_waiting", "Events that wait to be delivered.", ["shard"], multiprocess_mode="livesum"
)
WEBHOOK_LAG = Histogram(
    "readstate_webhook_lag_seconds", "From a read to the receiver's acceptance.", buckets=WEBHOOK_LAG_BUCKETS_S
)

_children: dict[tuple[str, str, str], Histogram] = {}


def observe(surface: str, operation: str, outcome: str, started_s: float) -> float:
    """Count one request that began at `started_s` (perf_counter). Returns the seconds it took."""
    elapsed_s = perf_counter() - started_s
    key = (surface, operation, outcome)
    child = _children.get(key)
    if child is None:
        child = _children[key] = REQUESTS.labels(*key)
    child.observe(elapsed_s)
    return elapsed_s


def exposition() -> bytes:
    """All numbers as text, summed over the workers."""
    if DIRECTORY_VARIABLE not in os.environ:
        return generate_latest(REGISTRY)
    _forget_dead_workers(Path(os.environ[DIRECTORY_VARIABLE]))
    registry = CollectorRegistry()
    _OfAllProcesses(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


class _OfAllProcesses(MultiProcessCollector):
    """The library's, without files that a process is just making. They are empty, and it fails on
    them.
    """

    def collect(self) -> Any:
        files = [str(file) for file in Path(self._path).glob("*.db") if _is_made(file)]
        return self.merge(files, accumulate=True)  # type: ignore[no-untyped-call]


def _is_made(file: Path) -> bool:
    try:
        return file.stat().st_size > 0
    except FileNotFoundError:  # of a worker that has ended
        return False


def _forget_dead_workers(directory: Path) -> None:
    """Drop the gauges of workers that have ended. Their counters stay in the sum."""
    for file in directory.glob("gauge_live*_*.db"):
        pid = int(file.stem.rpartition("_")[2])
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            with contextlib.suppress(FileNotFoundError):  # another worker does the same just now
                mark_process_dead(pid)  # type: ignore[no-untyped-call]
        except PermissionError:
            pass  # a living process of another user: no worker, but no reason to remove the file
