"""What Locust's report lacks: what was loaded and how, and what became of the notices."""

import os
import platform
from collections.abc import Mapping
from html import escape
from pathlib import Path

import httpx

from loadtest.target import Target

VERDICT = "LOAD_VERDICT"  # names the file into which the run writes what became of the notices

_CHOSEN = (
    "LOAD_MODEL",
    "LOAD_USERS",
    "LOAD_LISTENERS",
    "LOAD_LISTENER_ROOMS",
    "LOAD_STORM_EVERY",
    "LOAD_TIME",
    "LOAD_ARRIVALS",
)
_SIZES = ("rooms", "accounts", "rooms_each", "messages")  # of the world: always said
_BODY = "<body>"
_STYLE = "font: 14px sans-serif; margin: 1.5em auto; max-width: 60em; line-height: 1.5"


def facts(target: Target, chosen: Mapping[str, str]) -> list[tuple[str, str]]:
    """What every figure of the report depends on, as (name, value)."""
    settings = [f"{name}={chosen[name]}" for name in _CHOSEN if name in chosen]
    settings += [f"LOAD_{name.upper()}={getattr(target, name)}" for name in _SIZES]
    return [
        ("service", f"readstate {_version(target.url)} at {target.url}"),
        (
            "load from",
            f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
        ),
        ("settings", ", ".join(settings)),
    ]


def add_facts(report: Path, rows: list[tuple[str, str]]) -> None:
    """Put `rows` on top of a report. One that Locust did not write is left alone."""
    if not report.is_file():
        return
    page = report.read_text(encoding="utf-8")
    lines = "".join(f"<tr><th align='left'>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows)
    table = f"<table id='facts' style='{_STYLE}'>{lines}</table>"
    report.write_text(page.replace(_BODY, _BODY + table, 1), encoding="utf-8")


def _version(url: str) -> str:
    """Of the running service, which does not say how many workers it has, nor on what machine."""
    try:
        return str(httpx.get(f"{url}/schema", timeout=10).json()["info"]["version"])
    except (httpx.HTTPError, ValueError, KeyError):
        return "of unknown version"
