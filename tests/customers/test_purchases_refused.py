"""A finished sale is refused only where it is malformed, with its reason, and nothing is written."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from langganan.customers.v1 import purchases_pb2 as pb
from langganan.types.v1.line_pb2 import Discount
from langganan.types.v1.tender_pb2 import (
    Card,
)

HOLD = "5a0e1f9c-5b7e-4a55-9a0d-0f4a3f1c2b11"


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
