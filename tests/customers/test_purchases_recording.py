"""A finished sale is recorded once, whole, and never refused but for what is malformed."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

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


async def got_purchase(till: Any, sale: pb.RecordPurchaseRequest) -> pb.Purchase:
    request = pb.GetPurchaseRequest(purchase_id=sale.purchase_id, customer_id=sale.customer_id)
    found: pb.GetPurchaseResponse = await till.stub.GetPurchase(request)
    return found.purchase


def stamp(instant: datetime) -> Timestamp:
    found = Timestamp()
    found.FromDatetime(instant)
    return found


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
    got = await got_purchase(till, request)
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
    got = await got_purchase(till, request)
    assert [p.tender for p in got.tenders] == told + kept


async def test_a_sale_keeps_what_the_till_said_of_itself(till: Any) -> None:
    request = till.sale()
    request.origin.mode = MODE_OFFLINE
    request.origin.sent_at.seconds = 10**12
    request.recognised_by = RECOGNISED_BY_OTP
    await till.stub.RecordPurchase(request)
    got = await got_purchase(till, request)
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


async def test_an_unknown_customer_online_is_refused_and_nothing_is_written(till: Any, reason: Any) -> None:
    gone = await till.customer("ERASED")
    for customer in ("0000000000000", gone):
        request = till.sale(customer)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await till.stub.RecordPurchase(request)
        assert refused.value.code() is grpc.StatusCode.NOT_FOUND
        assert reason(refused.value) == "CUSTOMER_UNKNOWN"
    assert await till.written() == 0
    request.customer_id = ""
    assert (await till.stub.RecordPurchase(request)).customer_id == ""


async def test_an_unknown_customer_offline_is_recorded_as_nobody_and_listed(till: Any) -> None:
    on_account = Tender(tender_id="acc", amount=till.sale().total, on_account=OnAccount(hold_id=HOLD))
    request = till.sale("0000000000000", tenders=[on_account])
    request.origin.mode = MODE_OFFLINE
    reply = await till.stub.RecordPurchase(request)
    assert reply.customer_id == ""
    assert list(reply.exceptions) == [1, 2]
    assert await till.stub.RecordPurchase(request) == reply
    (event,) = await till.published()
    assert event.customer_id == ""
    listed = (await till.stub.ListExceptions(pb.ListExceptionsRequest())).exceptions
    assert {(e.reason, e.subject) for e in listed} == {(1, "0000000000000"), (2, "acc")}
    assert {e.purchase_id for e in listed} == {request.purchase_id}


async def test_what_an_unknown_customer_owes_is_put_to_the_id_that_was_named(till: Any, idr: Any) -> None:
    other = await till.customer()
    tenders = [
        Tender(tender_id="own", amount=idr(6_000), on_account=OnAccount(hold_id=HOLD)),
        Tender(tender_id="firm", amount=idr(4_000), on_account=OnAccount(account_customer_id=other)),
    ]
    request = till.sale("0000000000000", tenders=tenders)
    request.origin.mode = MODE_OFFLINE
    reply = await till.stub.RecordPurchase(request)
    assert await till.stub.RecordPurchase(request) == reply
    (event,) = await till.published()
    owing = {t.tender_id: t.on_account.account_customer_id for t in event.tenders}
    assert owing == {"own": "0000000000000", "firm": other}
    assert event.tenders[0].on_account.hold_id == HOLD


async def test_points_of_nobody_are_recorded_and_listed(till: Any) -> None:
    points = Tender(tender_id="pts", amount=till.sale().total, points=Points(reservation_id=HOLD))
    reply = await till.stub.RecordPurchase(till.sale(tenders=[points]))
    assert list(reply.exceptions) == [pb.EXCEPTION_REASON_TENDER_WITHOUT_CUSTOMER]


async def test_an_exception_is_resolved_once(till: Any, reason: Any) -> None:
    request = till.sale("0000000000000")
    request.origin.mode = MODE_OFFLINE
    await till.stub.RecordPurchase(request)
    (found,) = (await till.stub.ListExceptions(pb.ListExceptionsRequest())).exceptions
    resolve = pb.ResolveExceptionRequest(
        request_id=HOLD, exception_id=found.exception_id, kind=pb.RESOLUTION_KIND_ACCEPTED, staff_ref="m-1"
    )
    replies = await asyncio.gather(*[till.stub.ResolveException(resolve) for _ in range(16)])
    assert {r.exception.resolution.staff_ref for r in replies} == {"m-1"}
    assert not (await till.stub.ListExceptions(pb.ListExceptionsRequest())).exceptions
    everything = pb.ListExceptionsRequest(include_resolved=True)
    assert len((await till.stub.ListExceptions(everything)).exceptions) == 1
    for change, expected in (
        (pb.ResolveExceptionRequest(staff_ref="m-2"), "IDEMPOTENCY_CONFLICT"),
        (pb.ResolveExceptionRequest(request_id=found.exception_id), "ALREADY_RESOLVED"),
        (
            pb.ResolveExceptionRequest(request_id=request.purchase_id, exception_id=HOLD),
            "EXCEPTION_NOT_FOUND",
        ),
    ):
        again = pb.ResolveExceptionRequest()
        again.CopyFrom(resolve)
        again.MergeFrom(change)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await till.stub.ResolveException(again)
        assert reason(refused.value) == expected


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


async def test_a_time_that_no_calendar_holds_is_not_believed(till: Any) -> None:
    request = till.sale()
    request.occurred_at.seconds = 10**15
    assert (await till.stub.RecordPurchase(request)).occurred_at_implausible


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


def malformed() -> dict[str, Any]:
    """Name → (change to a sound sale of 10,000, reason)."""

    def set_(path: str, value: Any) -> Any:
        def change(request: pb.RecordPurchaseRequest) -> None:
            *parents, last = path.split(".")
            target: Any = request
            for name in parents:
                target = target[int(name)] if name.isdigit() else getattr(target, name)
            setattr(target, last, value)

        return change

    def add_tender(request: pb.RecordPurchaseRequest) -> None:
        request.tenders.append(request.tenders[0])

    def two_tenders(request: pb.RecordPurchaseRequest) -> None:
        request.tenders[0].amount.units = request.tenders[0].cash.tendered.units = 5_000
        request.tenders.append(request.tenders[0])

    def two_lines(request: pb.RecordPurchaseRequest) -> None:
        request.lines[0].net.units = 5_000
        request.lines.append(request.lines[0])

    def too_much_discount(request: pb.RecordPurchaseRequest) -> None:
        request.basket_discounts.append(Discount(discount_id="c", amount=request.total))
        request.basket_discounts[0].amount.units += 1

    def negative(request: pb.RecordPurchaseRequest) -> None:
        request.lines[0].net.units = request.total.units = -1
        del request.tenders[:]

    def card(request: pb.RecordPurchaseRequest) -> None:
        request.tenders[0].card.CopyFrom(Card(brand="4111111111111111"))

    def zero_tender(request: pb.RecordPurchaseRequest) -> None:
        request.tenders.append(request.tenders[0])
        request.tenders[1].tender_id = "zero"
        request.tenders[1].amount.units = request.tenders[1].cash.tendered.units = 0

    return {
        "total above lines": (set_("total.units", 10_001), "TOTAL_MISMATCH"),
        "net below total": (set_("lines.0.net.units", 9_999), "TOTAL_MISMATCH"),
        "tenders twice": (two_tenders, "DUPLICATE_TENDER"),
        "paid twice": (add_tender, "DUPLICATE_TENDER"),
        "cash does not add up": (set_("tenders.0.cash.change.units", 1), "TOTAL_MISMATCH"),
        "discount above lines": (too_much_discount, "TOTAL_MISMATCH"),
        "line twice": (two_lines, "DUPLICATE_LINE"),
        "a fraction of a rupiah": (set_("lines.0.net.nanos", 500_000_000), "INVALID_MONEY"),
        "dollars": (set_("total.currency_code", "USD"), "INVALID_MONEY"),
        "negative net": (negative, "INVALID_MONEY"),
        "a tender of 0": (zero_tender, "INVALID_MONEY"),
        "card number as name": (set_("lines.0.name", "paid 4111111111111111"), "PAN_NOT_ALLOWED"),
        "card number as receipt": (set_("receipt_number", "5555555555554444"), "PAN_NOT_ALLOWED"),
        "card number as brand": (card, "PAN_NOT_ALLOWED"),
        "card number as register": (set_("origin.register_id", "4111-1111-1111-1111"), "PAN_NOT_ALLOWED"),
        "id in capitals": (set_("purchase_id", HOLD.upper()), "INVALID_ID"),
        "id of nothing": (set_("purchase_id", "1"), "INVALID_FIELDS"),
        "no customer id": (set_("customer_id", "0000000000001"), "INVALID_CUSTOMER_ID"),
        "no store": (set_("origin.store_id", ""), "INVALID_FIELDS"),
        "no lines": (lambda r: r.ClearField("lines"), "INVALID_FIELDS"),
        "too many lines": (lambda r: r.lines.extend([r.lines[0]] * 500), "INVALID_FIELDS"),
        "no time": (lambda r: r.ClearField("occurred_at"), "INVALID_FIELDS"),
        "unknown kind of line": (set_("lines.0.kind", 99), "INVALID_FIELDS"),
        "unknown mode": (set_("origin.mode", 9), "INVALID_FIELDS"),
        "no means": (lambda r: r.tenders[0].ClearField("cash"), "INVALID_FIELDS"),
        "negative quantity": (set_("lines.0.quantity.thousandths", -1), "INVALID_FIELDS"),
        "a name too long": (set_("lines.0.name", "x" * 201), "INVALID_FIELDS"),
    }


@pytest.mark.parametrize("name", malformed())
async def test_what_is_malformed_is_refused_with_its_reason_and_nothing_is_written(
    till: Any, reason: Any, name: str
) -> None:
    change, expected = malformed()[name]
    request = till.sale()
    change(request)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await till.stub.RecordPurchase(request)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert reason(refused.value) == expected
    assert await till.written() == 0


async def test_one_malformed_sale_does_not_harm_the_others_of_its_batch(till: Any) -> None:
    customer = await till.customer()
    good = [till.sale(customer, [1_000]) for _ in range(20)]
    bad = [till.sale("0000000000000") for _ in range(20)]
    answers = await asyncio.gather(
        *[till.stub.RecordPurchase(r) for pair in zip(good, bad, strict=True) for r in pair],
        return_exceptions=True,
    )
    assert sum(isinstance(a, pb.RecordPurchaseResponse) for a in answers) == 20
    assert (await till.statistics(customer))[:2] == (20, 20_000)


async def test_a_merchant_that_is_not_set_must_be_set_first(till: Any, reason: Any) -> None:
    till.merchant_id = "nobody"
    stub = till.with_scopes("customers.purchases.write")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.RecordPurchase(till.sale())
    assert reason(refused.value) == "MERCHANT_NOT_SET"


async def test_another_merchants_purchase_is_not_found(till: Any, reason: Any) -> None:
    request = till.sale()
    await till.stub.RecordPurchase(request)
    till.merchant_id = "other"
    stub = till.with_scopes("customers.purchases.read")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.GetPurchase(pb.GetPurchaseRequest(purchase_id=request.purchase_id))
    assert reason(refused.value) == "PURCHASE_NOT_FOUND"


async def test_a_purchase_is_got_by_naming_its_customer_and_nobody_else(till: Any, reason: Any) -> None:
    customer = await till.customer()
    known, anonymous, claimed = till.sale(customer), till.sale(), till.sale("0000000000000")
    claimed.origin.mode = MODE_OFFLINE
    for sale, others in (
        (known, ("", "0000000000000")),
        (anonymous, (customer, "0000000000000")),
        (claimed, (customer,)),
    ):
        await till.stub.RecordPurchase(sale)
        assert (await got_purchase(till, sale)).purchase_id == sale.purchase_id
        for other in others:
            asked = pb.GetPurchaseRequest(purchase_id=sale.purchase_id, customer_id=other)
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await till.stub.GetPurchase(asked)
            assert reason(refused.value) == "PURCHASE_NOT_FOUND"


async def test_purchases_are_listed_newest_first_by_customer_receipt_store_and_time(
    till: Any, reason: Any
) -> None:
    customer, other = await till.customer(), await till.customer()
    requests = []
    for i in range(7):
        request = till.sale(customer if i < 5 else other)
        request.occurred_at.FromDatetime(till.now - timedelta(hours=i))
        request.origin.store_id = "a" if i % 2 else "b"
        request.receipt_number = f"N{i // 2}"
        requests.append(request)
        await till.stub.RecordPurchase(request)
    sent = [r.purchase_id for r in requests]

    async def listed(**filters: Any) -> list[str]:
        found, token = [], ""
        while True:
            page = await till.stub.ListPurchases(
                pb.ListPurchasesRequest(**filters, page_size=2, page_token=token)
            )
            found += [p.purchase_id for p in page.purchases]
            token = page.next_page_token
            if not token:
                return found

    assert await listed() == sent
    assert await listed(customer_id=customer) == sent[:5]
    assert await listed(store_id="a") == sent[1::2]
    assert await listed(customer_id=customer, store_id="a") == sent[1:5:2]
    assert await listed(receipt_number="N1") == sent[2:4]
    window = {
        "from_time": stamp(till.now - timedelta(hours=4)),
        "to_time": stamp(till.now - timedelta(hours=1)),
    }
    assert await listed(**window) == sent[2:5]
    page = await till.stub.ListPurchases(pb.ListPurchasesRequest(store_id="a", page_size=1))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await till.stub.ListPurchases(pb.ListPurchasesRequest(store_id="b", page_token=page.next_page_token))
    assert reason(refused.value) == "INVALID_PAGE_TOKEN"
