"""A finished sale is recorded once and whole."""

from __future__ import annotations

import asyncio
from datetime import UTC, timedelta
from typing import Any

import grpc
import pytest

from langganan.customers.v1 import purchases_pb2 as pb
from langganan.events.v1.purchases_pb2 import PurchaseCompleted
from langganan.types.v1.line_pb2 import LINE_KIND_ROUNDING, Discount, Line, Quantity
from langganan.types.v1.origin_pb2 import MODE_OFFLINE, RECOGNISED_BY_OTP, Origin
from langganan.types.v1.tender_pb2 import (
    Card,
    Cash,
    EWallet,
    OnAccount,
    Other,
    Points,
    Qris,
    StoredValue,
    Tender,
    Transfer,
    Voucher,
)

HOLD = "5a0e1f9c-5b7e-4a55-9a0d-0f4a3f1c2b11"


async def test_a_sale_is_one_row_one_event_and_the_customers_statistics(till: Any) -> None:
    customer = await till.customer()
    request = till.sale(customer, [10_000, 2_500, 0])
    reply = await till.stub.RecordPurchase(request)
    assert (reply.purchase_id, reply.customer_id) == (request.purchase_id, customer)
    assert reply.effective_at == request.occurred_at
    assert (reply.revision, reply.status) == (1, pb.PURCHASE_STATUS_COMPLETED)
    assert not reply.occurred_at_implausible
    assert not reply.nets
    (event,) = await till.published()
    assert isinstance(event, PurchaseCompleted)
    assert list(event.lines) == list(request.lines)
    assert list(event.tenders) == list(request.tenders)
    assert (event.customer_id, event.time_zone, event.currency_code) == (customer, "Asia/Jakarta", "IDR")
    at = request.occurred_at.ToDatetime(UTC)
    assert await till.statistics(customer) == (1, 12_500, at, at)
    got = await till.got(request)
    assert [p.line for p in got.lines] == list(request.lines)
    assert [p.tender for p in got.tenders] == list(request.tenders)
    assert got.total_left.units == 12_500
    assert got.origin.staff_ref == "s-7"


async def test_the_event_of_a_customer_is_keyed_by_the_customer_and_of_nobody_by_the_purchase(
    till: Any,
) -> None:
    customer = await till.customer()
    anonymous = till.sale()
    await till.stub.RecordPurchase(till.sale(customer))
    await till.stub.RecordPurchase(anonymous)
    rows = await till.running.pool.fetch(
        "SELECT topic, key FROM outbox WHERE merchant_id = $1 ORDER BY id", till.merchant_id
    )
    assert [tuple(r) for r in rows] == [("customers", customer), ("customers", anonymous.purchase_id)]


@pytest.mark.parametrize("known", [True, False])
async def test_sixteen_sendings_of_one_sale_are_one_sale(till: Any, known: bool) -> None:
    customer = await till.customer() if known else ""
    request = till.sale(customer)
    replies = await asyncio.gather(*[till.stub.RecordPurchase(request) for _ in range(16)])
    assert all(reply == replies[0] for reply in replies)
    assert await till.stub.RecordPurchase(request) == replies[0]
    assert len(await till.published()) == 1
    if known:
        assert (await till.statistics(customer))[:2] == (1, 10_000)


async def test_an_event_carries_no_references_and_nothing_of_cards(till: Any, idr: Any) -> None:
    told = [
        Tender(tender_id="1", amount=idr(1_000), cash=Cash(tendered=idr(1_500), change=idr(500))),
        Tender(tender_id="2", amount=idr(1_000), points=Points(reservation_id=HOLD)),
        Tender(tender_id="3", amount=idr(1_000), on_account=OnAccount(hold_id=HOLD)),
    ]
    kept = [
        Tender(tender_id="4", amount=idr(1_000), card=Card(brand="gpn", last_four="1234")),
        Tender(tender_id="5", amount=idr(1_000), qris=Qris(reference="from Siti")),
        Tender(tender_id="6", amount=idr(1_000), transfer=Transfer(reference="from Siti")),
        Tender(tender_id="7", amount=idr(1_000), e_wallet=EWallet(provider="gopay", reference="0812")),
        Tender(tender_id="8", amount=idr(1_000), voucher=Voucher(voucher_id="Siti's")),
        Tender(tender_id="9", amount=idr(1_000), stored_value=StoredValue(reference="Siti's")),
        Tender(tender_id="10", amount=idr(1_000), other=Other(kind="favour", reference="of Siti")),
    ]
    customer = await till.customer()
    request = till.sale(customer, tenders=told + kept)
    await till.stub.RecordPurchase(request)
    (event,) = await till.published()
    assert list(event.tenders[:3]) == told
    for tender, sent in zip(event.tenders[3:], kept, strict=True):
        means = sent.WhichOneof("means")
        bare = Tender(tender_id=sent.tender_id, amount=sent.amount)
        getattr(bare, means).SetInParent()
        assert tender == bare
    got = await till.got(request)
    assert [p.tender for p in got.tenders] == told + kept


