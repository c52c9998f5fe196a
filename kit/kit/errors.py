"""Domain errors: a canonical gRPC code, a machine-readable reason and a sentence that says what to do.

Raised where they are known, translated once at the edge (kit.rpc.errors) into AIP-193 statuses.
"""

from __future__ import annotations

from typing import ClassVar

import grpc


class DomainError(Exception):
    """What went wrong in words of the domain.

    `reason` is UPPER_SNAKE and documented in the proto; `metadata` are short machine-readable facts.
    """

    code: ClassVar[grpc.StatusCode] = grpc.StatusCode.INTERNAL
    reason: str = "INTERNAL"

    def __init__(self, message: str, *, reason: str | None = None, **metadata: str) -> None:
        super().__init__(message)
        if reason is not None:
            self.reason = reason
        self.message = message
        self.metadata = metadata


class InvalidArgument(DomainError):
    """The request itself is wrong; the same request will never do."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "INVALID_ARGUMENT"


class NotFound(DomainError):
    """The thing named does not exist for this merchant."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "NOT_FOUND"


class AlreadyExists(DomainError):
    """The id or the unique value is taken."""

    code = grpc.StatusCode.ALREADY_EXISTS
    reason = "ALREADY_EXISTS"


class FailedPrecondition(DomainError):
    """The state does not allow it; change the state first."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "FAILED_PRECONDITION"


class PermissionDenied(DomainError):
    """The caller is known but may not."""

    code = grpc.StatusCode.PERMISSION_DENIED
    reason = "PERMISSION_DENIED"


class Unauthenticated(DomainError):
    """The caller is not known."""

    code = grpc.StatusCode.UNAUTHENTICATED
    reason = "UNAUTHENTICATED"


class ResourceExhausted(DomainError):
    """Over a limit; repeat after `retry_after` seconds."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = "RESOURCE_EXHAUSTED"
    retry_after: float = 1.0


class Aborted(DomainError):
    """Lost against a concurrent change; read again and repeat."""

    code = grpc.StatusCode.ABORTED
    reason = "ABORTED"


class Unavailable(DomainError):
    """Not now; the same request, with the same id, may do later."""

    code = grpc.StatusCode.UNAVAILABLE
    reason = "UNAVAILABLE"


class DeadlineExceeded(DomainError):
    """The caller's deadline passed before the work was begun."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED
    reason = "DEADLINE_EXCEEDED"


class IdempotencyConflict(AlreadyExists):
    """The id was used before for something else."""

    reason = "IDEMPOTENCY_CONFLICT"

    def __init__(self, what: str, id_: str) -> None:
        super().__init__(
            f"{what} {id_} exists with other content; use a new id for a new request, "
            "or repeat the first request unchanged",
            id=id_,
        )
