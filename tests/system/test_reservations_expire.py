"""A reservation that nobody used, through the real broker: it expires once all is heard, and not before."""

import uuid
from datetime import timedelta

import pytest

from langganan.loyalty.v1 import accounts_pb2, redemptions_pb2
from langganan.types.v1 import tender_pb2
from local.demo.gateway import Gateway
from local.stack import Stack
from tests.system.trade import POINT, STEP, Trade, rupiah

HELD, EXPIRED, REDEEMED = (
    redemptions_pb2.RESERVATION_STATE_HELD,
    redemptions_pb2.RESERVATION_STATE_EXPIRED,
    redemptions_pb2.RESERVATION_STATE_REDEEMED,
)
OVER = timedelta(minutes=16)  # a reservation lives for 15


@pytest.fixture
async def trade(stack: Stack, till: Gateway) -> Trade:
    shop = Trade(stack, till)
    await shop.open()
    return shop


async def with_points(trade: Trade, points: int) -> str:
    customer = await trade.register()
    await trade.sell(customer, cash=points * STEP)
    await trade.stack.settled()
    return customer


async def reserve(trade: Trade, customer: str, points: int) -> str:
    held = await trade.reserve(customer, points, str(uuid.uuid4()))
    assert held.state == HELD, held
    return held.reservation_id


async def state(trade: Trade, customer: str, reservation_id: str) -> int:
    asked = redemptions_pb2.GetReservationRequest(reservation_id=reservation_id, customer_id=customer)
    stub = trade.till.redemptions.GetReservation
    return (await trade.till.call("GetReservation", stub, asked)).reservation.state


async def points_of(trade: Trade, customer: str) -> tuple[int, int, int]:
    asked = accounts_pb2.GetAccountRequest(customer_id=customer)
    account = (await trade.till.call("GetAccount", trade.till.points.GetAccount, asked)).account
    return (account.balance, account.active, account.reserved)


async def marks(trade: Trade, customer: str) -> list[tuple[int, str]]:
    listing = redemptions_pb2.ListExceptionsRequest(customer_id=customer)
    stub = trade.till.redemptions.ListExceptions
    found = (await trade.till.call("ListExceptions", stub, listing)).exceptions
    return [(one.mark, one.reservation_id) for one in found]


async def paid_by(trade: Trade, customer: str, points: int, reservation_id: str) -> str:
    """Record a sale that a reservation pays."""
    tender = tender_pb2.Tender(tender_id="points", amount=rupiah(points * POINT))
    tender.points.reservation_id = reservation_id
    return await trade.record(customer, [tender], str(uuid.uuid4()))


async def test_settled_means_that_what_is_over_was_given_back_and_a_sale_after_that_is_late(
    stack: Stack, trade: Trade
) -> None:
    customer = await with_points(trade, 100)
    first = await reserve(trade, customer, 100)
    assert await points_of(trade, customer) == (100, 0, 100)

    await stack.move(stack.clock.now() + OVER)
    assert await state(trade, customer, first) == EXPIRED
    assert await points_of(trade, customer) == (100, 100, 0)
    second = await reserve(trade, customer, 40)

    for reservation, points in ((first, 60), (second, 40)):
        await paid_by(trade, customer, points, reservation)
    await stack.settled()
    assert await marks(trade, customer) == [(redemptions_pb2.EXCEPTION_MARK_LATE, first)]
    assert await state(trade, customer, second) == REDEEMED
    assert await points_of(trade, customer) == (0, 0, 0)


async def test_a_sale_of_its_lifetime_that_loyalty_hears_of_hours_later_finds_its_points(
    stack: Stack, trade: Trade
) -> None:
    """Loyalty dies before it hears of the sale; all is over when it comes back, and nothing is given away."""
    customer = await with_points(trade, 100)
    used, unused = await reserve(trade, customer, 60), await reserve(trade, customer, 30)
    stack.kill("loyalty")
    await paid_by(trade, customer, 60, used)
    stack.clock.move(stack.clock.now() + timedelta(hours=5))
    await stack.restart("loyalty")
    await stack.settled()
    assert await state(trade, customer, used) == REDEEMED
    assert await state(trade, customer, unused) == EXPIRED
    assert await marks(trade, customer) == []
    assert await points_of(trade, customer) == (40, 40, 0)
