"""What a call to another service raises, and how that is told."""

from __future__ import annotations

import grpc.aio

# What a call raises where the other does not answer, or this service's token cannot be read.
FAILURES = (grpc.aio.AioRpcError, OSError)


def why(error: Exception) -> str:
    """Say in a word why a call failed."""
    if isinstance(error, grpc.aio.AioRpcError):
        return error.code().name
    return f"token file: {type(error).__name__}"
