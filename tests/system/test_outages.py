"""Whatever the services stand on goes away for a while: nothing is lost, health is true, all comes back.

OUTAGE_SECONDS (10) is how long; `make chaos` takes a minute.
"""

import asyncio
import os
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from functools import partial

import grpc.aio
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from kit.testing import eventually
from langganan.credit.v1 import holds_pb2
from langganan.loyalty.v1 import redemptions_pb2
from langganan.types.v1 import tender_pb2
from local.demo.gateway import Gateway
from local.http import get
from local.services import SERVICES
from local.stack import Stack
from tests.system.conftest import OPENING, settings_of_its_own
from tests.system.trade import LIMIT, POINT, Books, Trade, rupiah

OUTAGE_SECONDS = float(os.environ.get("OUTAGE_SECONDS") or "10")
SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
NOTIFY = {
    "NOTIFY_RETRY_S": "0.5",
    "NOTIFY_RETRY_MAX_S": "1",
    "NOTIFY_LEASE_S": "6",
    "NOTIFY_SEND_TIMEOUT_S": "2",
}


@pytest.fixture(scope="module")
async def apart() -> AsyncIterator[Stack]:
    """A stack whose services serve in one process and work in another."""
    with settings_of_its_own() as settings:
        async with Stack(settings, start=OPENING, apart=True, overrides=NOTIFY) as running:
            yield running


@pytest.fixture
async def trade(apart: Stack) -> AsyncIterator[Trade]:
    till = Gateway(apart.grpc, apart.token())
    shop = Trade(apart, till)
    await shop.open()
    await apart.settled()
    yield shop
    await till.close()


class Health:
    """What the processes say of themselves, over HTTP and gRPC."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._ports = {"serve": stack.ports.http, "work": stack.ports.work}

    async def ready(self, role: str) -> list[int]:
        """The status of /ready of each service's process."""
        return [(await get(self._ports[role][name], "/ready"))[0] for name in SERVICES]

    async def live(self) -> bool:
        """Whether all processes are alive, so that nobody restarts them."""
        return all(
            [(await get(port[name], "/live"))[0] == 200 for port in self._ports.values() for name in SERVICES]
        )

    async def grpc(self) -> set[int]:
        """What gRPC health says at each service."""
        said = set()
        for address in self._stack.grpc.values():
            async with grpc.aio.insecure_channel(address) as channel:
                answer = await health_pb2_grpc.HealthStub(channel).Check(
                    health_pb2.HealthCheckRequest(), timeout=5
                )
                said.add(answer.status)
        return said

    async def is_well(self) -> bool:
        """Whether everything is as it should be."""
        states = [*await self.ready("serve"), *await self.ready("work")]
        return set(states) == {200} and await self.grpc() == {SERVING}


async def throughout(what: Callable[[], Awaitable[None]]) -> None:
    """Look again and again until the outage has lasted long enough."""
    until = time.monotonic() + OUTAGE_SECONDS
    while time.monotonic() < until:
        await what()


def pids(stack: Stack) -> dict[str, int | None]:
    return {name: stack.parts[name].pid for name in stack.processes}


async def test_postgres_away_refuses_tills_truly_and_all_goes_on_by_itself(trade: Trade) -> None:
    stack, health = trade.stack, Health(trade.stack)
    customer_id = await trade.register()
    before = pids(stack)
    await trade.sell(customer_id, cash=50_000)  # and at once, with all of it still under way:
    stack.kill("postgres")
    await eventually(lambda: is_down(health), within=20)
    sale = asyncio.create_task(until_answered(trade, customer_id))

    async def is_true() -> None:
        assert await health.ready("serve") == [503] * 4
        assert await health.grpc() == {NOT_SERVING}
        assert await health.live(), "a dead database restarts nobody"

    await throughout(is_true)
    assert not sale.done(), "nothing is answered that is not kept"
    await stack.restart("postgres")
    await sale
    await eventually(health.is_well, within=30)
    await stack.settled()
    assert pids(stack) == before
    assert await trade.books(customer_id) == Books(80, 0, 0, (), 2, 2)


async def is_down(health: Health) -> bool:
    states = [*await health.ready("serve"), *await health.ready("work")]
    return set(states) == {503} and await health.grpc() == {NOT_SERVING}


async def until_answered(trade: Trade, customer_id: str) -> None:
    """Sell as a till does that repeats the same ids however long it takes."""
    tender = tender_pb2.Tender(tender_id="cash", amount=rupiah(30_000))
    tender.cash.CopyFrom(tender_pb2.Cash(tendered=rupiah(30_000), change=rupiah(0)))
    purchase_id = str(uuid.uuid4())
    while True:
        try:
            await trade.record(customer_id, [tender], purchase_id)
        except grpc.aio.AioRpcError as error:
            if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                raise
        else:
            return


