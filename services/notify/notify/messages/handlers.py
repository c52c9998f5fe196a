"""Events in: what becomes a message, a merged customer's messages that move, an erased one's that stop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from kit import db
from kit.errors import InvalidArgument
from kit.events import Handler, Received
from kit.ids import derived_uuid
from kit.money import Currency, to_minor
from langganan.events.v1 import credit_pb2, customers_pb2, loyalty_pb2, purchases_pb2
from notify.messages import from_credit, from_loyalty, store
from notify.messages.records import NewMessage
from notify.occasions import store as occasions
from notify.templates.catalogue import PAID_BY, PURCHASE_CONFIRMATION
from notify.templates.values import Amount, Moment, Value, reference

TOPICS = ("customers", "credit", "loyalty")


async def lock(conn: db.Conn, events: list[Received]) -> None:
    """Lock the customers that the events name, and note the merchants; anonymous purchases name nobody."""
    await occasions.hear_of(conn, {event.merchant_id for event in events})
    named = set[store.Customer]()
    for event in events:
        if event.type == "customer-registered":
            continue  # only its merchant is of interest
        if event.type == "customer-merged":
            named.add((event.merchant_id, event.payload.surviving_customer_id))
            named.add((event.merchant_id, event.payload.absorbed_customer_id))
        elif event.payload.customer_id:
            named.add((event.merchant_id, event.payload.customer_id))
    await store.lock(conn, named)


Make = Callable[[Received], NewMessage | None]


def _making(make: Make) -> Callable[[db.Conn, list[Received]], Awaitable[list[Exception | None]]]:
    """Return the handler that stores what `make` makes of each event; None: it makes no message."""

    async def handler(conn: db.Conn, events: list[Received]) -> list[Exception | None]:
        refusals: list[Exception | None] = []
        messages: list[NewMessage] = []
        for event in events:
            try:
                message = make(event)
            except (InvalidArgument, ValueError) as error:
                refusals.append(error)
                continue
            refusals.append(None)
            if message is not None:
                messages.append(replace(message, traceparent=event.traceparent))
        await store.add(conn, messages)
        return refusals

    return handler


def purchase_completed(event: Received) -> NewMessage | None:
    """Confirm a purchase of a known customer that is worth something."""
    return confirmation(event.merchant_id, event.payload)


def confirmation(merchant_id: str, purchase: purchases_pb2.PurchaseCompleted) -> NewMessage | None:
    """Return the message that confirms a purchase; None for an anonymous one or one worth nothing.

    It is of use for six hours from when we heard of the sale, so that a till which was offline for a day
    still gets its customers a confirmation.
    """
    currency = Currency(purchase.currency_code, purchase.minor_digits)
    total = to_minor(purchase.total, currency)
    if not purchase.customer_id or total == 0:
        return None
    template = PURCHASE_CONFIRMATION
    received_at = _instant(purchase.received_at)
    values: dict[str, Value] = {
        "receipt_number": reference(purchase.receipt_number) or purchase.purchase_id,
        "store": reference(purchase.store_id) or "-",
        "time": Moment(_instant(purchase.effective_at), purchase.time_zone),
        "items": len(purchase.lines),
        "total": Amount(total, currency.code, currency.digits),
    }
    paid: dict[str, int] = {}
    for tender in purchase.tenders:
        means = tender.WhichOneof("means")
        known = means if means in PAID_BY else "other"
        paid[known] = paid.get(known, 0) + to_minor(tender.amount, currency)
    values.update((f"paid_{m}", Amount(a, currency.code, currency.digits)) for m, a in paid.items() if a)
    return NewMessage(
        merchant_id=merchant_id,
        message_id=derived_uuid("message", merchant_id, template.name, purchase.purchase_id),
        customer_id=purchase.customer_id,
        kind=template.name,
        cause=purchase.purchase_id,
        template=template.name,
        variables=values,
        created_at=received_at,
        not_after=received_at + template.useful_for,
    )


def _instant(stamp: Timestamp) -> datetime:
    return stamp.ToDatetime(UTC)


async def customer_merged(conn: db.Conn, events: list[Received]) -> None:
    """Move the absorbed customers' messages to the survivors."""
    for event in events:  # one by one: a chain of merges in one wave must follow its order
        merged = event.payload
        absorbed = (event.merchant_id, merged.absorbed_customer_id)
        await store.merge(conn, [(absorbed, merged.surviving_customer_id)])


async def customer_erased(conn: db.Conn, events: list[Received]) -> None:
    """Skip what erased customers have not been sent, and all that comes later."""
    erased = [((e.merchant_id, e.payload.customer_id), _instant(e.payload.erased_at)) for e in events]
    await store.erase(conn, erased)


async def customer_registered(conn: db.Conn, events: list[Received]) -> None:
    """Nothing: the merchant was noted with the lock, and its occasions are asked for from now on."""


HANDLERS = {
    "purchase-completed": Handler(purchases_pb2.PurchaseCompleted, _making(purchase_completed)),
    "payment-due": Handler(credit_pb2.PaymentDue, _making(from_credit.payment_due)),
    "payment-overdue": Handler(credit_pb2.PaymentOverdue, _making(from_credit.payment_overdue)),
    "payment-received": Handler(credit_pb2.PaymentReceived, _making(from_credit.payment_received)),
    "payment-reversed": Handler(credit_pb2.PaymentReversed, _making(from_credit.payment_reversed)),
    "points-expiring": Handler(loyalty_pb2.PointsExpiring, _making(from_loyalty.points_expiring)),
    "tier-changed": Handler(loyalty_pb2.TierChanged, _making(from_loyalty.tier_changed)),
    "customer-registered": Handler(customers_pb2.CustomerRegistered, customer_registered),
    "customer-merged": Handler(customers_pb2.CustomerMerged, customer_merged),
    "customer-erased": Handler(customers_pb2.CustomerErased, customer_erased),
}
