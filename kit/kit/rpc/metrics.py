"""Counts and times each call under the names that published gRPC dashboards know."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import grpc

from kit import metrics
from kit.errors import DomainError
from kit.rpc.interceptor import Behaviour, Interceptor

CODES = {code: code.name.title().replace("_", "") for code in grpc.StatusCode} | {grpc.StatusCode.OK: "OK"}


class MetricsInterceptor(Interceptor):
    """Inside the errors interceptor, so that it sees domain errors as they were raised."""

    at_open = False

    def wrap(self, method: str, behaviour: Behaviour) -> Behaviour:
        """Return `behaviour`, counted and timed."""
        _, service, name = method.split("/")
        seconds = metrics.GRPC_SECONDS.labels(service, name)
        ok = metrics.GRPC_HANDLED.labels(service, name, "OK")

        async def measured(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            started = time.perf_counter()
            code = grpc.StatusCode.OK
            try:
                return await behaviour(request, context)
            except DomainError as error:
                code = error.code
                raise
            except asyncio.CancelledError:
                code = grpc.StatusCode.CANCELLED
                raise
            except Exception:
                code = grpc.StatusCode.INTERNAL
                raise
            finally:
                seconds.observe(time.perf_counter() - started)
                if code is grpc.StatusCode.OK:
                    ok.inc()
                else:
                    metrics.GRPC_HANDLED.labels(service, name, CODES[code]).inc()

        return measured
