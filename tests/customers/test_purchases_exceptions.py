"""What business would refuse of a finished sale is recorded, and listed until staff resolve it."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from customers.purchases import exceptions
from langganan.customers.v1 import purchases_pb2 as pb
from langganan.types.v1.origin_pb2 import MODE_OFFLINE
from langganan.types.v1.tender_pb2 import (
    OnAccount,
    Points,
    Tender,
)

HOLD = "5a0e1f9c-5b7e-4a55-9a0d-0f4a3f1c2b11"


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
    counted = "SELECT count(*) FROM purchase_exceptions WHERE resolved_at IS NULL AND reason = $1"
    async with till.running.pool.acquire() as conn:
        many = await exceptions.open_by_reason(conn)
    assert many == {why: await till.running.pool.fetchval(counted, why) for why in exceptions.REASONS}


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
