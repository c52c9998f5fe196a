"""A process that dies or must end amid streams: what was answered stands, the rest is asked again."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from credit.settings import Settings
from kit import clock
from kit.testing import error_info
from kit.testing.keys import Keys
from langganan.credit.v1 import holds_pb2, holds_pb2_grpc
from local.part import free_port
from tests.credit.conftest import NOON, Credit
from tests.credit.test_credit_streams import ask, stream_of, wish

STREAMS, EACH = 4, 200  # few enough for the wire to take them at once, so that only answers are waited for
Answers = dict[str, holds_pb2.AuthorizeAnswer]


class Pod:
    """One more process on the same database, as one more pod would be, and slow enough to be caught at it."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, keys: Keys) -> None:
        self.process, self._keys = process, keys
        self.channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")

    def stream(self, merchant: str) -> Any:
        token = self._keys.token(merchant=merchant, scopes="credit.holds.write")
        stub: Any = holds_pb2_grpc.HoldServiceStub(self.channel)
        return stub.StreamAuthorize(metadata=(("authorization", f"Bearer {token}"),))


@pytest.fixture
async def pod(credit_settings: Settings, keys: Keys, tmp_path: Path) -> AsyncIterator[Pod]:
    clock.move(tmp_path / "clock", NOON)
    port = free_port()
    env = {
        "CREDIT_DATABASE_URL": credit_settings.database_url,
        "CREDIT_JWKS_FILES": json.dumps([str(keys.jwks)]),
        "CREDIT_CLOCK_FILE": str(tmp_path / "clock"),
        "CREDIT_GRPC_PORT": str(port),
        "CREDIT_MERCHANT_ITEMS_AT_ONCE": "8",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "credit", "serve", env={**os.environ, **env}
    )
    pod = Pod(process, port, keys)
    try:
        await asyncio.wait_for(pod.channel.channel_ready(), 30)
        yield pod
    finally:
        await pod.channel.close(None)
        if process.returncode is None:
            process.kill()
        await process.wait()


async def to_its_end(call: Any, answered: Answers, some: asyncio.Event) -> grpc.aio.AioRpcError:
    """Collect answers until the stream is ended from the other side; return with what."""
    try:
        while (said := await call.read()) is not grpc.aio.EOF:
            answered |= {answer.hold_id: answer for answer in said.answers}
            some.set()
    except grpc.aio.AioRpcError as error:
        return error
    raise AssertionError("the stream ended as if all had been answered")


async def ended_by(
    what: signal.Signals, pod: Pod, credit: Credit, wishes: list[list[holds_pb2.AuthorizeRequest]]
) -> tuple[Answers, list[grpc.aio.AioRpcError]]:
    """Ask over streams, end the process while it answers; return the answers and how the streams ended."""
    calls = [pod.stream(credit.merchant) for _ in wishes]
    for call, some in zip(calls, wishes, strict=True):
        await ask(call, *some)
    answered: Answers = {}
    begun = asyncio.Event()
    ends = [asyncio.create_task(to_its_end(call, answered, begun)) for call in calls]
    await begun.wait()
    pod.process.send_signal(what)
    return answered, await asyncio.wait_for(asyncio.gather(*ends), 20)


async def decided(credit: Credit) -> set[str]:
    """The ids of the holds that this merchant has."""
    rows = await credit.run.pool.fetch("SELECT hold_id FROM holds WHERE merchant_id = $1", credit.merchant)
    return {str(row["hold_id"]) for row in rows}


async def asked_again(
    credit: Credit, answered: Answers, wishes: list[list[holds_pb2.AuthorizeRequest]]
) -> None:
    """Ask another process what has no answer; then everything is held once, and every answer stands."""
    everything = [each for some in wishes for each in some]
    missing = [each for each in everything if each.hold_id not in answered]
    assert missing, "it was caught in the middle"
    for answer in await stream_of(credit.holds, *missing):
        answered[answer.hold_id] = answer
    for each in everything:
        told = answered[each.hold_id].authorized.hold
        assert told.state == holds_pb2.HOLD_STATE_PENDING
        assert await credit.hold(each.customer_id, each.hold_id) == told
    for customer in {each.customer_id for each in everything}:
        held = sum(each.amount.units for each in everything if each.customer_id == customer)
        assert (await credit.account(customer)).held.units == held
        await credit.check_books(customer)


@pytest.fixture
def many(credit: Credit) -> Callable[[], Awaitable[list[list[holds_pb2.AuthorizeRequest]]]]:
    """`await many()`: wishes of five customers, for several streams."""

    async def make() -> list[list[holds_pb2.AuthorizeRequest]]:
        customers = [await credit.open(limit=10**9) for _ in range(5)]
        return [[wish(customers[n % 5], 1 + n) for n in range(EACH)] for _ in range(STREAMS)]

    return make


async def test_streams_of_a_killed_process_are_resumed_by_asking_again(
    credit: Credit, pod: Pod, many: Callable[[], Awaitable[list[list[holds_pb2.AuthorizeRequest]]]]
) -> None:
    wishes = await many()
    answered, ends = await ended_by(signal.SIGKILL, pod, credit, wishes)
    assert {end.code() for end in ends} == {grpc.StatusCode.UNAVAILABLE}
    assert set(answered) <= await decided(credit), "what was answered is there"
    await asked_again(credit, answered, wishes)


async def test_a_process_told_to_end_answers_what_it_has_begun_says_so_and_loses_nothing(
    credit: Credit, pod: Pod, many: Callable[[], Awaitable[list[list[holds_pb2.AuthorizeRequest]]]]
) -> None:
    wishes = await many()
    answered, ends = await ended_by(signal.SIGTERM, pod, credit, wishes)
    assert {(end.code(), error_info(end).reason) for end in ends} == {
        (grpc.StatusCode.UNAVAILABLE, "DRAINING")
    }
    assert await asyncio.wait_for(pod.process.wait(), 20) == 0
    assert set(answered) == await decided(credit), "what was decided was answered"
    await asked_again(credit, answered, wishes)
