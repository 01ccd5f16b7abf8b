"""What Locust loads: the users, and the work before the first and after the last of them."""

import os
from pathlib import Path
from typing import Any

import gevent
from locust import events
from locust.env import Environment

from loadtest.load_run import LoadRun
from loadtest.report import VERDICT
from loadtest.storms import storms
from loadtest.target import Target
from loadtest.users import ChatDay, HotPath, Listener, OpenHotPath
from loadtest.world import World
from readstate.bench.ledger import LATE_S

__all__ = ["ChatDay", "HotPath", "Listener", "OpenHotPath"]

LISTENERS = int(os.environ["LOAD_LISTENERS"])
Listener.fixed_count = LISTENERS


@events.init.add_listener  # type: ignore[untyped-decorator]
def make_world(environment: Environment, **_: Any) -> None:
    """Users, rooms and tokens of this run, made before its clock starts."""
    target = Target.from_environ(os.environ)
    environment.host = target.url
    world = World(target, listeners=LISTENERS)
    environment.load_run = load_run = LoadRun(environment, world)  # type: ignore[attr-defined]
    if target.storm_every < float("inf"):
        gevent.spawn(storms, load_run, target.storm_every)
    print(
        f"world {world.run}: {len(world.reading)} rooms to read in, {len(world.chatting)} to chat in, "
        f"{len(world.free)} accounts, "
        f"{LISTENERS} listeners, {target.messages} messages to read in each room"
    )


@events.test_stop.add_listener  # type: ignore[untyped-decorator]
def check_notices(environment: Environment, **_: Any) -> None:
    """Wait for the last notices, then say what became of them.

    Anything wrong makes the run fail.
    """
    load_run: LoadRun | None = getattr(environment, "load_run", None)
    if load_run is None:
        environment.process_exit_code = 1
        return
    balance = load_run.finish()
    verdict = (
        f"{balance.arrived} arrived, {balance.missing} missing, {balance.duplicate} duplicate, "
        f"{balance.reordered} reordered, "
        f"{balance.unexpected} unexpected, {balance.superseded} superseded by a newer one, "
        f"{balance.late} late (over {LATE_S:.0f} s)"
    )
    print(f"notices: {verdict}")
    if VERDICT in os.environ:
        Path(os.environ[VERDICT]).write_text(verdict, encoding="utf-8")
    if balance.wrong or (LISTENERS and not balance.arrived):
        environment.process_exit_code = 1
