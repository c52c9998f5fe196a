"""Notes the caller's deadline, and does not begin what is already too late."""

from __future__ import annotations

from typing import Any

import grpc

from kit import deadline
from kit.errors import DeadlineExceeded
from kit.rpc.interceptor import Behaviour, Interceptor


class DeadlineInterceptor(Interceptor):
    """Makes the deadline known to batches and outgoing calls (kit.deadline)."""

    def wrap(self, method: str, behaviour: Behaviour) -> Behaviour:
        """Return `behaviour` with its deadline noted."""

        async def bounded(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            # The stubs leave out that a call may have no deadline.
            remaining: float | None = context.time_remaining()
            if remaining is not None and remaining <= 0:
                raise DeadlineExceeded("the deadline had passed on arrival; allow more time")
            deadline.set_remaining(remaining)
            return await behaviour(request, context)

        return bounded
