"""Takes purchases back: reads what is left, lets splitting decide, writes the return and its event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from customers import instants, metrics
from customers.events import TOPIC
from customers.merchants.store import Shops
from customers.purchases import model
from customers.purchases.left import Decision
from customers.purchases.splitting import Item, Reason, decide
from customers.purchases.sql import queries
from customers.purchases.standing import Standing, owner_of, standing
from customers.purchases.tenders import kind_of
from kit import events
from kit.counts import count
from kit.db import Conn
from kit.errors import IdempotencyConflict
from langganan.events.v1.purchases_pb2 import PurchaseReturned
from langganan.types.v1.origin_pb2 import Origin, RecognisedBy


@dataclass(frozen=True, slots=True)
class Terms:
    """What is to be taken back; `named`: the refunds that the till names itself, by tender."""

    merchant_id: str
    purchase_id: str
    customer_id: str
    reason: Reason
    items: tuple[Item, ...]
    named: dict[str, int] | None
    override: bool


@dataclass(frozen=True, slots=True)
class Return:
    """A return as asked for."""

    terms: Terms
    return_id: str
    origin: Origin
    recognised_by: RecognisedBy.ValueType
    receipt_number: str
    occurred_at: Timestamp
    received_at: datetime
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Returned:
    """A return as it was recorded; `total_left` of the purchase after it, minor units.

    Of a quote there is neither receipt nor `origin` (a serialized Origin).
    """

    event: PurchaseReturned
    total_left: int
    receipt_number: str = ""
    origin: bytes = b""


async def quote(conn: Conn, terms: Terms) -> Returned:
    """Return what a return would be now; writes nothing."""
    await owner_of(conn, terms.merchant_id, terms.purchase_id, terms.customer_id)
    now = await standing(conn, terms.merchant_id, terms.purchase_id)
    decision = decide(now.left, terms.reason, terms.items, terms.named, override=terms.override)
    return Returned(_event(now, terms, decision), decision.total_left)


class Returner:
    """Records returns; `shops` tells the zone of the store of the return."""

    def __init__(self, shops: Shops) -> None:
        self._shops = shops

    async def record(self, conn: Conn, requests: Sequence[Return], wait: bool) -> list[Returned]:
        """Record each return once and answer it. One lock is held at a time: give a list of one."""
        del wait  # waits: returns do not share a batch
        return [await self._record(conn, request) for request in requests]

    async def _record(self, conn: Conn, request: Return) -> Returned:
        terms = request.terms
        owner = await owner_of(conn, terms.merchant_id, terms.purchase_id, terms.customer_id)
        zone = ""
        if owner:
            zone = await queries.lock_customer(conn, merchant_id=terms.merchant_id, customer_id=owner)
        else:
            await queries.lock_purchase(conn, merchant_id=terms.merchant_id, purchase_id=terms.purchase_id)
        known = await queries.recorded_return(
            conn, merchant_id=terms.merchant_id, return_id=request.return_id
        )
        if known is not None:
            if known["fingerprint"] != request.fingerprint:
                raise IdempotencyConflict("return", request.return_id)
            event = PurchaseReturned.FromString(known["body"])
            return Returned(event, known["total_left"], known["receipt_number"], known["origin"])
        now = await standing(conn, terms.merchant_id, terms.purchase_id)
        decision = decide(now.left, terms.reason, terms.items, terms.named, override=terms.override)
        shop = await self._shops.one(conn, terms.merchant_id, request.origin.store_id, request.received_at)
        event = _event(now, terms, decision)
        _complete(event, now, request, zone or shop.time_zone)
        returned = Returned(
            event, decision.total_left, request.receipt_number, request.origin.SerializeToString()
        )
        await _write(conn, now, request, returned)
        count(metrics.RETURNS.labels(terms.reason.name))
        return returned


def _event(now: Standing, terms: Terms, decision: Decision) -> PurchaseReturned:
    sale = now.sale
    event = PurchaseReturned(
        merchant_id=terms.merchant_id,
        purchase_id=terms.purchase_id,
        customer_id=sale.customer_id,
        currency_code=sale.currency_code,
        minor_digits=sale.minor_digits,
        reason=terms.reason.name,
        purchase_effective_at=sale.effective_at,
        total=decision.total,
        exhausts=decision.exhausts,
    )
    for part in decision.lines:
        line = sale.lines[part.index]
        event.lines.add(
            line_id=line.line_id,
            quantity_thousandths=part.quantity,
            amount=part.amount,
            amount_left_before=part.left_before,
            kind=line.kind,
            exhausts=part.exhausts,
        )
    for refund in decision.refunds:
        tender = sale.tenders[refund.index]
        event.refunds.add(
            tender_id=tender.tender_id,
            kind=kind_of(tender),
            amount=refund.amount,
            amount_left_before=refund.left_before,
            reservation_id=tender.points.reservation_id,
            hold_id=tender.on_account.hold_id,
            account_customer_id=tender.on_account.account_customer_id,
        )
    return event


def _complete(event: PurchaseReturned, now: Standing, request: Return, zone: str) -> None:
    """Put in what a quote does not have: id, till, times, revision."""
    moment = model.moment(instants.instant_if_any(request.occurred_at), request.received_at)
    event.return_id = request.return_id
    event.store_id = request.origin.store_id
    event.register_id = request.origin.register_id
    event.mode = request.origin.mode
    event.recognised_by = request.recognised_by
    event.time_zone = zone
    event.occurred_at.CopyFrom(request.occurred_at)
    event.received_at.CopyFrom(instants.stamp(request.received_at))
    event.effective_at.CopyFrom(event.received_at if moment.implausible else request.occurred_at)
    event.occurred_at_implausible = moment.implausible
    event.revision = now.row["revision"] + 1


async def _write(conn: Conn, now: Standing, request: Return, returned: Returned) -> None:
    event = returned.event
    purchase = {"merchant_id": event.merchant_id, "purchase_id": event.purchase_id}
    inserted = await queries.insert_return(
        conn,
        return_id=request.return_id,
        revision=event.revision,
        receipt_number=returned.receipt_number,
        origin=returned.origin,
        received_at=request.received_at,
        total=event.total,
        total_left=returned.total_left,
        fingerprint=request.fingerprint,
        body=event.SerializeToString(),
        **purchase,
    )
    if inserted is None:
        # Taken since we looked, by a return of another customer's purchase.
        raise IdempotencyConflict("return", request.return_id)
    status = "PARTLY_RETURNED"
    if request.terms.reason is Reason.VOID:
        status = "VOIDED"
    elif event.exhausts:
        status = now.row["status"] if now.left.gone else "RETURNED"
    await queries.mark_returned(
        conn, total_left=returned.total_left, status=status, revision=event.revision, **purchase
    )
    if event.customer_id:
        customer = {"merchant_id": event.merchant_id, "customer_id": event.customer_id}
        await queries.uncount_bought(conn, total=event.total, **customer)
        if now.left.total and not returned.total_left:
            await queries.uncount_visit(conn, **customer)
    await events.publish(
        conn,
        TOPIC,
        [
            events.Outgoing(
                type="purchase-returned",
                merchant_id=event.merchant_id,
                key=event.customer_id or event.purchase_id,
                payload=event,
                time=request.received_at,
            )
        ],
    )
