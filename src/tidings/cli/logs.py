"""What workers say, on standard error: one line a record, as text or as JSON; no control character gets through."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, Literal

from tidings.cli.texts import safe, safe_lines

ORDINARY = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class Text(logging.Formatter):
    """`12:00:00.123Z INFO  tidings.delivery  text`."""

    def __init__(self, *, pid: bool) -> None:
        super().__init__()
        self._pid = pid

    def format(self, record: logging.LogRecord) -> str:
        time = _time(record).strftime("%H:%M:%S.%f")[:-3]
        pid = f"[{record.process}] " if self._pid else ""
        more = "".join(f" {name}={safe(value)}" for name, value in _extra(record).items())
        shown = f"{time}Z {pid}{record.levelname:<7} {record.name}  {safe(_message(record))}{more}"
        if record.exc_info:
            shown += "\n" + safe_lines(self.formatException(record.exc_info))
        return shown


class Json(logging.Formatter):
    """One object a line: time, level, logger, pid, message, error (a traceback), and what else the record carries."""

    def format(self, record: logging.LogRecord) -> str:
        found: dict[str, Any] = {
            "time": _time(record).isoformat().replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "pid": record.process,
            "message": _message(record),
        }
        if record.exc_info:
            found["error"] = self.formatException(record.exc_info)
        return json.dumps(_extra(record) | found, default=str)


def _message(record: logging.LogRecord) -> str:
    """Somebody else's record may not fit its own arguments."""
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 -- whatever it is, the line goes out
        return str(record.msg)


def _time(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in ORDINARY}


def begin(level: str, form: Literal["text", "json"], *, pid: bool = False) -> None:
    """Every logger of the process goes this way; foreign ones only from WARNING on, unless `debug` was asked for."""
    if hasattr(sys.stderr, "reconfigure"):
        sys.stderr.reconfigure(errors="backslashreplace")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Json() if form == "json" else Text(pid=pid))
    logging.raiseExceptions = False  # a reader of our lines that went away is no reason to stop work
    logging.basicConfig(handlers=[handler], level="DEBUG" if level == "debug" else "WARNING", force=True)
    logging.getLogger("tidings").setLevel(level.upper())
    logging.captureWarnings(capture=True)
