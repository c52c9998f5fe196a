"""Names each call, for its log lines and its trace, and writes the line that says how it ended.

A call is named by the metadata `x-request-id`, a UUID with or without hyphens that the client chose; by one
of ours where there is none, or something else, for what a client writes there freely may name a person. It is
sent back in the trailing metadata. The trace is that of the metadata `traceparent`, as W3C writes it.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Iterable
from typing import Any, Literal

import grpc
import structlog

from kit import auth, cause, trace
from kit.cause import Cause
from kit.errors import DomainError
from kit.rpc import errors
from kit.rpc.interceptor import Behaviour, Interceptor

log = structlog.get_logger()
REQUEST_ID = "x-request-id"
Which = Literal["failed", "all", "none"]

_UUID = re.compile(r"[0-9a-fA-F]{8}(-?)[0-9a-fA-F]{4}(\1[0-9a-fA-F]{4}){2}\1[0-9a-fA-F]{12}")
# Lines of failed calls a second; in a storm of them more would only add to it.
FAILED_MAX = 100
# Codes with which the server is at fault; the others are answers.
_FAULTS = frozenset({"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"})


class CallLog:
    """The lines of calls, and of the items of streams: of those that failed, of all, or of none."""

    def __init__(self, which: Which) -> None:
        self._failed, self._all = which != "none", which == "all"
        self._second, self._said, self._left_out = 0, 0, 0

    def say(self, name: str, merchant: str, since: float, code: str, error: DomainError | None) -> None:
        """Write the line of a call or an item that began at the monotonic instant `since`, if wanted."""
        if not self._all and (code == "OK" or not self._failed or self._is_too_much()):
            return
        more: dict[str, object] = {"merchant": merchant} if merchant else {}
        if error is not None:
            more["reason"] = error.reason
        if self._left_out:
            more["left_out"], self._left_out = self._left_out, 0
        log.info("call", method=name, code=code, ms=round((time.monotonic() - since) * 1000, 2), **more)

    def _is_too_much(self) -> bool:
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._said = second, 0
        self._said += 1
        if self._said <= FAILED_MAX:
            return False
        self._left_out += 1
        return True


class CallsInterceptor(Interceptor):
    """The outermost one; a stream of items is one call, whose items have lines of their own."""

    def __init__(self, lines: CallLog) -> None:
        super().__init__()
        self._lines = lines

    def wrap(self, method: str, behaviour: Behaviour) -> Behaviour:
        """Return `behaviour`, named, traced and told of; health and reflection pass."""
        if not method.startswith("/langganan."):
            return behaviour
        name = method[1:]
        service, _, short = name.rpartition("/")
        attributes = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": short}

        async def called(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            since, answered = time.monotonic(), False
            request_id, parent = _named(context.invocation_metadata() or ())
            span = trace.begin(name, "server", (parent,), attributes)
            cause.become((Cause({"request_id": request_id}, span.traceparent if span else parent),))
            context.set_trailing_metadata(((REQUEST_ID, request_id),))
            try:
                reply = await behaviour(request, context)
                answered = True
                return reply
            finally:
                error = errors.told()
                # Neither answered nor told of an error: the caller has gone.
                code = error.code.name if error else "OK" if answered else "CANCELLED"
                who = auth.known()
                merchant = who.merchant_id if who else ""
                self._lines.say(name, merchant, since, code, error)
                if span is not None:
                    said = {"rpc.response.status_code": code, "langganan.merchant": merchant}
                    span.end(code if code in _FAULTS else "", said | {"langganan.request_id": request_id})

        return called


def _named(pairs: Iterable[tuple[str, str | bytes]]) -> tuple[str, str]:
    """Return the id and the traceparent of a call; of repeated metadata the first counts."""
    request_id = traceparent = ""
    for name, value in pairs:
        if name == REQUEST_ID and not request_id and isinstance(value, str) and _UUID.fullmatch(value):
            request_id = value.lower()
        elif name == trace.METADATA and not traceparent and isinstance(value, str):
            traceparent = trace.valid(value)
    return request_id or str(uuid.uuid4()), traceparent
