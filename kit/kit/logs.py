"""Structured logs: one JSON line an event, personal data redacted; warnings and crashes are lines as well."""

from __future__ import annotations

import logging
import re
import sys
import threading
import time
import traceback
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

from kit import cause

# Keys whose values name a person; the value never reaches a log, whoever logs it.
PERSONAL = frozenset(
    "name full_name nickname phone email e_mail whatsapp address addresses birth_date birthday contact "
    "contact_points notes postal_code token authorization recipient to".split()
)
# What Postgres quotes of a row, up to the next part of a traceback.
_DETAIL = re.compile(
    r"^DETAIL:.*?(?=^(?:HINT:|Traceback|During|The above|\S+(?:Error|Exception))|\Z)", re.M | re.S
)
_EMAIL = re.compile(r"[^\s@<>\"']+@[^\s@<>\"']+\.[a-zA-Z]{2,}")
_PHONE = re.compile(r"(?<![\w.-])(?:\+62|62|0)[\s-]?8\d[\d\s-]{6,12}\d(?![\w-])")

_CALM_S = 10.0
_LINES_KNOWN = 1_000


def scrub(text: str) -> str:
    """Replace what looks like an e-mail address or an Indonesian mobile number."""
    return _PHONE.sub("[phone]", _EMAIL.sub("[email]", text))


def caused(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Say for whom the line is written: the call, event or message, or the first of several."""
    for name, value in cause.fields().items():
        event.setdefault(name, value)
    return event


def _exception(exc_info: structlog.typing.ExcInfo) -> str:
    """A traceback without what Postgres quotes of rows."""
    shown = "".join(traceback.format_exception(*exc_info)).rstrip()
    return _DETAIL.sub("DETAIL: [redacted]\n", shown)


def redact(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The processor that lets nothing of a person through, however deep it lies in a value."""
    for key, value in event.items():
        if not key.startswith("_"):  # structlog's own
            event[key] = _shown(key, value)
    return event


def _shown(key: str, value: object) -> object:
    if key.lower() in PERSONAL:
        return "[redacted]"
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, Mapping):
        return {str(name): _shown(str(name), of) for name, of in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_shown("", of) for of in value]
    return scrub(str(value))


class Calm(logging.Filter):
    """Lets the same line of a library through once in ten seconds, and then says how often it was left out.

    A Kafka client without its broker writes some sixty a second, for as long as that lasts.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, tuple[float, int]] = {}  # line → when it was let through, left out since

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is written."""
        line, now = f"{record.name}: {record.getMessage()}", time.monotonic()
        at, left_out = self._said.get(line, (0.0, 0))
        if at and now - at < _CALM_S:
            self._said[line] = at, left_out + 1
            return False
        if len(self._said) >= _LINES_KNOWN:
            self._said.clear()
        self._said[line] = now, 0
        if left_out:
            record.msg, record.args = f"{record.getMessage()} (left out {left_out} times)", ()
        return True


def configure(service: str, level: str = "INFO") -> None:
    """Send structlog, the standard loggers, warnings and crashes to standard error as JSON lines."""

    def named(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["service"] = service
        return event

    shared: list[structlog.typing.Processor] = [
        caused,
        named,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.ExceptionRenderer(_exception),
        redact,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    handler.addFilter(Calm())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(logging.getLevelNamesMapping()[level], logging.WARNING))
    logging.captureWarnings(True)
    sys.excepthook = lambda _, error, trace: _crashed("crashed", error)
    sys.unraisablehook = lambda args: _crashed("unraisable", args.exc_value)
    threading.excepthook = lambda args: _crashed("thread_failed", args.exc_value)


def _crashed(event: str, error: BaseException | None) -> None:
    """Write the line of what nobody caught."""
    structlog.get_logger().error(event, error=type(error).__name__, exc_info=error)