async def test_kafka_away_lets_tills_go_on_and_catches_up_by_itself(trade: Trade) -> None:
    stack, health = trade.stack, Health(trade.stack)
    customer_id = await trade.register()
    await stack.settled()
    before, sales = pids(stack), 0
    stack.kill("kafka")

    async def workers_say_so() -> bool:
        return await health.ready("work") == [503] * 4

    await eventually(workers_say_so, within=30)

    async def is_true() -> None:
        nonlocal sales
        if sales < 30:
            await trade.sell(customer_id, cash=10_000, credit=1_000)
            sales += 1
        assert await health.ready("serve") == [200] * 4, "calls need no broker"
        assert await health.ready("work") == [503] * 4
        assert await health.grpc() == {SERVING}
        assert await health.live()

    await throughout(is_true)
    assert sales > 0
    assert (await trade.books(customer_id)).points == 0
    await stack.restart("kafka")
    await eventually(health.is_well, within=60)
    await stack.settled()
    assert pids(stack) == before
    invoices = (1_000,) * sales
    assert await trade.books(customer_id) == Books(11 * sales, 1_000 * sales, 0, invoices, sales, sales)


async def test_a_provider_that_refuses_for_an_hour_gets_each_message_once_it_does_not(trade: Trade) -> None:
    stack = trade.stack
    customer_id = await trade.register()
    await stack.settled()
    with stack.mail.refusing("451 4.7.1 come again later"):
        await an_hour_of_sales_passes(trade, customer_id, "CHANNEL_BUSY")
    await stack.settled()
    assert sorted(trade.mails(customer_id).values()) == [1, 1, 1]


async def test_a_provider_that_is_gone_for_an_hour_gets_each_message_once_it_is_back(trade: Trade) -> None:
    stack = trade.stack
    customer_id = await trade.register()
    await stack.settled()
    stack.kill("mail")
    await an_hour_of_sales_passes(trade, customer_id, "CHANNEL_UNAVAILABLE")
    await stack.restart("mail")
    await stack.settled()
    assert sorted(trade.mails(customer_id).values()) == [1, 1, 1]


async def an_hour_of_sales_passes(trade: Trade, customer_id: str, why: str) -> None:
    """Sell three times and let an hour of business time pass, in which no mail arrives, for that reason."""
    stack, health = trade.stack, Health(trade.stack)
    for _ in range(3):
        await trade.sell(customer_id, cash=20_000)

    async def fails_again(before: float) -> bool:
        return await failed_attempts(stack, why) > before

    for _ in range(6):
        before = await failed_attempts(stack, why)
        stack.clock.move(stack.clock.now() + timedelta(minutes=10))
        await eventually(partial(fails_again, before), within=20)
        assert await health.is_well(), "we are; the provider is not"
    assert trade.mails(customer_id) == {}


async def failed_attempts(stack: Stack, why: str) -> float:
    """How many attempts failed for that reason, as notify counts them."""
    _, page = await get(stack.http["notify"], "/metrics")
    return sum(
        float(line.split()[-1])
        for line in page.decode().splitlines()
        if line.startswith("langganan_notify_attempts_failed_total") and f'="{why}"' in line
    )


async def test_a_credit_worker_down_past_the_life_of_its_holds_sells_nothing_twice(trade: Trade) -> None:
    stack = trade.stack
    sold, unsold = await trade.register(), await trade.register()
    await stack.settled()
    stack.kill("credit-work")
    amount = LIMIT * 8 // 10
    await trade.sell(sold, credit=amount)
    assert (await trade.authorize(unsold, amount, str(uuid.uuid4()))).state == holds_pb2.HOLD_STATE_PENDING
    stack.clock.move(stack.clock.now() + timedelta(hours=2))  # the holds lived for a quarter of one
    for one in (sold, unsold):
        again = await trade.authorize(one, amount, str(uuid.uuid4()))
        assert again.state == holds_pb2.HOLD_STATE_DECLINED, "its sale may still be on its way"
    await stack.restart("credit-work")
    await stack.settled()
    books = await trade.books(sold)
    assert (books.posted, books.held, books.invoices) == (amount, 0, (amount,))
    assert (await trade.authorize(sold, amount, str(uuid.uuid4()))).state == holds_pb2.HOLD_STATE_DECLINED
    assert (await trade.authorize(unsold, amount, str(uuid.uuid4()))).state == holds_pb2.HOLD_STATE_PENDING


async def test_a_loyalty_worker_down_past_the_life_of_a_reservation_spends_no_point_twice(
    trade: Trade,
) -> None:
    stack = trade.stack
    customer_id = await trade.register()
    await trade.sell(customer_id, cash=100_000)
    await stack.settled()
    stack.kill("loyalty-work")
    await trade.sell(customer_id, points=80)
    stack.clock.move(stack.clock.now() + timedelta(hours=2))
    again = await trade.reserve(customer_id, 80, str(uuid.uuid4()))
    assert again.state == redemptions_pb2.RESERVATION_STATE_DECLINED
    await stack.restart("loyalty-work")
    await stack.settled()
    assert (await trade.books(customer_id)).points == 20 + 80 * POINT // 1_000
