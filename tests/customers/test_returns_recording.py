"""What is taken back is taken back once, against what is left, and said exactly to points and credit."""

from __future__ import annotations

import asyncio
from datetime import UTC, timedelta
from typing import Any

import grpc
import pytest

from langganan.customers.v1 import purchases_pb2 as pb
from langganan.customers.v1.returns_pb2 import (
    RETURN_REASON_PRICE_CORRECTION,
    RETURN_REASON_VOID,
    Refund,
    ReturnItem,
)
from langganan.events.v1.purchases_pb2 import PurchaseReturned
from langganan.types.v1.origin_pb2 import MODE_OFFLINE, RECOGNISED_BY_OTP
from langganan.types.v1.tender_pb2 import Cash, OnAccount, Points, Tender

HOLD = "5a0e1f9c-5b7e-4a55-9a0d-0f4a3f1c2b11"
RESERVATION = "7c0e1f9c-5b7e-4a55-9a0d-0f4a3f1c2b22"


def piece(line_id: str, thousandths: int = 1000) -> ReturnItem:
    return ReturnItem(line_id=line_id, quantity_thousandths=thousandths)


def quote_of(request: pb.RecordReturnRequest) -> pb.QuoteReturnRequest:
    return pb.QuoteReturnRequest(
        purchase_id=request.purchase_id,
        customer_id=request.customer_id,
        reason=request.reason,
        lines=request.lines,
        refunds=request.refunds,
    )


def mixed(idr: Any) -> list[Tender]:
    """Rp 10.000 in cash, Rp 6.000 on account, Rp 4.000 in points."""
    return [
        Tender(tender_id="cash", amount=idr(10_000), cash=Cash()),
        Tender(tender_id="acc", amount=idr(6_000), on_account=OnAccount(hold_id=HOLD)),
        Tender(tender_id="pts", amount=idr(4_000), points=Points(reservation_id=RESERVATION)),
    ]


def refunds_of(reply: Any) -> dict[str, int]:
    return {r.tender_id: r.amount.units for r in reply.refunds}


async def test_a_return_is_split_and_told_with_what_was_left_before(till: Any, idr: Any) -> None:
    customer = await till.customer()
    sale = till.sale(customer, [15_000, 5_000], mixed(idr))
    await till.stub.RecordPurchase(sale)
    request = till.a_return(sale, piece("1"))
    quote = (await till.stub.QuoteReturn(quote_of(request))).quote
    reply = (await till.stub.RecordReturn(request)).purchase_return
    assert refunds_of(reply) == refunds_of(quote) == {"cash": 3_750, "acc": 2_250, "pts": 1_500}
    assert (reply.total.units, reply.total_left.units, reply.exhausts, reply.revision) == (
        7_500,
        12_500,
        False,
        2,
    )
    (event,) = [e for e in await till.published() if isinstance(e, PurchaseReturned)]
    assert (event.return_id, event.reason, event.total, event.revision) == (
        request.return_id,
        "RETURN",
        7_500,
        2,
    )
    assert event.purchase_effective_at == sale.occurred_at
    (line,) = event.lines
    assert (line.line_id, line.quantity_thousandths, line.amount, line.amount_left_before) == (
        "1",
        1000,
        7_500,
        15_000,
    )
    told = [(r.tender_id, r.amount, r.amount_left_before, r.hold_id, r.reservation_id) for r in event.refunds]
    assert told == [
        ("cash", 3_750, 10_000, "", ""),
        ("acc", 2_250, 6_000, HOLD, ""),
        ("pts", 1_500, 4_000, "", RESERVATION),
    ]
    second = (await till.stub.RecordReturn(till.a_return(sale, piece("1")))).purchase_return
    assert refunds_of(second) == {"cash": 3_750, "acc": 2_250, "pts": 1_500}
    rest = (await till.stub.RecordReturn(till.a_return(sale))).purchase_return
    assert refunds_of(rest) == {"cash": 2_500, "acc": 1_500, "pts": 1_000}
    assert rest.exhausts


