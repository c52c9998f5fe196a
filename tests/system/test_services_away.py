"""What a till does while one of the four services is away, as docs/operations/tills-offline.md tells it."""

import uuid
from collections.abc import AsyncIterator, Awaitable
from datetime import timedelta

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from kit.testing import eventually
from langganan.credit.v1 import allowances_pb2, holds_pb2, invoices_pb2
from langganan.customers.v1 import profiles_pb2, purchases_pb2, returns_pb2
from langganan.loyalty.v1 import redemptions_pb2
from langganan.types.v1 import origin_pb2, tender_pb2
from local.demo.gateway import Gateway
from local.stack import Stack
from tests.system.trade import ORIGIN, Books, Trade, rupiah

BLIND = origin_pb2.Origin(store_id="S9", register_id="R1", staff_ref="kasir-1", mode=origin_pb2.MODE_OFFLINE)


@pytest.fixture
async def trade(stack: Stack, till: Gateway) -> AsyncIterator[Trade]:
    shop = Trade(stack, till)
    await shop.open()
    yield shop
    for name in stack.processes:  # what a failure left away
        if name not in stack.parts:
            await stack.restart(name)


async def refused(call: Awaitable[object]) -> grpc.StatusCode:
    """How one try of a call ends that nobody answers."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code()


def with_token(stack: Stack) -> dict[str, object]:
    return {"metadata": (("authorization", f"Bearer {stack.token()}"),), "timeout": 5}


def cash(amount: int) -> tender_pb2.Tender:
    given = tender_pb2.Cash(tendered=rupiah(amount), change=rupiah(0))
    return tender_pb2.Tender(tender_id="cash", amount=rupiah(amount), cash=given)


def on_account(amount: int, **how: str) -> tender_pb2.Tender:
    tender = tender_pb2.Tender(tender_id="credit", amount=rupiah(amount))
    for name, value in how.items():
        setattr(tender.on_account, name, value)
    return tender


async def exceptions(trade: Trade, customer_id: str) -> int:
    asked = invoices_pb2.ListExceptionsRequest(customer_id=customer_id)
    return len((await trade.till.call("List", trade.till.invoices.ListExceptions, asked)).exceptions)


async def test_while_customers_is_away_a_till_sells_to_whom_a_card_names_and_records_it_later(
    trade: Trade,
) -> None:
    stack, till, ready = trade.stack, trade.till, with_token(trade.stack)
    customer_id = await trade.register()
    earlier = await trade.sell(customer_id, cash=100_000)
    await stack.settled()
    stack.kill("customers")
    identify = profiles_pb2.IdentifyRequest(customer_id=customer_id, origin=ORIGIN)
    assert await refused(till.profiles.Identify(identify, **ready)) is grpc.StatusCode.UNAVAILABLE
    part = returns_pb2.ReturnItem(line_id="1", amount=rupiah(10_000))
    given = returns_pb2.Refund(tender_id="cash", amount=rupiah(10_000))  # out of the drawer
    asked = {"purchase_id": earlier, "customer_id": customer_id, "lines": [part], "refunds": [given]}
    quote = purchases_pb2.QuoteReturnRequest(reason=returns_pb2.RETURN_REASON_RETURN, **asked)
    assert await refused(till.purchases.QuoteReturn(quote, **ready)) is grpc.StatusCode.UNAVAILABLE
    # The card carries the id; points and credit are held as ever.
    points = await trade.reserve(customer_id, 40, str(uuid.uuid4()))
    hold = await trade.authorize(customer_id, 25_000, str(uuid.uuid4()))
    assert (points.state, hold.state) == (
        redemptions_pb2.RESERVATION_STATE_HELD,
        holds_pb2.HOLD_STATE_PENDING,
    )
    redeemed = tender_pb2.Tender(tender_id="points", amount=rupiah(400))
    redeemed.points.reservation_id = points.reservation_id
    tenders = [redeemed, on_account(25_000, hold_id=hold.hold_id), cash(9_600)]
    await stack.restart("customers")
    purchase_id = str(uuid.uuid4())
    for _ in range(2):  # the answer to the first may have been lost
        await trade.record(customer_id, tenders, purchase_id, BLIND)
    back = purchases_pb2.RecordReturnRequest(
        return_id=str(uuid.uuid4()), origin=BLIND, reason=returns_pb2.RETURN_REASON_RETURN, **asked
    )
    back.occurred_at.FromDatetime(stack.clock.now())
    for _ in range(2):
        await till.call("RecordReturn", till.purchases.RecordReturn, back)
    await stack.settled()
    assert await trade.books(customer_id) == Books(100 - 40 + 34 - 10, 25_000, 0, (25_000,), 2, 2)
    assert await exceptions(trade, customer_id) == 0


async def test_while_loyalty_is_away_a_till_sells_without_points_and_they_are_earned_later(
    trade: Trade,
) -> None:
    stack, till, ready = trade.stack, trade.till, with_token(trade.stack)
    customer_id = await trade.register()
    await stack.settled()
    stack.kill("loyalty")
    quote = redemptions_pb2.QuoteRequest(customer_id=customer_id)
    assert await refused(till.redemptions.Quote(quote, **ready)) is grpc.StatusCode.UNAVAILABLE
    reserve = redemptions_pb2.ReserveRequest(
        reservation_id=str(uuid.uuid4()), customer_id=customer_id, points=10, origin=ORIGIN
    )
    assert await refused(till.redemptions.Reserve(reserve, **ready)) is grpc.StatusCode.UNAVAILABLE
    await trade.sell(customer_id, cash=20_000, credit=15_000)
    await stack.restart("loyalty")
    await stack.settled()
    assert await trade.books(customer_id) == Books(35, 15_000, 0, (15_000,), 1, 1)


async def test_while_credit_is_away_a_till_sells_within_its_stores_allowance(trade: Trade) -> None:
    stack, till, ready = trade.stack, trade.till, with_token(trade.stack)
    customer_id = await trade.register()
    now, day = stack.clock.now(), timedelta(days=1)
    grant = allowances_pb2.GrantAllowanceRequest(
        allowance_id=str(uuid.uuid4()),
        store_id=BLIND.store_id,
        amount=rupiah(300_000),
        valid_from=Timestamp(seconds=int((now - day).timestamp())),
        valid_until=Timestamp(seconds=int((now + day).timestamp())),
        time_zone="Asia/Jakarta",
    )
    allowance = (await till.call("GrantAllowance", till.allowances.GrantAllowance, grant)).allowance
    await stack.settled()
    stack.kill("credit")
    ask = holds_pb2.AuthorizeRequest(
        hold_id=str(uuid.uuid4()), customer_id=customer_id, amount=rupiah(80_000), origin=ORIGIN
    )
    assert await refused(till.holds.Authorize(ask, **ready)) is grpc.StatusCode.UNAVAILABLE
    promised = on_account(80_000, allowance_id=allowance.allowance_id)
    await trade.record(customer_id, [promised], str(uuid.uuid4()), BLIND)
    await stack.restart("credit")
    await stack.settled()
    assert await trade.books(customer_id) == Books(80, 80_000, 0, (80_000,), 1, 1)
    assert await exceptions(trade, customer_id) == 0
    told = allowances_pb2.GetAllowanceRequest(allowance_id=allowance.allowance_id)
    left = (await till.call("GetAllowance", till.allowances.GetAllowance, told)).allowance
    assert left.available.units == 220_000
    # Whether the Authorize had been decided nobody knows: given up by its id, it holds nothing.
    void = holds_pb2.VoidRequest(hold_id=ask.hold_id, customer_id=customer_id, origin=ORIGIN)
    await till.call("Void", till.holds.Void, void)
    assert (await trade.authorize(customer_id, 80_000, ask.hold_id)).state == holds_pb2.HOLD_STATE_VOIDED


async def test_while_notify_is_away_no_till_notices_and_customers_hear_later(trade: Trade) -> None:
    stack = trade.stack
    customer_id = await trade.register()
    await stack.settled()
    stack.kill("notify")
    await trade.sell(customer_id, cash=20_000, credit=15_000)
    await eventually(lambda: earned(trade, customer_id), within=30)
    assert trade.mails(customer_id) == {}
    await stack.restart("notify")
    await stack.settled()
    assert await trade.books(customer_id) == Books(35, 15_000, 0, (15_000,), 1, 1)
    assert list(trade.mails(customer_id).values()) == [1]


async def earned(trade: Trade, customer_id: str) -> bool:
    return (await trade.books(customer_id)).points == 35
