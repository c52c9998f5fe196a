"""A service in this process: its gRPC server on a real port, its database real, its events by hand."""

from __future__ import annotations

import importlib
import itertools
import pkgutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, TypeVar

import grpc.aio
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.message import Message

import langganan.events.v1
from kit.events.envelope import Outgoing, as_record
from kit.rpc.server import build_server
from kit.runtime import Build, Runtime, Service
from kit.settings import ServiceSettings
from kit.testing.clock import ManualClock
from kit.testing.keys import Keys
from kit.testing.progress import progress_record

Stub = TypeVar("Stub")


class _Metadata(grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[type-arg]
    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self._pairs = pairs

    async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
        return await continuation(_with(details, self._pairs), request)


class _StreamMetadata(grpc.aio.UnaryStreamClientInterceptor):  # type: ignore[type-arg]
    """The same for streams of answers: a channel takes one kind of call of each interceptor."""

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self._pairs = pairs

    async def intercept_unary_stream(self, continuation: Any, details: Any, request: Any) -> Any:
        return await continuation(_with(details, self._pairs), request)


class _ItemsMetadata(grpc.aio.StreamStreamClientInterceptor):  # type: ignore[type-arg]
    """The same for streams of items."""

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self._pairs = pairs

    async def intercept_stream_stream(self, continuation: Any, details: Any, requests: Any) -> Any:
        return await continuation(_with(details, self._pairs), requests)


def _with(details: Any, pairs: Sequence[tuple[str, str]]) -> Any:
    return details._replace(metadata=grpc.aio.Metadata(*(details.metadata or ()), *pairs))


class Running:
    """A running service and everything a test does to it from outside."""

    def __init__(self, service: Service, port: int, keys: Keys, clock: ManualClock, scopes: str) -> None:
        self.service, self.port, self.keys, self.clock = service, port, keys, clock
        self.pool = service.pool
        self.all_scopes = scopes
        self._channels: list[grpc.aio.Channel] = []
        self._offsets = itertools.count()

    def stub(
        self,
        stub: Callable[[Any], Stub],
        *,
        merchant: str = "toko",
        scopes: str | None = None,
        language: str = "id",
        subject: str = "till-1",
    ) -> Stub:
        """Return a client of the service with a token of `merchant` (all scopes unless given)."""
        token = self.keys.token(
            merchant=merchant, scopes=self.all_scopes if scopes is None else scopes, subject=subject
        )
        pairs = [("authorization", f"Bearer {token}"), ("accept-language", language)]
        channel = self.channel(_Metadata(pairs), _StreamMetadata(pairs), _ItemsMetadata(pairs))
        return stub(channel)

    def channel(self, *interceptors: Any) -> grpc.aio.Channel:
        """Return a bare channel to the service, closed with it."""
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{self.port}", interceptors=list(interceptors))
        self._channels.append(channel)
        return channel

    async def deliver(self, *sent: Outgoing, topic: str = "customers") -> None:
        """Give these events to the consumer as one poll, through the code that a broker's poll takes."""
        assert self.service.consumer is not None
        records = [as_record(event, topic, next(self._offsets)) for event in sent]
        await self.service.consumer.process(records)

    async def tell(self, until: datetime, topic: str = "customers") -> None:
        """Let the publisher of a topic say that all from before `until` has been sent: progress, alone."""
        assert self.service.consumer is not None
        await self.service.consumer.process([progress_record(until, topic, next(self._offsets))])

    async def published(self, type_: type[Message] | None = None) -> list[Any]:
        """Return the payloads in the outbox in the order written, decoded; of one type where given."""
        rows = await self.pool.fetch("SELECT type, payload FROM outbox ORDER BY id")
        found = [_event_class(row["type"]).FromString(row["payload"]) for row in rows]
        return [p for p in found if type_ is None or isinstance(p, type_)]

    async def sweep(self, name: str) -> int:
        """Run one round of the named sweep now; return how many it did."""
        sweep = next(s for s in self.service.sweeps if s.name == name)
        now = self.clock.now()
        if sweep.io is not None:
            return await sweep.io(now)
        assert sweep.run is not None
        async with self.pool.acquire() as conn, conn.transaction():
            return await sweep.run(conn, now)

    async def close(self) -> None:
        """Close the channels that tests opened."""
        for channel in self._channels:
            await channel.close(None)


@asynccontextmanager
async def running(
    name: str, build: Build, settings: ServiceSettings, keys: Keys, clock: ManualClock | None = None
) -> AsyncIterator[Running]:
    """Run a service's gRPC server in this process until left. Settings need a migrated database_url."""
    clock = clock or ManualClock()
    settings = settings.model_copy(update={"jwks_files": [*settings.jwks_files, keys.jwks], "grpc_port": 0})
    runtime = Runtime(name=name, settings=settings, clock=clock)
    service = await build(runtime)
    built = await build_server(settings, service.servicers)
    await built.server.start()
    run = Running(service, built.port, keys, clock, " ".join(sorted(set(built.scopes.values()))))
    try:
        yield run
    finally:
        await run.close()
        await built.stop(None)
        for close in service.close:
            await close()
        for pool in runtime.pools:
            pool.terminate()


def _event_class(type_: str) -> type[Message]:
    """Return the message of a ce_type: purchase-completed is langganan.events.v1.PurchaseCompleted."""
    for module in pkgutil.iter_modules(langganan.events.v1.__path__):
        if module.name.endswith("_pb2"):
            importlib.import_module(f"langganan.events.v1.{module.name}")
    name = "langganan.events.v1." + "".join(part.title() for part in type_.split("-"))
    return message_factory.GetMessageClass(descriptor_pool.Default().FindMessageTypeByName(name))