async def test_get_purchase_shows_what_is_left_and_the_returns(till: Any, idr: Any) -> None:
    sale = till.sale("", [15_000, 5_000])
    await till.stub.RecordPurchase(sale)
    by_amount = ReturnItem(line_id="2", amount=idr(1_000))
    await till.stub.RecordReturn(till.a_return(sale, piece("1"), by_amount))
    got = await till.got(sale)
    assert [(x.quantity_left.thousandths, x.net_left.units) for x in got.lines] == [
        (1000, 7_500),
        (2000, 4_000),
    ]
    assert [t.amount_left.units for t in got.tenders] == [11_500]
    assert (got.total_left.units, got.status, got.revision) == (11_500, pb.PURCHASE_STATUS_PARTLY_RETURNED, 2)
    assert [(r.total.units, r.total_left.units) for r in got.returns] == [(8_500, 11_500)]


async def test_a_return_keeps_what_the_till_said_of_itself(till: Any) -> None:
    sale = till.sale()
    await till.stub.RecordPurchase(sale)
    request = till.a_return(sale, recognised_by=RECOGNISED_BY_OTP)
    request.origin.mode = MODE_OFFLINE
    request.origin.sent_at.seconds = 10**12
    request.occurred_at.seconds = 10**12
    reply = (await till.stub.RecordReturn(request)).purchase_return
    got = await till.got(sale)
    (event,) = [e for e in await till.published() if isinstance(e, PurchaseReturned)]
    for told in (reply, got.returns[0]):
        assert (told.origin, told.recognised_by) == (request.origin, RECOGNISED_BY_OTP)
        assert told.occurred_at_implausible
    assert (event.store_id, event.register_id, event.mode) == ("gudang", "2", MODE_OFFLINE)
    assert (event.recognised_by, event.occurred_at_implausible) == (RECOGNISED_BY_OTP, True)


async def test_dates_of_a_return_are_in_the_customers_zone_else_the_stores(till: Any) -> None:
    for customer in (await till.customer(time_zone="Asia/Jayapura"), await till.customer()):
        sale = till.sale(customer)
        await till.stub.RecordPurchase(sale)
        await till.stub.RecordReturn(till.a_return(sale))
    zones = [e.time_zone for e in await till.published() if isinstance(e, PurchaseReturned)]
    assert zones == ["Asia/Jayapura", "Asia/Jakarta"]


async def test_a_quote_writes_nothing(till: Any) -> None:
    sale = till.sale()
    await till.stub.RecordPurchase(sale)
    before = await till.written()
    await till.stub.QuoteReturn(quote_of(till.a_return(sale)))
    assert await till.written() == before


async def test_sixteen_sendings_of_one_return_are_one_return(till: Any) -> None:
    customer = await till.customer()
    for sale in (till.sale(customer), till.sale()):
        await till.stub.RecordPurchase(sale)
        request = till.a_return(sale, piece("1"))
        replies = await asyncio.gather(*[till.stub.RecordReturn(request) for _ in range(16)])
        assert all(reply == replies[0] for reply in replies)
        request.origin.sent_at.GetCurrentTime()
        request.occurred_at.seconds += 5
        assert await till.stub.RecordReturn(request) == replies[0]
    assert len([e for e in await till.published() if isinstance(e, PurchaseReturned)]) == 2
    assert (await till.statistics(customer))[:2] == (1, 5_000)


async def test_a_repeated_return_gets_its_answer_even_when_nothing_is_left_since(till: Any) -> None:
    sale = till.sale()
    await till.stub.RecordPurchase(sale)
    request = till.a_return(sale, piece("1"))
    first = await till.stub.RecordReturn(request)
    await till.stub.RecordReturn(till.a_return(sale))
    assert await till.stub.RecordReturn(request) == first


