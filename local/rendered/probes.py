"""Probes a pod from outside, as the kubelet does: gRPC health, HTTP, TCP."""

from __future__ import annotations

import asyncio

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from local.rendered.objects import Probe

OK = range(200, 400)


async def passes(probe: Probe, address: str) -> bool:
    """Whether one attempt succeeds within the probe's timeout."""
    attempts = {"grpc": _grpc, "httpGet": _http, "tcpSocket": _tcp}
    try:
        async with asyncio.timeout(probe.timeout):
            return await attempts[probe.kind](address, probe)
    except (OSError, TimeoutError, grpc.aio.AioRpcError):
        return False


async def _grpc(address: str, probe: Probe) -> bool:
    async with grpc.aio.insecure_channel(f"{address}:{probe.port}") as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        reply = await stub.Check(health_pb2.HealthCheckRequest(), timeout=probe.timeout)
    return bool(reply.status == health_pb2.HealthCheckResponse.SERVING)


async def _http(address: str, probe: Probe) -> bool:
    reader, writer = await asyncio.open_connection(address, probe.port)
    try:
        writer.write(f"GET {probe.path} HTTP/1.0\r\nHost: {address}\r\n\r\n".encode())
        words = (await reader.readline()).split()
        return len(words) > 1 and int(words[1]) in OK
    finally:
        writer.close()


async def _tcp(address: str, probe: Probe) -> bool:
    _, writer = await asyncio.open_connection(address, probe.port)
    writer.close()
    return True
