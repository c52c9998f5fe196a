"""Turns what the stores answer into the messages of purchases.proto and returns.proto."""

from __future__ import annotations

from typing import Any

from customers import instants
from customers.purchases.decode import Sale
from customers.purchases.recording import Recorded
from customers.purchases.returning import Returned
from customers.purchases.standing import Standing
from kit.money import Currency, to_money
from langganan.customers.v1 import purchases_pb2 as pb
from langganan.customers.v1 import returns_pb2
from langganan.events.v1.purchases_pb2 import PurchaseCompleted
from langganan.types.v1.line_pb2 import Quantity
from langganan.types.v1.origin_pb2 import Origin


def recorded(sale: Sale, answer: Recorded) -> pb.RecordPurchaseResponse:
    """Return the answer to a sale that was recorded, now or before."""
    event = answer.event
    return pb.RecordPurchaseResponse(
        purchase_id=event.purchase_id,
        customer_id=event.customer_id,
        total=event.total,
        received_at=event.received_at,
        effective_at=event.effective_at,
        occurred_at_implausible=event.occurred_at_implausible,
        nets=[pb.LineNet(line_id=i, net=to_money(net, sale.currency)) for i, net in sale.nets or ()],
        exceptions=[_reason(r) for r in answer.exceptions],
        revision=answer.revision,
        status=_status(answer.status),
    )


def purchase_return(returned: Returned) -> returns_pb2.PurchaseReturn:
    """Return a return, or the quote of one, as tills see it."""
    event = returned.event
    currency = Currency(event.currency_code, event.minor_digits)
    message = returns_pb2.PurchaseReturn(
        return_id=event.return_id,
        purchase_id=event.purchase_id,
        customer_id=event.customer_id,
        reason=returns_pb2.ReturnReason.Value(f"RETURN_REASON_{event.reason}"),
        total=to_money(event.total, currency),
        total_left=to_money(returned.total_left, currency),
        exhausts=event.exhausts,
        revision=event.revision,
        store_id=event.store_id,
        receipt_number=returned.receipt_number,
        recognised_by=event.recognised_by,
        occurred_at_implausible=event.occurred_at_implausible,
    )
    if returned.origin:
        message.origin.MergeFromString(returned.origin)
    for name in ("occurred_at", "received_at", "effective_at"):
        if event.HasField(name):
            getattr(message, name).CopyFrom(getattr(event, name))
    for line in event.lines:
        message.lines.add(
            line_id=line.line_id,
            quantity_thousandths=line.quantity_thousandths,
            amount=to_money(line.amount, currency),
        )
    for refund in event.refunds:
        message.refunds.add(
            tender_id=refund.tender_id, kind=refund.kind, amount=to_money(refund.amount, currency)
        )
    return message


def listed(row: Any) -> pb.Purchase:
    """Return a purchase without its lines, tenders and returns, from its row."""
    return _head(row, PurchaseCompleted.FromString(row["body"]))


def purchase(now: Standing) -> pb.Purchase:
    """Return a purchase with all that belongs to it."""
    message = _head(now.row, now.sale)
    for line, left in zip(now.sale.lines, now.left.lines, strict=True):
        message.lines.add(
            line=line,
            quantity_left=Quantity(thousandths=left.quantity, unit=line.quantity.unit),
            net_left=to_money(left.amount, now.currency),
        )
    for tender, remains in zip(now.sale.tenders, now.left.tenders, strict=True):
        message.tenders.add(tender=tender, amount_left=to_money(remains.amount, now.currency))
    message.returns.extend(
        purchase_return(Returned(event, row["total_left"], row["receipt_number"], row["origin"]))
        for row, event in now.returns
    )
    return message


def _head(row: Any, sale: PurchaseCompleted) -> pb.Purchase:
    currency = Currency(sale.currency_code, sale.minor_digits)
    return pb.Purchase(
        purchase_id=sale.purchase_id,
        customer_id=sale.customer_id,
        recognised_by=sale.recognised_by,
        origin=Origin.FromString(row["origin"]),
        receipt_number=sale.receipt_number,
        occurred_at=sale.occurred_at,
        received_at=sale.received_at,
        effective_at=sale.effective_at,
        occurred_at_implausible=sale.occurred_at_implausible,
        time_zone=sale.time_zone,
        total=sale.total,
        total_left=to_money(row["total_left"], currency),
        status=_status(row["status"]),
        revision=row["revision"],
    )


def exception(row: Any) -> pb.PurchaseException:
    """Return an exception from its row."""
    message = pb.PurchaseException(
        exception_id=str(row["exception_id"]),
        purchase_id=str(row["purchase_id"]),
        reason=_reason(row["reason"]),
        subject=row["subject"],
        store_id=row["store_id"],
        noticed_at=instants.stamp(row["noticed_at"]),
    )
    if row["resolved_at"] is not None:
        message.resolution.CopyFrom(
            pb.Resolution(
                kind=pb.ResolutionKind.Value(f"RESOLUTION_KIND_{row['resolution']}"),
                staff_ref=row["resolved_by"],
                resolved_at=instants.stamp(row["resolved_at"]),
            )
        )
    return message


def _reason(name: str) -> pb.ExceptionReason.ValueType:
    return pb.ExceptionReason.Value(f"EXCEPTION_REASON_{name}")


def _status(name: str) -> pb.PurchaseStatus.ValueType:
    return pb.PurchaseStatus.Value(f"PURCHASE_STATUS_{name}")