async def test_the_same_return_id_with_other_content_conflicts(till: Any, reason: Any) -> None:
    one, other = till.sale(), till.sale()
    await till.stub.RecordPurchase(one)
    await till.stub.RecordPurchase(other)
    request = till.a_return(one, piece("1"))
    await till.stub.RecordReturn(request)
    for changed in (
        till.a_return(one, piece("1", 500), return_id=request.return_id),
        till.a_return(other, piece("1"), return_id=request.return_id),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await till.stub.RecordReturn(changed)
        assert reason(refused.value) == "IDEMPOTENCY_CONFLICT"


@pytest.mark.parametrize("known", [True, False])
async def test_returns_at_once_never_take_back_more_than_was_bought(
    till: Any, reason: Any, known: bool
) -> None:
    customer = await till.customer() if known else ""
    sale = till.sale(customer, [1_001])
    await till.stub.RecordPurchase(sale)
    requests = [till.a_return(sale, piece("1", 100)) for _ in range(32)]
    answers = await asyncio.gather(*[till.stub.RecordReturn(r) for r in requests], return_exceptions=True)
    done = [a.purchase_return for a in answers if isinstance(a, pb.RecordReturnResponse)]
    refused = [reason(a) for a in answers if isinstance(a, grpc.aio.AioRpcError)]
    assert len(done) == 20
    assert set(refused) == {"MORE_RETURNED_THAN_BOUGHT"}
    assert sum(r.total.units for r in done) == 1_001
    if known:
        assert await till.statistics(customer) == (0, 0, None, None)


async def test_a_fully_returned_purchase_is_no_visit_and_not_the_last_one(till: Any) -> None:
    customer = await till.customer()
    sales = []
    for days in (3, 2, 1):
        sale = till.sale(customer)
        sale.occurred_at.FromDatetime(till.now - timedelta(days=days))
        await till.stub.RecordPurchase(sale)
        sales.append(sale)
    at = [s.occurred_at.ToDatetime(UTC) for s in sales]
    assert await till.statistics(customer) == (3, 30_000, at[0], at[2])
    await till.stub.RecordReturn(till.a_return(sales[2]))
    assert await till.statistics(customer) == (2, 20_000, at[0], at[1])
    await till.stub.RecordReturn(till.a_return(sales[0], piece("1")))
    assert await till.statistics(customer) == (2, 15_000, at[0], at[1])
    await till.stub.RecordReturn(till.a_return(sales[0], piece("1")))
    assert await till.statistics(customer) == (1, 10_000, at[1], at[1])


async def test_a_price_correction_leaves_the_goods_and_says_so(till: Any, idr: Any) -> None:
    sale = till.sale()
    await till.stub.RecordPurchase(sale)
    too_much = ReturnItem(line_id="1", amount=idr(1_000))
    correction = till.a_return(sale, too_much)
    correction.reason = RETURN_REASON_PRICE_CORRECTION
    await till.stub.RecordReturn(correction)
    got = await till.got(sale)
    assert (got.lines[0].quantity_left.thousandths, got.lines[0].net_left.units) == (2000, 9_000)
    (event,) = [e for e in await till.published() if isinstance(e, PurchaseReturned)]
    assert (event.reason, event.lines[0].quantity_thousandths) == ("PRICE_CORRECTION", 0)


async def test_an_on_account_tender_gets_its_share_unless_the_scope_overrides_it(
    till: Any, idr: Any, reason: Any
) -> None:
    customer = await till.customer()
    sale = till.sale(customer, [20_000], mixed(idr))
    await till.stub.RecordPurchase(sale)
    refunds = [Refund(tender_id="cash", amount=idr(10_000))]
    request = till.a_return(sale, piece("1"), refunds=refunds)
    stub = till.with_scopes("customers.purchases.write customers.purchases.read")
    for call, asked in ((stub.RecordReturn, request), (stub.QuoteReturn, quote_of(request))):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call(asked)
        assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
        assert reason(refused.value) == "REFUND_OVERRIDE_REQUIRED"
    allowed = till.with_scopes("customers.purchases.write purchases.refund_override")
    reply = (await allowed.RecordReturn(request)).purchase_return
    assert refunds_of(reply) == {"cash": 10_000}
    # The decision stands, whoever asks again.
    assert (await stub.RecordReturn(request)).purchase_return == reply


async def test_the_customer_that_an_offline_sale_named_in_vain_may_return_it(till: Any, reason: Any) -> None:
    sale = till.sale("0000000000000")
    sale.origin.mode = MODE_OFFLINE
    await till.stub.RecordPurchase(sale)
    stranger = till.a_return(sale)
    stranger.customer_id = await till.customer()
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await till.stub.RecordReturn(stranger)
    assert reason(refused.value) == "PURCHASE_NOT_FOUND"
    assert (await till.stub.RecordReturn(till.a_return(sale))).purchase_return.customer_id == ""


async def test_the_refund_of_an_unknown_customers_debt_goes_to_the_same_account(till: Any, idr: Any) -> None:
    sale = till.sale("0000000000000", [20_000], mixed(idr))
    sale.origin.mode = MODE_OFFLINE
    await till.stub.RecordPurchase(sale)
    await till.stub.RecordReturn(till.a_return(sale, piece("1")))
    (event,) = [e for e in await till.published() if isinstance(e, PurchaseReturned)]
    owing = {r.tender_id: r.account_customer_id for r in event.refunds}
    assert owing == {"cash": "", "acc": "0000000000000", "pts": ""}


async def test_a_purchase_worth_0_can_be_voided_once(till: Any, reason: Any) -> None:
    customer = await till.customer()
    sale = till.sale(customer, [0])
    await till.stub.RecordPurchase(sale)
    reply = (await till.stub.RecordReturn(till.a_return(sale))).purchase_return
    assert reply.exhausts
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await till.stub.RecordReturn(till.a_return(sale))
    assert reason(refused.value) == "NOTHING_LEFT"
    got = await till.got(sale)
    assert got.status == pb.PURCHASE_STATUS_VOIDED
    assert (await till.statistics(customer))[:2] == (0, 0)


@pytest.mark.parametrize(
    ("fields", "code", "expected"),
    [
        ({"lines": [piece("9")]}, "NOT_FOUND", "LINE_NOT_FOUND"),
        ({"lines": [piece("1", 2001)]}, "FAILED_PRECONDITION", "MORE_RETURNED_THAN_BOUGHT"),
        ({"lines": [piece("1"), piece("1")]}, "INVALID_ARGUMENT", "DUPLICATE_LINE"),
        ({"lines": [piece("1", 0)]}, "INVALID_ARGUMENT", "INVALID_FIELDS"),
        ({"lines": [ReturnItem(line_id="1")]}, "INVALID_ARGUMENT", "INVALID_FIELDS"),
        ({"reason": 0}, "INVALID_ARGUMENT", "INVALID_FIELDS"),
        ({"reason": 9}, "INVALID_ARGUMENT", "INVALID_FIELDS"),
        ({"reason": RETURN_REASON_VOID, "lines": [piece("1")]}, "INVALID_ARGUMENT", "LINES_NOT_ALLOWED"),
        ({"lines": []}, "INVALID_ARGUMENT", "LINES_REQUIRED"),
        ({"customer_id": "0000000000000"}, "NOT_FOUND", "PURCHASE_NOT_FOUND"),
        ({"purchase_id": HOLD}, "NOT_FOUND", "PURCHASE_NOT_FOUND"),
        ({"return_id": HOLD.upper()}, "INVALID_ARGUMENT", "INVALID_ID"),
        ({"receipt_number": "4111111111111111"}, "INVALID_ARGUMENT", "PAN_NOT_ALLOWED"),
    ],
)
async def test_a_return_that_cannot_be_is_refused_and_nothing_is_written(
    till: Any, reason: Any, fields: dict[str, Any], code: str, expected: str
) -> None:
    sale = till.sale()
    await till.stub.RecordPurchase(sale)
    before = await till.written()
    request = till.a_return(sale, piece("1"))
    for name, value in fields.items():
        if isinstance(value, list):
            request.ClearField(name)
            getattr(request, name).extend(value)
        else:
            setattr(request, name, value)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await till.stub.RecordReturn(request)
    assert refused.value.code().name == code
    assert reason(refused.value) == expected
    assert await till.written() == before


@pytest.mark.parametrize(
    ("refunds", "expected"),
    [
        ([("cash", 4_999)], "REFUND_MISMATCH"),
        ([("other", 5_000)], "TENDER_NOT_FOUND"),
        ([("cash", 2_500), ("cash", 2_500)], "DUPLICATE_TENDER"),
        ([("cash", -1), ("cash2", 5_001)], "INVALID_MONEY"),
        ([("cash", 5_000)], "REFUND_EXCEEDS_TENDER"),
    ],
)
async def test_refunds_that_cannot_be_are_refused(
    till: Any, idr: Any, reason: Any, refunds: list[tuple[str, int]], expected: str
) -> None:
    halves = [Tender(tender_id=i, amount=idr(a), cash=Cash()) for i, a in (("cash", 4_000), ("cash2", 6_000))]
    sale = till.sale(tenders=halves)
    await till.stub.RecordPurchase(sale)
    named = [Refund(tender_id=i, amount=idr(a)) for i, a in refunds]
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await till.stub.RecordReturn(till.a_return(sale, piece("1"), refunds=named))
    assert reason(refused.value) == expected
