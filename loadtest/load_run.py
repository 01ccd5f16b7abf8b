"""What the Locust users of one run share: the world, the ledger of notices, open sockets."""

import time
from time import perf_counter
from typing import Any

import gevent
from locust.env import Environment

from loadtest.socket_listener import SocketListener
from loadtest.world import Account, World
from readstate.bench.ledger import Balance, Ledger, Notice

LAST_NOTICES_S = 5.0  # how long notices may be under way after the last call


class LoadRun:
    """Made at the start of a run, before the first user; ended after the last."""

    def __init__(self, environment: Environment, world: World) -> None:
        self.environment = environment
        self.world = world
        self.ledger = Ledger()
        self.is_over = False
        self.listening: dict[str, tuple[Account, SocketListener]] = {}  # by the account's id

    def take_account(self) -> Account:
        """An account that no other user drives.

        Raises IndexError when there are more users than LOAD_ACCOUNTS.
        """
        return self.world.free.pop()

    def give_back(self, account: Account) -> None:
        self.world.free.append(account)

    # Notices

    def listen(self, account: Account, name: str = "connect", since: float | None = None) -> None:
        """Connect, and from then on every notice is due to the account.

        Its socket is read until the end. `name`: of the request that Locust counts, timed from
        `since`. Raises ListenerFailed or OSError.
        """
        begun = perf_counter() if since is None else since

        def on_notice(room: str, member: str, message: str, at: float) -> None:
            self._arrived(account.id, (room, member, message), at)

        socket = SocketListener(self.world.target.url, account.token, on_notice)
        self.listening[account.id] = account, socket
        self.ledger.listen(account.id, account.rooms, perf_counter())
        self.report(name, (perf_counter() - begun) * 1000)
        gevent.spawn(self._receive, account, socket)

    def cut_all(self) -> list[Account]:
        """End all connections. Nothing is due to these accounts until they listen again."""
        cut, self.listening = self.listening, {}
        for account, socket in cut.values():
            self.ledger.unlisten(account.id, account.rooms)
            socket.cut()
        return [account for account, _ in cut.values()]

    def _receive(self, account: Account, socket: SocketListener) -> None:
        socket.run()
        if socket.lost:
            self.report("connection", 0, ConnectionLost(account.id))

    def caused(self, notice: Notice, at: float) -> None:
        for latency_s in self.ledger.cause(notice, at):
            self._report_notice(latency_s)

    def _arrived(self, listener: str, notice: Notice, at: float) -> None:
        latency_s = self.ledger.arrive(listener, notice, at)
        if latency_s is not None:
            self._report_notice(latency_s)

    def _report_notice(self, latency_s: float) -> None:
        self.report("notice", latency_s * 1000)

    def report(self, name: str, milliseconds: float, exception: Exception | None = None) -> None:
        """One request for Locust's statistics."""
        fire: Any = self.environment.events.request.fire
        fire(
            request_type="SIO",
            name=name,
            response_time=milliseconds,
            response_length=0,
            exception=exception,
            context={},
        )

    # The end

    def finish(self) -> Balance:
        """Wait for what is due, at most LAST_NOTICES_S; close the sockets; count the faults."""
        self.is_over = True
        deadline = time.monotonic() + LAST_NOTICES_S
        while self.ledger.due and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.2)  # a duplicate would come just after the first
        for _, socket in self.listening.values():
            socket.close()
        balance = self.ledger.balance()
        for kind in ("missing", "duplicate", "reordered", "unexpected"):
            for _ in range(getattr(balance, kind)):
                self.report(f"notice {kind}", 0, NoticeWrong(kind))
        return balance


class NoticeWrong(Exception):
    """A notice did not arrive exactly once, in its member's order."""


class ConnectionLost(Exception):
    """The service closed a listener's connection. Notices that it missed count as missing."""
