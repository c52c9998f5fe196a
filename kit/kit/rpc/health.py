"""Health over gRPC: who is ready for calls, and `live`, which is true for as long as the loop turns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

SERVICE: str = health.SERVICE_NAME
LIVE = "live"  # the service that a liveness or startup probe asks for; readiness asks for ""


class Health:
    """One state, told on the main port and, for probes that speak no TLS, alone on a port of its own."""

    def __init__(self) -> None:
        self.servicer: Any = health.aio.HealthServicer()  # type: ignore[attr-defined]
        self.port = 0
        self._server: grpc.aio.Server | None = None

    async def begin(self, host: str, port: int) -> None:
        """Say that the loop turns and nobody is ready, and answer on `port`; 0: on none.

        Raises OSError for a taken port.
        """
        await self.say(False, [])
        await self.servicer.set(LIVE, health_pb2.HealthCheckResponse.SERVING)
        if not port:
            return
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        health_pb2_grpc.add_HealthServicer_to_server(self.servicer, self._server)
        try:
            self.port = self._server.add_insecure_port(f"{host}:{port}")
        except RuntimeError as error:
            raise OSError(f"port {port} on {host} is taken; choose another HEALTH_PORT") from error
        await self._server.start()

    async def say(self, serving: bool, services: Iterable[str]) -> None:
        """Say SERVING or NOT_SERVING for the server as a whole, and for each service."""
        status = health_pb2.HealthCheckResponse
        for name in ("", *services):
            await self.servicer.set(name, status.SERVING if serving else status.NOT_SERVING)

    async def end(self) -> None:
        """Answer no more."""
        if self._server is not None:
            await self._server.stop(None)
