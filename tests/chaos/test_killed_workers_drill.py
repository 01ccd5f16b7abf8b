"""Workers that are killed, one or all of them, also while another one hangs: calls are answered
again soon, and each death is logged with its signal and counted.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.support.drills import Drill, Found
from tests.support.processes import ServiceProcess, first_answer_s, logged, own_service, serving, workers_of
from tests.support.waiting import wait_until_now

WITHIN_S = 1.5  # on a machine that does nothing else
AT_MOST_S = 6.0


class Backend:
    """Posts to one room, and knows what its member has not read."""

    def __init__(self, service: ServiceProcess) -> None:
        self._service = service
        self._keys = {"IM-API-KEY": service.api_key, "IM-CLIENT-ID": "ann"}
        self._posts = 0
        self._call("POST", "/rooms", {"_id": "hall", "members": ["ann"]})

    def post(self) -> None:
        self._posts += 1
        message = {"_id": f"m{self._posts}", "room": "hall", "sender": "bo", "messageType": "text", "message": "hello"}
        self._call("POST", "/messages", message)

    def check(self, found: Found) -> None:
        """What was answered is there, and nothing else."""
        badge = self._call("GET", "/me/badge").json()["result"]["badge"]
        kind = found.lost if badge < self._posts else found.wrong
        if badge != self._posts:
            kind.append(f"badge {badge} after {self._posts} posts")

    def _call(self, method: str, path: str, body: object = None) -> httpx.Response:
        answer = httpx.request(method, self._service.url + path, headers=self._keys, json=body, timeout=30)
        assert answer.status_code == 200, answer.text
        return answer


@contextmanager
def killing(drill: Drill, name: str, workers: int, kills: int) -> Iterator[tuple[ServiceProcess, Found]]:
    """A service of which the block kills so many workers."""
    found = Found()
    with own_service(workers=workers) as service:
        yield service, found
        found.count("kills", kills)
        assert len(logged(service, "was ended by SIGKILL; it is replaced at once")) == kills
        counted = f'readstate_processes_replaced_total{{process="worker"}} {kills}.0'
        wait_until_now(lambda: counted in service.get("/metrics")[1].decode(), "the deaths to be counted")
    if max(found.outages_s) > (WITHIN_S if drill.long else AT_MOST_S):
        found.errors.append(f"the first answer after {found.outage}")
    drill.report(name, found)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("workers", [1, 2])
def test_all_workers_are_killed(workers: int, drill: Drill) -> None:
    times = 34 // workers if drill.long else 2
    with killing(drill, f"all workers killed, of {workers}", workers, times * workers) as (service, found):
        serving(service)
        backend = Backend(service)
        for _ in range(times):
            backend.post()
            for pid in serving(service):
                os.kill(pid, signal.SIGKILL)
            found.outages_s.append(first_answer_s(service))
            backend.check(found)


@pytest.mark.timeout(900)
def test_a_worker_is_killed_while_another_one_hangs(drill: Drill) -> None:
    """And is replaced as soon as otherwise."""
    times = 32 if drill.long else 1
    with killing(drill, "worker killed while another one hangs", 2, times) as (service, found):
        serving(service)
        backend = Backend(service)
        for _ in range(times):
            backend.post()
            hung, killed = serving(service)
            os.kill(hung, signal.SIGSTOP)
            os.kill(killed, signal.SIGKILL)
            found.outages_s.append(first_answer_s(service))
            assert hung in workers_of(service)
            os.kill(hung, signal.SIGCONT)
            backend.check(found)
