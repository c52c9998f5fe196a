"""A rolling update as clients see it: with the shipped service config not one call fails for good."""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import grpc.aio
import pytest

from kit.migrate import KIT_FOLDER, migrate
from kit.rpc.line import channel_options
from kit.rpc.server import scopes_of
from kit.testing import Keys, eventually
from langganan.notify.v1 import messages_pb2, messages_pb2_grpc
from local.part import free_port
from tests.kit.tiny import Tiny

SCOPE = scopes_of("langganan.notify.v1.MessageService")["/langganan.notify.v1.MessageService/GetMessage"]
CLIENTS, CALLS_EACH = 4, 8
REQUEST = messages_pb2.GetMessageRequest(message_id="0b9e3a52-7c1d-4f6e-9a2b-3c4d5e6f7a8b")


class Tills:
    """Clients that go on calling one target, as many at once as a busy shop."""

    def __init__(self, target: str, token: str) -> None:
        self.answered: Counter[str] = Counter()  # by process id
        self.failed: list[str] = []
        self._pairs = (("authorization", f"Bearer {token}"),)
        self._channels = [
            # One channel each: gRPC would share connections between channels that are alike.
            grpc.aio.insecure_channel(
                target, options=[*channel_options(), ("grpc.use_local_subchannel_pool", 1)]
            )
            for _ in range(CLIENTS)
        ]
        self._over = asyncio.Event()
        self._tasks = [
            asyncio.create_task(self._go_on(messages_pb2_grpc.MessageServiceStub(channel)))
            for channel in self._channels
            for _ in range(CALLS_EACH)
        ]

    async def _go_on(self, stub: messages_pb2_grpc.MessageServiceStub) -> None:
        while not self._over.is_set():
            try:
                answer = await stub.GetMessage(REQUEST, metadata=self._pairs)
            except grpc.aio.AioRpcError as error:
                self.failed.append(f"{error.code().name}: {error.details()}")
            else:
                self.answered[answer.message.message_id] += 1

    async def hear_from(self, pid: int) -> None:
        """Wait until a process has had its share of the calls."""
        before = self.answered[str(pid)]
        await eventually(lambda: self.answered[str(pid)] >= before + 20, within=30)

    async def end(self) -> None:
        """Let the calls under way come to their end."""
        self._over.set()
        await asyncio.gather(*self._tasks)
        for channel in self._channels:
            await channel.close()


@pytest.fixture
async def pair(idle_tiny: Tiny, bare_database: str, keys: Keys, tmp_path: Path) -> AsyncIterator[list[Tiny]]:
    """Two processes that serve, behind one target."""
    await migrate(bare_database, [KIT_FOLDER])
    both = []
    for name in ("a", "b"):
        http = free_port()
        own = {
            "GRPC_PORT": str(free_port()),
            "HTTP_PORT": str(http),
            "HEALTH_PORT": "0",
            "JWKS_FILES": f'["{keys.jwks}"]',
        }
        both.append(Tiny(idle_tiny.env | own, http, tmp_path / f"log-{name}"))
    await asyncio.gather(*(one.start("serve") for one in both))
    await asyncio.gather(*(one.becomes("/ready", 200) for one in both))
    yield both
    await asyncio.gather(*(one.end() for one in both))


async def test_servers_are_replaced_one_after_the_other_without_one_call_failing_for_good(
    pair: list[Tiny], keys: Keys
) -> None:
    target = "ipv4:" + ",".join(f"127.0.0.1:{one.env['GRPC_PORT']}" for one in pair)
    tills = Tills(target, keys.token(scopes=SCOPE))
    for one in pair:
        await tills.hear_from(one.process.pid)
    for one in pair:
        one.process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(one.process.wait(), 20) == 0
        await one.start("serve")
        await one.becomes("/ready", 200)
        # As minReadySeconds does: the next one goes only when clients have found this one.
        await tills.hear_from(one.process.pid)
    await tills.end()
    assert tills.failed == []
    assert len(tills.answered) == 4, "two old ones and two new ones"
