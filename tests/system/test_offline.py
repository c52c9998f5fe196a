"""A till that lost its line sells within its store's allowance, and tells of it when it can again."""

import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from langganan.credit.v1 import allowances_pb2, holds_pb2, invoices_pb2
from langganan.types.v1 import origin_pb2, tender_pb2
from local.demo.gateway import Gateway
from local.stack import Stack
from tests.system.trade import Books, Trade, operate, rupiah

BLIND = origin_pb2.Origin(store_id="S1", register_id="R1", staff_ref="kasir-1", mode=origin_pb2.MODE_OFFLINE)
GRANTED, SOLD, PROMISED = 500_000, 200_000, 350_000


@pytest.fixture
async def trade(stack: Stack, till: Gateway) -> Trade:
    shop = Trade(stack, till)
    await shop.open()
    return shop


async def grant(trade: Trade) -> allowances_pb2.Allowance:
    now, day = trade.stack.clock.now(), timedelta(days=1)
    request = allowances_pb2.GrantAllowanceRequest(
        allowance_id=str(uuid.uuid4()),
        store_id=BLIND.store_id,
        amount=rupiah(GRANTED),
        valid_from=Timestamp(seconds=int((now - day).timestamp())),
        valid_until=Timestamp(seconds=int((now + day).timestamp())),
        time_zone="Asia/Jakarta",
    )
    allowances = trade.till.allowances
    return (await trade.till.call("GrantAllowance", allowances.GrantAllowance, request)).allowance


async def listed(trade: Trade) -> allowances_pb2.Allowance:
    """The allowance of the store that a till learns of while it has its line."""
    request = allowances_pb2.ListAllowancesRequest(store_id=BLIND.store_id, valid_now=True)
    reply = await trade.till.call("ListAllowances", trade.till.allowances.ListAllowances, request)
    (found,) = reply.allowances
    return found


async def test_a_day_without_a_line_is_told_late_twice_and_through_a_crash_and_counts_once(
    trade: Trade, tmp_path: Path
) -> None:
    customer_id = await trade.register()
    await grant(trade)
    allowance = await listed(trade)
    assert allowance.available.units == GRANTED
    # One sale under the allowance, and one under a hold that the till made by itself.
    sold = tender_pb2.Tender(tender_id="credit", amount=rupiah(SOLD))
    sold.on_account.allowance_id = allowance.allowance_id
    held = tender_pb2.Tender(tender_id="credit", amount=rupiah(PROMISED))
    held.on_account.hold_id = str(uuid.uuid4())
    purchases = [str(uuid.uuid4()) for _ in range(2)]

    async def record() -> None:
        for tender, purchase_id in zip((sold, held), purchases, strict=True):
            await trade.record(customer_id, [tender], purchase_id, BLIND)

    await record()
    await trade.stack.settled()
    promised = allowances_pb2.OfflineHold(
        hold_id=held.on_account.hold_id, customer_id=customer_id, amount=rupiah(PROMISED)
    )
    handing = allowances_pb2.HandInRequest(
        allowance_id=allowance.allowance_id, holds=[promised], origin=BLIND
    )
    hand_in = trade.till.allowances.HandIn
    work = trade.till.call("HandIn", hand_in, handing)
    reply = await trade.dies_at("credit", "committed:hand_in", tmp_path, work)
    assert reply.holds[0].hold.state == holds_pb2.HOLD_STATE_CAPTURED
    assert reply.holds[0].over_allowance.units == SOLD + PROMISED - GRANTED
    await record()
    assert await trade.till.call("HandIn", hand_in, handing) == reply
    await trade.stack.settled()

    earned = SOLD // 1_000 + PROMISED // 1_000
    books = await trade.books(customer_id)
    messages = books.messages
    assert books == Books(earned, SOLD + PROMISED, 0, (SOLD, PROMISED), 2, messages)
    told = await listed(trade)
    assert (told.used.units, told.over.units) == (GRANTED, SOLD + PROMISED - GRANTED)
    asked = invoices_pb2.ListExceptionsRequest(customer_id=customer_id)
    (marked,) = (await trade.till.call("List", trade.till.invoices.ListExceptions, asked)).exceptions
    assert marked.kind == invoices_pb2.EXCEPTION_KIND_OVER_ALLOWANCE
    assert marked.amount.units == SOLD + PROMISED - GRANTED
    code, said = await operate(trade.stack, "credit", "audit")
    assert code == 0, said
