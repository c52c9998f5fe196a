"""Events of sales and returns into the model's terms."""

from __future__ import annotations

from datetime import UTC

from kit.money import Currency, to_minor
from langganan.events.v1 import purchases_pb2
from langganan.types.v1 import line_pb2, origin_pb2, tender_pb2
from loyalty.days import local_day
from loyalty.programs.model import Line
from loyalty.purchases.model import PointsRefund, Return, ReturnedLine, Sale
from loyalty.redemptions.model import PointsTender

# Lines whose net earns and counts for the tier; an unspecified kind is goods.
COUNTING = frozenset({line_pb2.LINE_KIND_UNSPECIFIED, line_pb2.LINE_KIND_GOODS, line_pb2.LINE_KIND_SERVICE})
_KINDS = {
    "cash": tender_pb2.TENDER_KIND_CASH,
    "card": tender_pb2.TENDER_KIND_CARD,
    "qris": tender_pb2.TENDER_KIND_QRIS,
    "transfer": tender_pb2.TENDER_KIND_TRANSFER,
    "e_wallet": tender_pb2.TENDER_KIND_E_WALLET,
    "on_account": tender_pb2.TENDER_KIND_ON_ACCOUNT,
    "voucher": tender_pb2.TENDER_KIND_VOUCHER,
    "stored_value": tender_pb2.TENDER_KIND_STORED_VALUE,
    "other": tender_pb2.TENDER_KIND_OTHER,
}


def line_from(line: line_pb2.Line, currency: Currency) -> Line:
    """Return a line of a basket; raises INVALID_MONEY."""
    return Line(
        line.line_id,
        line.product_id,
        tuple(line.categories),
        line.quantity.thousandths,
        to_minor(line.net, currency, "net"),
        line.kind in COUNTING,
    )


def sale_from(event: purchases_pb2.PurchaseCompleted) -> Sale:
    """Return the sale that an event tells of."""
    currency = Currency(event.currency_code, event.minor_digits)
    at = event.effective_at.ToDatetime(tzinfo=UTC)
    tenders: list[tuple[int, int]] = []
    points: list[PointsTender] = []
    for tender in event.tenders:
        amount = to_minor(tender.amount, currency)
        means = tender.WhichOneof("means")
        if means == "points":
            points.append(PointsTender(tender.tender_id, tender.points.reservation_id, amount))
        else:
            tenders.append((_KINDS[means] if means else 0, amount))
    return Sale(
        merchant_id=event.merchant_id,
        customer_id=event.customer_id,
        purchase_id=event.purchase_id,
        currency=currency,
        time_zone=event.time_zone,
        at=at,
        today=local_day(at, event.time_zone),
        lines=tuple(line_from(line, currency) for line in event.lines),
        tenders=tuple(tenders),
        points_tenders=tuple(points),
        offline=event.mode == origin_pb2.MODE_OFFLINE,
    )


def return_from(event: purchases_pb2.PurchaseReturned) -> Return:
    """Return what an event says came back."""
    at = event.effective_at.ToDatetime(tzinfo=UTC)
    return Return(
        merchant_id=event.merchant_id,
        customer_id=event.customer_id,
        return_id=event.return_id,
        purchase_id=event.purchase_id,
        at=at,
        today=local_day(at, event.time_zone),
        lines=tuple(
            ReturnedLine(
                line.line_id, line.amount, line.amount_left_before, line.kind in COUNTING, line.exhausts
            )
            for line in event.lines
        ),
        refunds=tuple(
            PointsRefund(refund.tender_id, refund.amount, refund.amount_left_before)
            for refund in event.refunds
            if refund.kind == tender_pb2.TENDER_KIND_POINTS
        ),
    )
