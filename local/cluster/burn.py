"""CPU load, run inside the cluster: `python -m local.cluster.burn TARGET SECONDS AT_ONCE`.

Asks customers for its stores again and again, as a till's gateway would: by DNS, every pod in turn.
"""

from __future__ import annotations

import asyncio
import sys
import time
from importlib import resources
from pathlib import Path

import grpc

from langganan.customers.v1 import merchants_pb2, merchants_pb2_grpc
from local.cluster.tills import MOUNT

TOKEN = Path(MOUNT) / "token"
DEADLINE = 10.0  # seconds for a call with the retries of the service config


async def burn(target: str, seconds: float, at_once: int) -> tuple[int, int]:
    """Call for so long with so many callers; how many calls were answered, and how many were not."""
    config = resources.files("langganan").joinpath("service_config.json").read_text("utf-8")
    metadata = (("authorization", f"Bearer {TOKEN.read_text().strip()}"),)
    until, answered, failed = time.monotonic() + seconds, 0, 0

    async with grpc.aio.insecure_channel(target, options=[("grpc.service_config", config)]) as channel:
        stub = merchants_pb2_grpc.MerchantServiceStub(channel)

        async def caller() -> None:
            nonlocal answered, failed
            while time.monotonic() < until:
                try:
                    request = merchants_pb2.ListStoresRequest(page_size=50)
                    await stub.ListStores(request, metadata=metadata, timeout=DEADLINE)
                    answered += 1
                except grpc.aio.AioRpcError:
                    failed += 1

        await asyncio.gather(*(caller() for _ in range(at_once)))
    return answered, failed


if __name__ == "__main__":
    calls = asyncio.run(burn(sys.argv[1], float(sys.argv[2]), int(sys.argv[3])))
    print(f"{calls[0]} answered, {calls[1]} not", flush=True)
