"""What a deployment needs of its machine: user, directory, secrets, port, descriptors, memory."""

import os
import resource
import shutil
from pathlib import Path

from readstate.doctor.finding import Wrong
from readstate.errors import Doubt, SettingsError
from readstate.files import check_private_directory
from readstate.process.listener import StartError, ask_ready, listen, reachable_host
from readstate.process.machine import memory_bytes
from readstate.settings import PREFIX, Settings

# Measured: 25 KB for a websocket of a user in five rooms of 20 members, who is authenticated, with
# nothing under way; and 50 MB for a worker. The rest is room for traffic.
SOCKET_BYTES = 48 * 1024
WORKER_BYTES = 128 * 1024 * 1024
# Descriptors of a worker beside its sockets: connections of HTTP and to the store, files.
OTHER_DESCRIPTORS = 512
# Of a disk: the embedded store rewrites its file when it has doubled, and has it twice then.
SPACE_BYTES = 256 * 1024 * 1024
_MIB = 1024 * 1024


def user() -> str:
    """Whether the service has more rights than it needs."""
    if os.geteuid() == 0:
        raise Doubt("running as root, with more rights than readstate needs; start it as a user of its own")
    return f"user {os.geteuid()}, who is not root"


def data_directory(settings: Settings) -> str:
    """Whether the data directory can be used, if one is needed."""
    if settings.redis_url is not None and not settings.open_secrets():
        return "none is needed: every secret is given, and the store is a server of its own"
    directory = Path(settings.data_dir)
    words = _usable(directory)
    if settings.redis_url is None:
        _check_space(directory)
    return words


def _usable(directory: Path) -> str:
    """Raises Wrong, and SettingsError as `check_private_directory` does."""
    if not directory.exists():
        place = next(parent for parent in directory.parents if parent.exists())
        if not os.access(place, os.W_OK | os.X_OK):
            raise Wrong(f"{directory} cannot be made in {place}; name another READSTATE_DATA_DIR, or run `chown`")
        return f"{directory} will be made"
    try:
        check_private_directory(directory)
    except SettingsError:
        if directory.is_dir() and directory.stat().st_uid == os.geteuid() and not any(directory.iterdir()):
            return f"{directory} is empty, and will be closed to other users"
        raise
    return f"{directory} is private"


def _check_space(directory: Path) -> None:
    """Raises Doubt when the disk on which the embedded store writes is nearly full."""
    place = next(one for one in (directory, *directory.parents) if one.exists())
    free = shutil.disk_usage(place).free
    if free < SPACE_BYTES:
        raise Doubt(
            f"{directory} is on a disk with {free // _MIB:,} MB left: when it is full, the embedded store takes no "
            "writes; free some space there, or name another READSTATE_DATA_DIR"
        )


def secrets(settings: Settings) -> str:
    """Whether other machines would have the same secrets."""
    if names := settings.open_secrets():
        variables = ", ".join(PREFIX + name.upper() for name in names)
        if settings.redis_url is not None:
            raise Doubt(
                f"{variables} will be made on this machine, and other ones on another machine; "
                "give all machines the same ones (docs/keys.md)"
            )
        return f"{variables} will be made and kept in {settings.data_dir}"
    return "all are given, or kept"


def listening(settings: Settings) -> str:
    """Whether the address is free, or a service like this one listens there."""
    host, port = settings.host, settings.port
    try:
        with listen(host, port):
            pass
    except StartError:
        if state := _state_of_service(settings):
            return state
        raise
    if (ops := settings.ops_address()) is None:
        return f"{host} port {port} is free" if port else f"{host} has free ports"
    with listen(*ops, setting="READSTATE_OPS"):
        return f"{host} port {port} and {ops[0]} port {ops[1]} are free"


def _state_of_service(settings: Settings) -> str:
    """How the service that listens there is; "" when it is no readstate. Raises Doubt."""
    host, port = settings.ops_address() or (settings.host, settings.port)
    ready, answer = ask_ready((reachable_host(host), port))
    where = f"a readstate listens on {settings.host} port {settings.port}"
    if (missing := _missing(settings)) and (ready or answer.startswith("503 not ready: ")):
        raise Doubt(f"{where}, and these are not its settings: {missing}; give doctor those of the service") from None
    if ready:
        return f"{where}, and is ready"
    if answer.startswith("503 not ready: "):
        raise Doubt(f"{where}, and is {answer.strip()[4:]}") from None
    return ""


def _missing(settings: Settings) -> str:
    """What a service with these settings would have made when it started; "" when all is there."""
    if settings.redis_url is None and not Path(settings.data_dir).exists():
        return f"{settings.data_dir} does not exist"
    return f"no keys are kept in {settings.data_dir}" if settings.open_secrets() else ""


def descriptors(settings: Settings, sockets: int) -> str:
    """Whether each worker may have its part of so many sockets."""
    _, limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = sockets // settings.workers + OTHER_DESCRIPTORS
    if limit != resource.RLIM_INFINITY and limit < needed:
        raise Wrong(
            f"a process may have {limit} files and sockets, and {sockets:,} sockets need {needed:,} in each worker; "
            "raise it (systemd: LimitNOFILE, docker: --ulimit nofile, a shell: ulimit -n)"
        )
    return f"{sockets:,} sockets need {needed:,} descriptors in each worker, of {limit:,}"


def memory(settings: Settings, sockets: int) -> str:
    """Whether the machine has the memory for so many sockets, and for an embedded store."""
    total = memory_bytes()
    needed = sockets * SOCKET_BYTES + settings.workers * WORKER_BYTES
    store = 0
    if settings.redis_url is None:
        store = (settings.embedded_memory_mb or total // 2 // _MIB) * _MIB
    words = f"{sockets:,} sockets and {settings.workers} worker(s) need some {needed // _MIB:,} MB" + (
        f", the embedded store up to {store // _MIB:,} MB" if store else ""
    )
    if needed + store > total:
        raise Doubt(
            f"{words}, and there are {total // _MIB:,} MB; use a larger machine, "
            "or several, or set READSTATE_EMBEDDED_MEMORY_MB"
        )
    return f"{words}, of {total // _MIB:,} MB"