async def test_a_sale_keeps_what_the_till_said_of_itself(till: Any) -> None:
    request = till.sale()
    request.origin.mode = MODE_OFFLINE
    request.origin.sent_at.seconds = 10**12
    request.recognised_by = RECOGNISED_BY_OTP
    await till.stub.RecordPurchase(request)
    got = await till.got(request)
    assert (got.origin, got.recognised_by) == (request.origin, RECOGNISED_BY_OTP)
    (listed,) = (await till.stub.ListPurchases(pb.ListPurchasesRequest())).purchases
    assert listed.origin == request.origin


async def test_a_repetition_after_a_lost_answer_may_come_later_offline_and_by_another_clock(
    till: Any,
) -> None:
    customer = await till.customer()
    request = till.sale(customer)
    first = await till.stub.RecordPurchase(request)
    request.origin.mode = MODE_OFFLINE
    request.origin.sent_at.GetCurrentTime()
    request.occurred_at.seconds += 60
    assert await till.stub.RecordPurchase(request) == first


@pytest.mark.parametrize(
    "change",
    [
        pb.RecordPurchaseRequest(receipt_number="another"),
        pb.RecordPurchaseRequest(origin=Origin(store_id="another")),
        pb.RecordPurchaseRequest(customer_id="0000000000000"),
    ],
)
async def test_the_same_id_with_other_content_conflicts(
    till: Any, reason: Any, change: pb.RecordPurchaseRequest
) -> None:
    request = till.sale()
    await till.stub.RecordPurchase(request)
    request.MergeFrom(change)
    request.origin.mode = MODE_OFFLINE
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await till.stub.RecordPurchase(request)
    assert refused.value.code() is grpc.StatusCode.ALREADY_EXISTS
    assert reason(refused.value) == "IDEMPOTENCY_CONFLICT"
    assert len(await till.published()) == 1


async def test_two_contents_under_one_id_at_once_are_one_sale_and_conflicts(till: Any, reason: Any) -> None:
    customer = await till.customer()
    one = till.sale(customer, [1_000])
    other = till.sale(customer, [2_000], purchase_id=one.purchase_id)
    answers = await asyncio.gather(
        *[till.stub.RecordPurchase(r) for r in [one, other] * 8], return_exceptions=True
    )
    kept = {a.total.units for a in answers if isinstance(a, pb.RecordPurchaseResponse)}
    assert len(kept) == 1
    assert {reason(a) for a in answers if isinstance(a, grpc.aio.AioRpcError)} == {"IDEMPOTENCY_CONFLICT"}
    assert (await till.statistics(customer))[:2] == (1, kept.pop())


async def test_a_locked_customer_delays_only_that_customer(till: Any) -> None:
    locked, free = await till.customer(), await till.customer()
    async with till.running.pool.acquire() as conn, conn.transaction():
        await conn.execute("SELECT 1 FROM customers WHERE customer_id = $1 FOR NO KEY UPDATE", locked)
        waiting = asyncio.ensure_future(till.stub.RecordPurchase(till.sale(locked)))
        await till.stub.RecordPurchase(till.sale(free))
        assert not waiting.done()
    assert (await waiting).customer_id == locked


