"""Translates errors, once, into canonical statuses with ErrorInfo and, where it helps, RetryInfo."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

import grpc
import structlog
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2

from kit import db
from kit.errors import Aborted, DomainError, InvalidArgument, ResourceExhausted, Unavailable
from kit.rpc.interceptor import Behaviour, Interceptor

log = structlog.get_logger()
DOMAIN = "langganan"
_PUSHBACK_MAX_S = 2.0
_TOLD: ContextVar[DomainError | None] = ContextVar("told", default=None)


def told() -> DomainError | None:
    """Return the error that the present call has been answered with."""
    return _TOLD.get()


class BadRequest(InvalidArgument):
    """Fields that break their rules; each is named with what it must be."""

    reason = "INVALID_FIELDS"

    def __init__(self, violations: list[tuple[str, str]]) -> None:
        first = "; ".join(f"{field or 'request'}: {text}" for field, text in violations[:5])
        super().__init__(f"correct these fields: {first}")
        self.violations = violations


def status_of(error: DomainError) -> status_pb2.Status:
    """Return the google.rpc.Status of an error, details included."""
    details: list[Any] = [
        error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.metadata)
    ]
    if isinstance(error, BadRequest):
        fields = [
            error_details_pb2.BadRequest.FieldViolation(field=f, description=t) for f, t in error.violations
        ]
        details.append(error_details_pb2.BadRequest(field_violations=fields))
    if isinstance(error, ResourceExhausted):
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(int(error.retry_after * 1000))
        details.append(error_details_pb2.RetryInfo(retry_delay=delay))
    status = status_pb2.Status(code=error.code.value[0], message=error.message)
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def translated(method: str, error: Exception) -> DomainError:
    """Return what a caller of `method` is told of an error; our own fault is logged with its trace."""
    if isinstance(error, DomainError):
        return error
    if isinstance(error, (*db.LOST, *db.UNABLE)):
        log.warning("database_lost", method=method, error=type(error).__name__)
        return Unavailable(
            "the database does not answer; repeat with the same id", reason="DATABASE_UNAVAILABLE"
        )
    if isinstance(error, db.AGAIN):
        return Aborted("lost against a concurrent change; repeat with the same id")
    log.error("call_failed", method=method, error=type(error).__name__, exc_info=error)
    return DomainError("this is our fault and has been logged; ask us before you repeat it")


async def abort(context: grpc.aio.ServicerContext[Any, Any], error: DomainError) -> None:
    """End the call with the status of `error`."""
    trailing: list[tuple[str, str | bytes]] = [
        ("grpc-status-details-bin", status_of(error).SerializeToString()),
        *context.trailing_metadata(),
    ]
    if isinstance(error, ResourceExhausted):
        trailing.append(("grpc-retry-pushback-ms", _pushback(error.retry_after)))
    await context.abort(error.code, error.message, tuple(trailing))


def _pushback(seconds: float) -> str:
    """When a client retries by itself: soon, or (-1) not at all, so that no till hangs in a long wait."""
    return str(int(seconds * 1000)) if seconds <= _PUSHBACK_MAX_S else "-1"


class ErrorsInterceptor(Interceptor):
    """Domain errors become their status; anything else is our fault: INTERNAL, logged with its trace."""

    def wrap(self, method: str, behaviour: Behaviour) -> Behaviour:
        """Return `behaviour` with its errors translated."""

        async def answered(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            try:
                return await behaviour(request, context)
            except Exception as error:  # noqa: BLE001 - whatever it is, the caller is told
                known = translated(method, error)
                _TOLD.set(known)
                await abort(context, known)
            return None

        return answered
