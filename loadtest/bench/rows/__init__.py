"""The rows of the table, by name. Each function takes the Bench and returns an RowResult."""

from collections.abc import Callable

from loadtest.bench.bench import Bench
from loadtest.bench.figures import RowResult
from loadtest.bench.rows import (
    attention,
    cluster,
    day,
    dearest,
    deliveries,
    hostile,
    http,
    latency,
    memory,
    messages,
    notices,
    posts,
    receipts,
    script,
    size,
    sockets,
    worst,
)

ROWS: dict[str, Callable[[Bench], RowResult]] = {
    row.__name__: row
    for row in (
        http.put_ceiling,
        http.pool_ratio,
        http.badge_ratio,
        http.bulk_ratio,
        latency.open_latency,
        script.script_ratio,
        posts.post_by_room_size,
        memory.memory_per_state,
        size.many_states,
        http.worker_cpu,
        receipts.receipts_page,
        receipts.journal_memory,
        receipts.receipts_memory,
        script.event_cost,
        day.mixed_day,
        attention.post_by_attention,
        worst.worst_mix,
        messages.message_memory,
        messages.all_memory,
        dearest.dearest_calls,
        cluster.cluster_cost,
        deliveries.delivery_cpu,
        deliveries.emit_ratio,
        deliveries.unconcerned_notice,
        deliveries.deployment_cpu,
        notices.notice_latency,
        sockets.socket_memory,
        sockets.idle_sockets,
        sockets.connecting,
        sockets.many_sockets,
        sockets.churn_memory,
        notices.overload,
        hostile.hostile_sockets,
        notices.read_storm,
    )
}
