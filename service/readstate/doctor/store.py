"""What a deployment needs of its store. Nothing is written."""

from collections.abc import Sequence
from pathlib import Path

from readstate.doctor.finding import Finding, Level, ask, ask_later
from readstate.errors import Doubt, ReadStateError
from readstate.process.embedded import find_server, holds_data, socket_path
from readstate.settings import Settings
from readstate.store.connect import connect
from readstate.store.examination import QUESTIONS, Node, primaries
from readstate.store.executor import Executor
from readstate.store.functions import has_functions
from readstate.store.layout import StoreLayout
from readstate.store.server_check import ServerRefused
from readstate.store.urls import without_password
from readstate.store.workers import shared_keys, workers_at_work


async def examine_store(settings: Settings) -> list[Finding]:
    """Examine the server or cluster of the settings, or the embedded one while it runs."""
    if settings.redis_url is None:
        directory = Path(settings.data_dir)
        if not socket_path(directory).exists():
            return [ask("store", lambda: _embedded(directory))]
    url = settings.redis_url or f"unix://{socket_path(Path(settings.data_dir))}"
    try:
        async with primaries(url) as nodes:
            where = f"cluster of {len(nodes)} primaries" if len(nodes) > 1 else without_password(url)
            findings = [Finding("store", Level.OK, f"{where} answers")]
            for check, question in QUESTIONS.items():
                findings += _together([await ask_later(check, question(node)) for node in nodes], nodes)
            findings.append(ask("durability", lambda: _durability(settings, nodes)))
    except ServerRefused as refusal:
        return [Finding("store", Level.WRONG, str(refusal))]
    return findings + await _examine_data(url, settings)


def _embedded(directory: Path) -> str:
    """Whether an embedded server can be started. One that does not run is not asked more."""
    server = find_server()
    if not holds_data(directory):
        return f"the embedded store will be made, by {server}"
    return f"the embedded store in {directory} does not run; more can be said while the service runs"


def _together(findings: Sequence[Finding], nodes: Sequence[Node]) -> list[Finding]:
    """One finding for what all nodes say alike; of what differs, one that names its node."""
    if len({(finding.level, finding.says) for finding in findings}) == 1:
        return [findings[0]]
    return [
        Finding(finding.check, finding.level, f"{node.where}: {finding.says}")
        for finding, node in zip(findings, nodes, strict=True)
    ]


def _durability(settings: Settings, nodes: Sequence[Node]) -> str:
    """Whether the store can confirm what READSTATE_DURABILITY asks for."""
    if settings.durability == "fsynced" and not all(node.info.get("aof_enabled") == 1 for node in nodes):
        raise Doubt("READSTATE_DURABILITY is fsynced, and there is no append-only file; set appendonly to yes")
    if settings.durability == "replicated" and not all(node.info.get("connected_slaves") for node in nodes):
        raise Doubt("READSTATE_DURABILITY is replicated, and a primary has no replica; give each one, or set another")
    return f"answers are as durable as READSTATE_DURABILITY says: {settings.durability}"


async def _examine_data(url: str, settings: Settings) -> list[Finding]:
    try:
        executor = await connect(url, load=False)
    except (ServerRefused, ReadStateError) as error:
        return [Finding("data", Level.WRONG, str(error))]
    try:
        return [
            await ask_later("layout", _layout(executor)),
            await ask_later("functions", _functions(executor)),
            await ask_later("keys", _keys(executor, settings)),
        ]
    finally:
        await executor.close()


async def _layout(executor: Executor) -> str:
    """Whether this version can work on the data."""
    layout = StoreLayout(executor)
    noted = await layout.look()
    if not any(one.number for one in noted.values()):
        try:
            await layout.require()
        except ServerRefused as earlier:
            raise Doubt(str(earlier)) from None
        return "there are no data yet"
    return f"the data have layout {layout.describe()}"


async def _functions(executor: Executor) -> str:
    """Whether the scripts of this version are loaded."""
    if await has_functions(executor):
        return "the functions of this version are loaded"
    return "the functions of this version are not loaded; `readstate serve` loads them"


async def _keys(executor: Executor, settings: Settings) -> str:
    """Whether the workers that use the store now have the same keys as these settings."""
    workers, warnings = await workers_at_work(executor, shared_keys(settings))
    if warnings:
        raise Doubt("; ".join(warnings))
    return f"{workers} worker(s) use this store, with the same keys" if workers else "no worker uses this store now"
