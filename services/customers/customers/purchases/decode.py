"""Turns a RecordPurchase request into a Sale: checked, fingerprinted, and its event nearly ready."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from customers import instants
from customers.purchases import model, tenders
from customers.purchases.errors import Duplicate
from kit import ids, pan
from kit.events.envelope import MAX_PAYLOAD_BYTES, EventTooLarge
from kit.fingerprint import Field, fingerprint
from kit.money import Currency, InvalidMoney, to_minor, to_money
from langganan.customers.v1.purchases_pb2 import RecordPurchaseRequest
from langganan.events.v1.purchases_pb2 import PurchaseCompleted
from langganan.types.v1.line_pb2 import LINE_KIND_ROUNDING, Discount, Line
from langganan.types.v1.origin_pb2 import MODE_OFFLINE

_VERSION = 1
_BASKET = "basket"
# Bytes of the event for what the store puts in: customer, zone, a debtor for each tender.
_ROOM = 1_000


@dataclass(slots=True)
class Sale:
    """A finished sale as asked for. `event` lacks only what the store finds out: customer and zone.

    `origin`: the serialized Origin. `nets`: minor units by line after basket discounts, None without such.
    `personal_tender`: a tender that books nothing without a customer.
    """

    merchant_id: str
    purchase_id: str
    customer_id: str
    offline: bool
    store_id: str
    origin: bytes
    received_at: datetime
    effective_at: datetime
    total: int
    nets: list[tuple[str, int]] | None
    personal_tender: str
    currency: Currency
    fingerprint: bytes
    event: PurchaseCompleted


class _Texts:
    """The free texts of a request, to be searched for card numbers at once."""

    def __init__(self) -> None:
        self.free: list[str] = []
        self.products: list[str] = []
        self.serials: list[str] = []

    def refuse_cards(self) -> None:
        pan.refuse(self.free)
        pan.refuse(self.products, unless=pan.is_gtin)
        pan.refuse(self.serials, unless=pan.is_imei)


def sale(request: RecordPurchaseRequest, merchant_id: str, currency: Currency, received_at: datetime) -> Sale:
    """Decode and check a sale; raises the INVALID_ARGUMENT errors that RecordPurchase documents."""
    ids.canonical_uuid(request.purchase_id, "purchase_id")
    if request.customer_id:
        ids.check_customer_id(request.customer_id)
    origin = request.origin
    texts = _Texts()
    texts.free += (request.receipt_number, origin.store_id, origin.register_id, origin.staff_ref)
    nets, lines = _lines(request.lines, currency, texts)
    discounts = [_discount(d, currency, texts) for d in request.basket_discounts]
    paid = [tenders.read(t, currency) for t in request.tenders]
    for tender in paid:
        texts.free += tender.texts
    _unique("tender", [t.tender_id for t in paid])
    texts.refuse_cards()
    total = to_minor(request.total, currency, "total")
    event = _event(request, merchant_id, currency)
    if discounts:
        nets = _spread(event, nets, discounts, currency)
    model.check_sum(nets, total, [t.amount for t in paid])
    moment = _set_times(event, request, received_at)
    if event.ByteSize() > MAX_PAYLOAD_BYTES - _ROOM:
        raise EventTooLarge("the sale is too large for one record; send fewer or shorter texts")
    return Sale(
        merchant_id=merchant_id,
        purchase_id=request.purchase_id,
        customer_id=request.customer_id,
        offline=origin.mode == MODE_OFFLINE,
        store_id=origin.store_id,
        origin=origin.SerializeToString(),
        received_at=received_at,
        effective_at=moment.effective_at,
        total=total,
        nets=[(line.line_id, net) for line, net in zip(event.lines, nets, strict=True)]
        if discounts
        else None,
        personal_tender=next((t.tender_id for t in paid if t.of_customer), ""),
        currency=currency,
        # Without occurred_at, sent_at and mode: a till that hands a sale in again, later and by then
        # offline, means the same sale. Nor what cash was tendered and given back: that is the drawer's
        # business, the sale is paid with the tender's amount.
        fingerprint=fingerprint(
            _VERSION,
            request.customer_id,
            request.recognised_by,
            origin.store_id,
            origin.register_id,
            origin.staff_ref,
            request.receipt_number,
            total,
            lines,
            tuple(discounts),
            [t.content for t in paid],
        ),
        event=event,
    )


def _lines(lines: Sequence[Line], currency: Currency, texts: _Texts) -> tuple[list[int], list[Field]]:
    """Return each line's net and each line's content."""
    nets: list[int] = []
    contents: list[Field] = []
    free, products, serials = texts.free, texts.products, texts.serials
    for line in lines:
        line_id, product_id, name, kind = line.line_id, line.product_id, line.name, line.kind
        quantity = line.quantity
        unit, categories, serial_numbers = quantity.unit, list(line.categories), list(line.serial_numbers)
        net = to_minor(line.net, currency, "line.net")
        if net < 0 and kind != LINE_KIND_ROUNDING:
            raise InvalidMoney(f"line {line_id!r}: only a ROUNDING may have a negative net", field="line.net")
        nets.append(net)
        free += (line_id, name, unit, *categories)
        products.append(product_id)
        serials += serial_numbers
        content: list[Field] = [line_id, product_id, name, kind, quantity.thousandths, unit, net]
        if line.HasField("list_amount"):
            content += ("list", to_minor(line.list_amount, currency, "line.list_amount"))
        if line.HasField("tax"):
            content += ("tax", to_minor(line.tax, currency, "line.tax"))
        if categories:
            content += ("categories", *categories)
        if line.discounts:
            content += [_discount(d, currency, texts) for d in line.discounts]
        if serial_numbers:
            content += ("serials", *serial_numbers)
        contents.append(content)
    _unique("line", [line.line_id for line in lines])
    return nets, contents


def _discount(discount: Discount, currency: Currency, texts: _Texts) -> tuple[str, int]:
    amount = to_minor(discount.amount, currency, "discount.amount")
    if amount < 0:
        raise InvalidMoney("a discount must not be negative", field="discount.amount")
    texts.free.append(discount.discount_id)
    return (discount.discount_id, amount)


def _unique(what: str, found: list[str]) -> None:
    if len(set(found)) != len(found):
        raise Duplicate(what, next(i for i in found if found.count(i) > 1))


def _event(request: RecordPurchaseRequest, merchant_id: str, currency: Currency) -> PurchaseCompleted:
    event = PurchaseCompleted(
        merchant_id=merchant_id,
        purchase_id=request.purchase_id,
        customer_id=request.customer_id,
        store_id=request.origin.store_id,
        register_id=request.origin.register_id,
        currency_code=currency.code,
        minor_digits=currency.digits,
        receipt_number=request.receipt_number,
        total=request.total,
        recognised_by=request.recognised_by,
        mode=request.origin.mode,
        revision=1,
    )
    event.lines.MergeFrom(request.lines)
    event.tenders.MergeFrom(request.tenders)
    return event


def _spread(
    event: PurchaseCompleted, nets: list[int], discounts: Sequence[tuple[str, int]], currency: Currency
) -> list[int]:
    """Put the basket's discounts on the event's lines and return the nets after them."""
    amount = sum(value for _, value in discounts)
    discount_id = discounts[0][0] if len(discounts) == 1 else _BASKET
    after = []
    for line, net, part in zip(event.lines, nets, model.spread(nets, amount), strict=True):
        after.append(net - part)
        if part:
            line.net.CopyFrom(to_money(net - part, currency))
            line.discounts.append(Discount(discount_id=discount_id, amount=to_money(part, currency)))
    return after


def _set_times(
    event: PurchaseCompleted, request: RecordPurchaseRequest, received_at: datetime
) -> model.Moment:
    moment = model.moment(instants.instant_if_any(request.occurred_at), received_at)
    event.occurred_at.CopyFrom(request.occurred_at)
    event.received_at.CopyFrom(instants.stamp(received_at))
    event.effective_at.CopyFrom(event.received_at if moment.implausible else request.occurred_at)
    event.occurred_at_implausible = moment.implausible
    return moment
