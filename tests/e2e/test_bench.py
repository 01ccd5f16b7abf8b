"""`readstate bench` against a service."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest

from readstate.cli.main import main
from readstate.replay.temporary import TemporaryService, temporary_service

SMALL = ("--users", "6", "--rooms", "3", "--listeners", "2", "--seconds", "0.3", "--rate", "60", "--p99-ms", "9000")
VERDICT = "At 60 calls a second p99 is within 9000 ms, the highest that was tried."


@pytest.fixture(scope="module")
def service() -> Iterator[TemporaryService]:
    with temporary_service() as service:
        yield service


def test_a_service_is_loaded_and_left_as_it_was(
    service: TemporaryService, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By users with tokens of their own, and by the backend.

    The notices of all reads are checked. No room stays.
    """
    report = tmp_path / "report.html"
    keys = ("--url", service.url, "--api-key", service.api_key)
    by_users = ("--client-key", service.client_key, "--report", str(report))
    assert main(["bench", *keys, *by_users, *SMALL]) == 0, capsys.readouterr()
    printed, shown = capsys.readouterr().out, report.read_text(encoding="utf-8")
    # A full disk keeps the report, and not the verdict.
    assert main(["bench", *keys, "--report", "/dev/full", *SMALL]) == 2
    assert VERDICT in capsys.readouterr().out
    as_user = {"IM-API-KEY": service.api_key, "IM-CLIENT-ID": "bench-user-0"}
    rooms = httpx.get(f"{service.url}/rooms", headers=as_user).json()["result"]
    assert rooms["totalCount"] == 0
    assert VERDICT in printed
    assert "Every notice came once and in order." in shown
    for fact in ("readstate 0.", "workers: 1", "open arrivals", "6 users, each in 3 of 3 rooms", "mark_read"):
        assert fact in shown, fact


def test_a_user_of_the_service_is_not_taken_for_one_of_the_load(
    service: TemporaryService, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their nickname would be another one then, and their tokens would end."""
    backend = {"IM-API-KEY": service.api_key}
    lee = {"_id": "acme-listener-0", "nickname": "Lee"}
    httpx.post(f"{service.url}/admin/clients", headers=backend, json=lee).raise_for_status()
    there = ("--url", service.url, "--api-key", service.api_key, "--prefix", "acme")
    assert main(["bench", *there, *SMALL]) == 2
    assert "there is a user acme-listener-0 who is not of this command" in capsys.readouterr().err
    people = httpx.get(f"{service.url}/admin/people", headers=backend).json()["result"]["data"]
    assert [one for one in people if one.startswith("acme")] == ["acme-listener-0"]
    kept = httpx.get(f"{service.url}/admin/people/acme-listener-0", headers=backend).json()["result"]["data"]
    assert kept[0]["profile"] == {"nickname": "Lee"}


class OtherService(BaseHTTPRequestHandler):
    """What else may listen at an address."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"[]")


def test_another_service_is_recognised(capsys: pytest.CaptureFixture[str]) -> None:
    with HTTPServer(("127.0.0.1", 0), OtherService) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        assert main(["bench", "--url", url, "--api-key", "k"]) == 2
    assert f"no service was found at {url}" in capsys.readouterr().err


def test_without_a_service_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--url", "http://127.0.0.1:9", "--api-key", "k"]) == 2
    assert "no service was found at http://127.0.0.1:9" in capsys.readouterr().err


def test_a_password_in_the_address_is_refused_and_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--url", "http://ann:secret@127.0.0.1:9", "--api-key", "k"]) == 2
    said = capsys.readouterr().err
    assert "--url must not have a password" in said
    assert "secret" not in said


def test_a_report_that_cannot_be_written_is_refused_before_the_load(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = tmp_path / "missing" / "report.html"
    assert main(["bench", "--url", "http://127.0.0.1:9", "--api-key", "k", "--report", str(nowhere)]) == 2
    assert str(nowhere) in capsys.readouterr().err
