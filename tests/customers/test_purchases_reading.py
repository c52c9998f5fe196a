"""Purchases are read by their customer, and listed newest first by what people look for."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from langganan.customers.v1 import purchases_pb2 as pb
from langganan.types.v1.origin_pb2 import MODE_OFFLINE


def stamp(instant: datetime) -> Timestamp:
    found = Timestamp()
    found.FromDatetime(instant)
    return found


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
        assert (await till.got(sale)).purchase_id == sale.purchase_id
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
