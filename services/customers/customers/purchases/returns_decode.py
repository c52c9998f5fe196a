"""Turns return requests into Terms and Returns: checked and fingerprinted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from customers.purchases.errors import Duplicate
from customers.purchases.returning import Return, Terms
from customers.purchases.splitting import Item, Reason
from kit import ids, pan
from kit.fingerprint import fingerprint
from kit.money import Currency, InvalidMoney, to_minor
from langganan.customers.v1.purchases_pb2 import QuoteReturnRequest, RecordReturnRequest
from langganan.customers.v1.returns_pb2 import Refund, ReturnItem

_VERSION = 1


def terms(
    request: QuoteReturnRequest | RecordReturnRequest, merchant_id: str, currency: Currency, *, override: bool
) -> Terms:
    """Decode what is to be taken back; raises INVALID_ID, INVALID_CUSTOMER_ID, INVALID_MONEY, DUPLICATE_…"""
    ids.canonical_uuid(request.purchase_id, "purchase_id")
    if request.customer_id:
        ids.check_customer_id(request.customer_id)
    return Terms(
        merchant_id=merchant_id,
        purchase_id=request.purchase_id,
        customer_id=request.customer_id,
        reason=Reason(request.reason),
        items=tuple(_item(i, currency) for i in request.lines),
        named=_named(request.refunds, currency),
        override=override,
    )


def a_return(
    request: RecordReturnRequest,
    merchant_id: str,
    currency: Currency,
    received_at: datetime,
    *,
    override: bool,
) -> Return:
    """Decode a return; raises as `terms` does, and PAN_NOT_ALLOWED."""
    ids.canonical_uuid(request.return_id, "return_id")
    origin = request.origin
    pan.refuse((request.receipt_number, origin.store_id, origin.register_id, origin.staff_ref))
    what = terms(request, merchant_id, currency, override=override)
    return Return(
        terms=what,
        return_id=request.return_id,
        origin=origin,
        recognised_by=request.recognised_by,
        receipt_number=request.receipt_number,
        occurred_at=request.occurred_at,
        received_at=received_at,
        # Neither the till's clock and mode, nor the scope that let it pass.
        fingerprint=fingerprint(
            _VERSION,
            what.purchase_id,
            what.customer_id,
            what.reason.name,
            tuple((i.line_id, i.quantity, i.amount) for i in what.items),
            None if what.named is None else tuple(sorted(what.named.items())),
            origin.store_id,
            origin.register_id,
            origin.staff_ref,
            request.receipt_number,
            request.recognised_by,
        ),
    )


def _item(item: ReturnItem, currency: Currency) -> Item:
    if item.WhichOneof("extent") == "quantity_thousandths":
        return Item(item.line_id, item.quantity_thousandths, 0)
    amount = to_minor(item.amount, currency, "lines.amount")
    if amount <= 0:
        raise InvalidMoney("the amount to take back must be positive", field="lines.amount")
    return Item(item.line_id, 0, amount)


def _named(refunds: Sequence[Refund], currency: Currency) -> dict[str, int] | None:
    named: dict[str, int] = {}
    for refund in refunds:
        amount = to_minor(refund.amount, currency, "refunds.amount")
        if amount < 0:
            raise InvalidMoney("a refund must not be negative", field="refunds.amount")
        if refund.tender_id in named:
            raise Duplicate("tender", refund.tender_id)
        named[refund.tender_id] = amount
    return named or None
