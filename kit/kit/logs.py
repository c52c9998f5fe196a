"""Structured logs: one JSON line an event, personal data redacted."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

# Keys whose values name a person; the value never reaches a log, whoever logs it.
PERSONAL = frozenset(
    "name full_name nickname phone email e_mail whatsapp address addresses birth_date birthday contact "
    "contact_points notes postal_code token authorization recipient to".split()
)
_EMAIL = re.compile(r"[^\s@<>\"']+@[^\s@<>\"']+\.[a-zA-Z]{2,}")
_PHONE = re.compile(r"(?<![\w.-])(?:\+62|62|0)[\s-]?8\d[\d\s-]{6,12}\d(?![\w-])")


def scrub(text: str) -> str:
    """Replace what looks like an e-mail address or an Indonesian mobile number."""
    return _PHONE.sub("[phone]", _EMAIL.sub("[email]", text))


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


def configure(service: str, level: str = "INFO") -> None:
    """Send structlog and the standard library's loggers to standard error as JSON lines."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
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
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(logging.getLevelNamesMapping()[level], logging.WARNING))
