"""The log: one line of JSON per event on standard error. A log collector needs no rules for it.

Lines hold no tokens, keys, message bodies or headers, and ids of users and rooms only where an
operator needs them.
"""

import logging
import sys
import time
from typing import Any

from pythonjsonlogger.json import JsonFormatter

ADMINISTRATION = "readstate.admin"  # the logger of what administrators do

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
_NAMES = {"asctime": "time", "levelname": "level", "name": "logger", "exc_info": "traceback"}


class JsonLines(JsonFormatter):
    """Time (UTC), level, logger, message, the values of `extra`, and a traceback if any."""

    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        fields = ["asctime", "levelname", "name", "message"]
        super().__init__(fields, rename_fields=_NAMES, reserved_attrs=_PLAIN, json_default=str)
        self.converter = time.gmtime

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        log_data["level"] = log_data["level"].lower()
        if "traceback" in log_data:
            log_data["traceback"] = log_data.pop("traceback")  # last: it is the longest
        return log_data


def configure(level: str) -> None:
    """Send records at or above `level` (debug, info, warning, error) to standard error as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = name != "uvicorn.access"
    # At debug they log every frame and the headers of every handshake, tokens included.
    for name in ("asyncio", "uvicorn.error"):
        logging.getLogger(name).setLevel(max(logging.INFO, logging.getLevelName(level.upper())))


def configure_administration() -> None:
    """Send what administrators do to standard error, from a command that has no other log."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logger = logging.getLogger(ADMINISTRATION)
    logger.handlers[:] = [handler]
    logger.propagate = False
    logger.setLevel(logging.INFO)


def configure_service(level: str) -> None:
    """`configure` for the supervisor and its workers."""
    configure(level)
    if level == "info":
        # The start and the stop of each process are of interest only in a search for a fault.
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
