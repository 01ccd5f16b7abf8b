"""Reconnect storms: all listeners are cut off at once, and come back like Socket.IO's clients."""

import random
from time import perf_counter

import gevent

from loadtest.load_run import LoadRun
from loadtest.socket_listener import ListenerFailed
from loadtest.world import Account

BACK_WITHIN_S = 1.0  # each after a pause of its own, up to this
GIVE_UP_S = 60.0


class NotBack(Exception):
    """A listener could not connect again in GIVE_UP_S."""


def storms(load_run: LoadRun, every_s: float) -> None:
    """Cut all listeners off every `every_s` seconds, until the run is over.

    Those that are not back yet are left alone. `reconnect` is the time from the cut until one is
    authenticated again.
    """
    while True:
        gevent.sleep(every_s)
        if load_run.is_over:
            return
        cut_at = perf_counter()
        for account in load_run.cut_all():
            gevent.spawn(_come_back, load_run, account, cut_at)


def _come_back(load_run: LoadRun, account: Account, cut_at: float) -> None:
    pause_s = random.uniform(0, BACK_WITHIN_S)
    while True:
        gevent.sleep(pause_s)
        try:
            load_run.listen(account, "reconnect", cut_at)
            return
        except ListenerFailed as refusal:
            pause_s = refusal.retry_after_s or random.uniform(0, BACK_WITHIN_S)
        except OSError:
            pause_s = random.uniform(0, BACK_WITHIN_S)
        if perf_counter() - cut_at > GIVE_UP_S:
            load_run.report("reconnect", 0, NotBack(account.id))
            return
