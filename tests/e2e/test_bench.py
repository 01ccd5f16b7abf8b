"""`readstate bench` against a service."""

from pathlib import Path

import httpx
import pytest

from readstate.cli.main import main
from readstate.replay.temporary import temporary_service

SMALL = ("--users", "6", "--rooms", "3", "--listeners", "2", "--seconds", "0.3", "--rate", "60", "--p99-ms", "9000")


def test_a_service_is_loaded_and_left_as_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By users with tokens of their own, and by the backend.

    The notices of all reads are checked. No room stays.
    """
    report = tmp_path / "report.html"
    with temporary_service() as service:
        keys = ("--url", service.url, "--api-key", service.api_key, "--report", str(report))
        assert main(["bench", *keys, "--client-key", service.client_key, *SMALL]) == 0, capsys.readouterr()
        printed, shown = capsys.readouterr().out, report.read_text(encoding="utf-8")
        assert main(["bench", *keys, *SMALL]) == 0, capsys.readouterr()
        as_user = {"IM-API-KEY": service.api_key, "IM-CLIENT-ID": "bench-user-0"}
        rooms = httpx.get(f"{service.url}/rooms", headers=as_user).json()["result"]
        assert rooms["totalCount"] == 0
    assert "At 60 calls a second p99 is within 9000 ms, the highest that was tried." in printed
    assert "Every notice came once and in order." in shown
    for fact in ("readstate 0.", "workers: 1", "open arrivals", "6 users, each in 3 of 3 rooms", "mark_read"):
        assert fact in shown, fact


def test_without_a_service_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--url", "http://127.0.0.1:9", "--api-key", "k"]) == 2
    assert "no service was found at http://127.0.0.1:9" in capsys.readouterr().err