@pytest.mark.parametrize(
    ("before", "believed"),
    [
        (timedelta(days=30), True),
        (timedelta(days=30, seconds=1), False),
        (timedelta(minutes=-5), True),
        (timedelta(minutes=-5, seconds=-1), False),
    ],
)
async def test_a_time_is_believed_within_30_days_before_and_5_minutes_after(
    till: Any, before: timedelta, believed: bool
) -> None:
    request = till.sale()
    request.occurred_at.FromDatetime(till.now - before)
    reply = await till.stub.RecordPurchase(request)
    assert reply.occurred_at_implausible is not believed
    assert reply.effective_at == (request.occurred_at if believed else reply.received_at)
    (event,) = await till.published()
    assert (event.occurred_at, event.effective_at) == (request.occurred_at, reply.effective_at)


@pytest.mark.parametrize(("seconds", "nanos"), [(2**62, 0), (0, -1), (0, 10**9)])
async def test_a_time_that_no_calendar_holds_is_not_believed(till: Any, seconds: int, nanos: int) -> None:
    request = till.sale()
    request.occurred_at.seconds = seconds or int(till.now.timestamp())
    request.occurred_at.nanos = nanos
    reply = await till.stub.RecordPurchase(request)
    assert reply.occurred_at_implausible
    assert reply.effective_at == reply.received_at


async def test_a_basket_discount_is_spread_by_net_with_largest_remainder(till: Any, idr: Any) -> None:
    coupon = Discount(discount_id="C1", amount=idr(100))
    request = till.sale(nets=[1_000, 1_000, 1_000], basket_discounts=[coupon])
    request.total.units = 2_900
    request.tenders[0].amount.units = request.tenders[0].cash.tendered.units = 2_900
    reply = await till.stub.RecordPurchase(request)
    assert [(n.line_id, n.net.units) for n in reply.nets] == [("1", 966), ("2", 967), ("3", 967)]
    assert await till.stub.RecordPurchase(request) == reply
    (event,) = await till.published()
    assert [line.net.units for line in event.lines] == [966, 967, 967]
    assert [line.discounts[0].amount.units for line in event.lines] == [34, 33, 33]


async def test_a_purchase_worth_0_is_recorded_without_tenders_and_is_no_visit(till: Any) -> None:
    customer = await till.customer()
    await till.stub.RecordPurchase(till.sale(customer, [0, 0]))
    assert len(await till.published()) == 1
    assert await till.statistics(customer) == (0, 0, None, None)


async def test_lines_of_quantity_0_fractions_of_a_unit_and_roundings_are_recorded(
    till: Any, idr: Any
) -> None:
    request = till.sale(nets=[10_050, 500])
    request.lines[0].quantity.CopyFrom(Quantity(thousandths=753, unit="kg"))
    request.lines[1].quantity.thousandths = 0
    request.lines.append(Line(line_id="r", kind=LINE_KIND_ROUNDING, net=idr(-50)))
    request.total.units = request.tenders[0].amount.units = request.tenders[0].cash.tendered.units = 10_500
    await till.stub.RecordPurchase(request)
    (event,) = await till.published()
    assert list(event.lines) == list(request.lines)


async def test_a_basket_may_have_161_lines_and_up_to_500(till: Any) -> None:
    for count in (161, 500):
        assert (await till.stub.RecordPurchase(till.sale(nets=[100] * count))).total.units == 100 * count


async def test_an_unknown_store_registers_itself_with_the_merchants_zone(till: Any) -> None:
    request = till.sale()
    request.origin.store_id = "baru"
    await till.stub.RecordPurchase(request)
    row = await till.running.pool.fetchrow(
        "SELECT self_registered FROM stores WHERE merchant_id = $1 AND store_id = 'baru'", till.merchant_id
    )
    assert row["self_registered"]
    (event,) = await till.published()
    assert event.time_zone == "Asia/Jakarta"


async def test_dates_of_a_sale_are_in_the_customers_zone_else_the_stores(till: Any) -> None:
    abroad, here = await till.customer(time_zone="Asia/Jayapura"), await till.customer()
    gone = await till.customer("ERASED", "Asia/Jayapura")
    of_gone = till.sale(gone)
    of_gone.origin.mode = MODE_OFFLINE
    requests = [till.sale(abroad), till.sale(here), till.sale(), of_gone]
    await asyncio.gather(*[till.stub.RecordPurchase(r) for r in requests])
    zones = {e.purchase_id: e.time_zone for e in await till.published()}
    assert [zones[r.purchase_id] for r in requests] == ["Asia/Jayapura"] + ["Asia/Jakarta"] * 3
