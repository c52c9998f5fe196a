"""Bounds the calls under way; over the limit a call is told when to come again."""

from __future__ import annotations

from typing import Any

import grpc

from kit import metrics
from kit.errors import ResourceExhausted
from kit.rpc.interceptor import Behaviour, Interceptor

_UNLIMITED = ("/grpc.health.", "/grpc.reflection.")


class LimitsInterceptor(Interceptor):
    """Counts what is in flight; health and reflection always pass."""

    at_open = False

    def __init__(self, max_in_flight: int) -> None:
        super().__init__()
        self._max = max_in_flight
        self.in_flight = 0
        # Asked when the metrics are read: setting it twice a call costs more than all else here.
        metrics.GRPC_IN_FLIGHT.set_function(lambda: self.in_flight)

    def wrap(self, method: str, behaviour: Behaviour) -> Behaviour:
        """Return `behaviour`, refused with RESOURCE_EXHAUSTED over the limit."""
        if method.startswith(_UNLIMITED):
            return behaviour

        async def limited(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            if self.in_flight >= self._max:
                raise ResourceExhausted(
                    f"{self._max} calls are under way; repeat with the same id after a pause",
                    reason="TOO_MANY_IN_FLIGHT",
                )
            self.in_flight += 1
            try:
                return await behaviour(request, context)
            finally:
                self.in_flight -= 1

        return limited
