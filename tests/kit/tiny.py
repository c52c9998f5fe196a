"""The smallest service in a process of its own, as the tests of processes start and ask it."""

import asyncio
import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from kit import clock
from kit.broker import Broker
from kit.events import topics
from kit.testing import eventually
from local.part import free_port

TINY = Path(__file__).with_name("tiny_service.py")


class Tiny:
    """The smallest service in a process of its own."""

    def __init__(self, env: dict[str, str], port: int, log: Path) -> None:
        self.env, self._port, self.log = env, port, log
        self.process: Any = None

    async def start(self, role: str = "all", **changes: str) -> None:
        """Start it in a role, unless told otherwise the one that does everything."""
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, str(TINY), role, env=os.environ | self.env | changes, stdout=log, stderr=log
            )

    def ask(self, path: str) -> tuple[int, Any]:
        """Return (status, body) of an HTTP path; (0, reason) when nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=12) as answer:
                text = answer.read().decode()
                return answer.status, text if path == "/metrics" else json.loads(text)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())
        except OSError as error:
            return 0, str(error)

    async def command(self, *arguments: str, **changes: str) -> tuple[int, str]:
        """Run a command of the service; return (exit code, what it printed)."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(TINY),
            *arguments,
            env=os.environ | self.env | changes,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode is not None
        return process.returncode, output.decode()

    async def becomes(self, path: str, status: int, within: float = 20) -> Any:
        """Wait until a path answers with a status; return its body."""

        async def look() -> Any:
            code, body = await asyncio.to_thread(self.ask, path)
            return (body,) if code == status else None

        return (await eventually(look, within=within, every=0.1))[0]

    async def end(self) -> None:
        """Kill it where it still runs."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    def said(self, event: str) -> list[dict[str, Any]]:
        """The lines of its log that tell of an event."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    async def health(self, service: str) -> str:
        """What its health port says of a service; empty when nobody answers."""
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self.env['HEALTH_PORT']}") as channel:
            request = health_pb2.HealthCheckRequest(service=service)
            try:
                answer = await health_pb2_grpc.HealthStub(channel).Check(request, timeout=5)
            except grpc.aio.AioRpcError:
                return ""
            return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))

    async def tells(self, ready: str) -> None:
        """Wait until its health port says so of its readiness, and see that it is live all along."""

        async def look() -> bool:
            assert await self.health("live") == "SERVING"
            return await self.health("") == ready

        await eventually(look, within=20, every=0.1)


@pytest.fixture
async def bare_database(postgres_url: str) -> AsyncIterator[str]:
    name = f"tiny_{os.getpid()}"
    conn = await asyncpg.connect(postgres_url)
    await conn.execute(f"CREATE DATABASE {name}")
    yield postgres_url.rsplit("/", 1)[0] + f"/{name}"
    await conn.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await conn.close()


@pytest.fixture
async def idle_tiny(bare_database: str, kafka_bootstrap: str, tmp_path: Path) -> AsyncIterator[Tiny]:
    prefix = f"p{os.getpid()}-"
    await topics.ensure(Broker(kafka_bootstrap), topics.house(prefix, partitions=2, replication=1))
    clock.move(tmp_path / "clock", datetime(2026, 1, 1, tzinfo=UTC))
    port = free_port()
    env = {
        "DATABASE_URL": bare_database,
        "KAFKA_BOOTSTRAP": kafka_bootstrap,
        "TOPIC_PREFIX": prefix,
        "HTTP_PORT": str(port),
        "HEALTH_PORT": str(free_port()),
        "CLOCK_FILE": str(tmp_path / "clock"),
    }
    tiny = Tiny(env, port, tmp_path / "log")
    yield tiny
    await tiny.end()


@pytest.fixture
async def tiny(idle_tiny: Tiny) -> Tiny:
    """The service, started in all roles on a database without any table."""
    await idle_tiny.start()
    return idle_tiny
