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
        self.sockets: list[SocketListener] = []

    def take_account(self) -> Account:
        """An account that no other user drives.

        Raises IndexError when there are more users than LOAD_ACCOUNTS.
        """
        return self.world.free.pop()

    def give_back(self, account: Account) -> None:
        self.world.free.append(account)

    # Notices

    def connected(self, account: Account, socket: SocketListener, milliseconds: float) -> None:
        """From now on every notice is due to the account. Its socket is read until the end."""
        self.sockets.append(socket)
        self.ledger.listen(account.id, [room.id for room in account.reading + account.chatting], perf_counter())
        self._report("connect", milliseconds, None)
        gevent.spawn(self._receive, account, socket)

    def _receive(self, account: Account, socket: SocketListener) -> None:
        socket.run()
        if socket.lost:
            self._report("connection", 0, ConnectionLost(account.id))

    def caused(self, notice: Notice, at: float) -> None:
        for latency_s in self.ledger.cause(notice, at):
            self._report_notice(latency_s)

    def arrived(self, listener: str, notice: Notice, at: float) -> None:
        latency_s = self.ledger.arrive(listener, notice, at)
        if latency_s is not None:
            self._report_notice(latency_s)

    def _report_notice(self, latency_s: float) -> None:
        self._report("notice", latency_s * 1000, None)

    def _report(self, name: str, milliseconds: float, exception: Exception | None) -> None:
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
        deadline = time.monotonic() + LAST_NOTICES_S
        while self.ledger.due and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.2)  # a duplicate would come just after the first
        for socket in self.sockets:
            socket.close()
        balance = self.ledger.balance()
        for kind in ("missing", "duplicate", "reordered", "unexpected"):
            for _ in range(getattr(balance, kind)):
                self._report(f"notice {kind}", 0, NoticeWrong(kind))
        return balance


class NoticeWrong(Exception):
    """A notice did not arrive exactly once, in its member's order."""


class ConnectionLost(Exception):
    """The service closed a listener's connection. Notices that it missed count as missing."""
