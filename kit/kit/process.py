"""A process of a service that serves, works or both: its start, its health, its end."""

from __future__ import annotations

import asyncio
import gc
import signal
import time
from collections.abc import Sequence
from datetime import datetime, timedelta

import asyncpg
import structlog

from kit import audit, ending, http, metrics, migrate, standing, trace
from kit.db import LOST
from kit.events import Consumer, Relay, Speaker, outbox, progress
from kit.rpc.health import Health
from kit.rpc.server import Built, build_server
from kit.runtime import Build, Database, Runtime, Service
from kit.settings import ServiceSettings
from kit.sweep import Sweep, Sweeper

log = structlog.get_logger()
_PULSE_S = 1.0
GC_THRESHOLDS = (20_000, 20, 50)


class Process:
    """One running process of a service, in the role that its runtime names."""

    def __init__(
        self, runtime: Runtime[ServiceSettings], build: Build, databases: Sequence[Database]
    ) -> None:
        self._runtime, self._build = runtime, build
        self._status = http.Status()
        self._health = Health()
        self._stop = asyncio.Event()
        self._known = {
            getattr(runtime.settings, one.url_setting): (one.url_setting, migrate.newest(one.folders))
            for one in databases
        }
        self._outgrown = False
        self._sweepers: list[Sweeper] = []
        self._relay: Relay | None = None
        self._service: Service | None = None
        self._built: Built | None = None
        self._said_serving = False
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self) -> int:
        """Start, serve until SIGTERM or SIGINT, drain, and return the exit code."""
        settings = self._runtime.settings
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, self._stop.set)
        web = http.serve(
            settings.http_host, settings.http_port, self._status, lambda: self._ask(loop), self._sent
        )
        trace.start(self._runtime.name, self._runtime.role, settings.otlp_endpoint)
        pulse = asyncio.create_task(self._pulse(), name="pulse")
        self._tasks.append(pulse)
        try:
            if self._runtime.serves:
                await self._health.begin(settings.grpc_host, settings.health_port)
            if not await self._wait_for_schema():
                return 0
            self._service = await self._build(self._runtime)
            return await self._serve(self._service)
        finally:
            pulse.cancel()
            await self._health.end()
            web.shutdown()
            for pool in self._runtime.pools:
                pool.terminate()
            await asyncio.to_thread(trace.stop)

    async def _serve(self, service: Service) -> int:
        settings = self._runtime.settings
        if self._runtime.serves:
            self._built = await build_server(settings, service.servicers, self._health)
            await self._built.server.start()
        if self._runtime.works:
            self._start_work(service)
        # What start-up made stays; messages are freed by reference count, so cycles need looking for rarely.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        self._status.not_ready.pop("start", None)
        await self._look_around(service)
        port = self._built.port if self._built else None
        log.info("started", role=self._runtime.role, grpc_port=port, http_port=settings.http_port)
        stopped = asyncio.create_task(self._stop.wait(), name="stop")
        done, _ = await asyncio.wait([stopped, *self._tasks], return_when=asyncio.FIRST_COMPLETED)
        failed = [t for t in done if t is not stopped]
        for task in failed:
            log.error("part_failed", part=task.get_name(), exc_info=task.exception())
        self._status.not_ready["stop"] = "stopping"
        if self._built is not None:
            await self._built.say(serving=False)
            await self._built.stop(settings.drain_s)
        await self._let_go(service)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for close in service.close:
            await close()
        log.info("stopped")
        return 1 if failed or self._outgrown else 0

    async def _let_go(self, service: Service) -> None:
        """Let batches come to their end, for as long again; a database that hangs keeps nobody here."""
        try:
            async with asyncio.timeout(self._runtime.settings.drain_s):
                for batcher in service.batchers:
                    await batcher.drain()
        except TimeoutError:
            log.warning("batches_left")  # their callers have been answered or gone

    def _start_work(self, service: Service) -> None:
        settings = self._runtime.settings
        margin = timedelta(0) if settings.clock_file else progress.MARGIN
        self._relay = Relay(
            dsn=settings.database_url,
            broker=self._runtime.broker,
            prefix=settings.topic_prefix,
            slices=settings.relay_slices,
            speaker=Speaker(service.topic or self._runtime.name, self._runtime.clock, margin),
        )
        self._tasks.append(asyncio.create_task(self._relay.run(), name="relay"))
        sweeps = [*service.sweeps, audit.watch()]
        if service.consumer is not None:
            self._tasks.append(asyncio.create_task(service.consumer.run(), name="consumer"))
            sweeps.append(_not_yet(service.consumer))
        for sweep in sweeps:
            sweeper = Sweeper(sweep, service.pool, self._runtime.clock)
            self._sweepers.append(sweeper)
            self._tasks.append(asyncio.create_task(sweeper.run(), name=f"sweep-{sweep.name}"))

    async def _wait_for_schema(self) -> bool:
        """Wait until this build can run on every database; False when told to stop."""
        while not self._stop.is_set():
            why = await standing.why_not(self._known)
            if not why:
                return True
            self._status.not_ready["start"] = why
            log.warning("waiting_for_schema", why=why)
            await asyncio.wait([asyncio.ensure_future(self._stop.wait())], timeout=_PULSE_S)
        return False

    async def _pulse(self) -> None:
        """Each second: the loop turns; the database and, for a worker, the broker answer or do not."""
        while not ending.told():
            self._status.beat = time.monotonic()
            if self._service is not None:
                await self._look_around(self._service)
            await asyncio.sleep(_PULSE_S)

    async def _look_around(self, service: Service) -> None:
        waiting = self._status.not_ready
        for number, (pool, url) in enumerate(self._runtime.pools.items()):
            metrics.POOL_SIZE.labels(str(number)).set(pool.get_size())
            metrics.POOL_BUSY.labels(str(number)).set(pool.get_size() - pool.get_idle_size())
            try:
                with metrics.POOL_WAIT.labels(str(number)).time():
                    conn = await pool.acquire(timeout=2)
                try:
                    ahead, floor = await standing.look(conn)
                finally:
                    await pool.release(conn)
                metrics.CLOCK_SKEW.set(ahead)
                waiting.pop(f"database-{number}", None)
                self._mind_floor(url, floor)
            except (*LOST, asyncpg.PostgresError) as error:
                waiting[f"database-{number}"] = type(error).__name__
        if self._runtime.works:
            _note(waiting, "relay", "" if self._relay is None or self._relay.healthy else "away")
            _note(waiting, "consumer", "" if service.consumer is None else service.consumer.trouble)
        # Calls are answered without the broker; only what they need decides about them.
        serving = not (waiting.keys() - {"relay", "consumer"})
        if self._built is not None and serving != self._said_serving:
            self._said_serving = serving
            await self._built.say(serving)

    def _mind_floor(self, url: str, floor: str) -> None:
        """End where a database has moved on without this build; started again, it waits."""
        name, known = self._known.get(url, ("", floor))
        if floor > known and not self._outgrown:
            self._outgrown = True
            log.error("schema_outgrew_build", database=name, floor=floor, known=known)
            self._stop.set()

    def _sent(self) -> int:
        return self._relay.sent if self._relay else 0

    def _ask(self, loop: asyncio.AbstractEventLoop) -> dict[str, str]:
        """What is still under way, asked from the HTTP thread."""
        try:
            return asyncio.run_coroutine_threadsafe(self._under_way(), loop).result(timeout=10)
        except TimeoutError:
            return {"loop": "busy"}

    async def _under_way(self) -> dict[str, str]:
        """The consumer first, then the sweeps, then the outbox: each may feed the next.

        Whoever waits for our progress is unsettled itself until it has heard it; we only hasten it.
        """
        if self._status.not_ready or self._service is None:
            return dict(self._status.not_ready) or {"start": "starting"}
        waiting: dict[str, str] = {}
        consumer = self._service.consumer
        if consumer is not None and self._runtime.works and not await consumer.settled():
            waiting["consumer"] = "behind"
        for sweeper in self._sweepers:
            if left := await _left(sweeper):
                waiting[f"sweep-{sweeper.name}"] = left
        async with self._service.pool.acquire(timeout=5) as conn:
            backlog = await outbox.backlog(conn)
        if backlog.depth:
            waiting["outbox"] = f"{backlog.depth} events"
        if self._relay is not None and (backlog.depth or self._relay.silent):
            self._relay.hurry()
        return waiting


def _note(waiting: dict[str, str], part: str, trouble: str) -> None:
    if trouble:
        waiting[part] = trouble
    else:
        waiting.pop(part, None)


async def _left(sweeper: Sweeper) -> str:
    """Do what is due of a sweep, and say what that leaves; empty: nothing."""
    try:
        done = await sweeper.look()
        if done:
            return f"{done} done just now"
        return "due work waits for older events, or for another attempt" if await sweeper.waiting() else ""
    except Exception as error:  # noqa: BLE001  whoever asks must be told, whatever it is
        log.warning("sweep_failed", sweep=sweeper.name, error=type(error).__name__, why=str(error))
        return f"failed: {type(error).__name__}"


def _not_yet(consumer: Consumer) -> Sweep:
    """Try again the events that named something not known yet."""

    async def retry(_: datetime) -> int:
        return await consumer.retry_not_yet()

    return Sweep("not-yet", _PULSE_S, io=retry)
