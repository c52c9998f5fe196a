"""Builds the till's requests: people, baskets and tenders as the contract's messages."""

from __future__ import annotations

import uuid

from google.protobuf.timestamp_pb2 import Timestamp
from google.type.date_pb2 import Date
from google.type.money_pb2 import Money

from langganan.customers.v1 import contacts_pb2, profiles_pb2, purchases_pb2, returns_pb2
from langganan.types.v1 import line_pb2, origin_pb2, tender_pb2
from local.demo.baskets import Basket, Line
from local.demo.journal import Tendered
from local.demo.people import Person
from local.demo.script import Return, Sale

CURRENCY = "IDR"
NOTE = 50_000  # the note that cash customers hand over, rupiah
_IDS = uuid.UUID("6f6c6c79-6c61-5e67-8e61-6e616e000000")


class Ids:
    """Makes the till's ids: the same seed gives the same ids, so a till that restarts repeats them."""

    def __init__(self, seed: int) -> None:
        self._space = uuid.uuid5(_IDS, str(seed))

    def __call__(self, kind: str, *parts: int) -> str:
        return str(uuid.uuid5(self._space, f"{kind} {parts}"))


def money(amount: int) -> Money:
    """Rupiah as Money."""
    return Money(currency_code=CURRENCY, units=amount)


def store_id(store: int) -> str:
    """The store as the merchant names it."""
    return f"S{store}"


def origin(store: int, register: int) -> origin_pb2.Origin:
    """Where a request comes from."""
    return origin_pb2.Origin(
        store_id=store_id(store),
        register_id=f"R{register % 8 + 1}",
        staff_ref=f"staff-{register % 40 + 1}",
        mode=origin_pb2.MODE_ONLINE,
    )


def line(sold: Line) -> line_pb2.Line:
    """One line of a basket."""
    product = sold.product
    off = sold.retail_discount + sold.coupon_match
    made = line_pb2.Line(
        line_id=sold.line_id,
        product_id=product.product_id,
        name=product.name,
        categories=product.categories,
        kind=line_pb2.LineKind.Value(f"LINE_KIND_{product.kind}"),
        quantity=line_pb2.Quantity(thousandths=sold.thousandths, unit=sold.unit),
        list_amount=Money(currency_code=CURRENCY, units=sold.net + off),
        net=Money(currency_code=CURRENCY, units=sold.net),
    )
    if sold.retail_discount:
        made.discounts.add(discount_id="retail", amount=money(sold.retail_discount))
    if sold.coupon_match:
        made.discounts.add(discount_id="coupon-match", amount=money(sold.coupon_match))
    return made


def tender(paid: Tendered) -> tender_pb2.Tender:
    """One tender of a basket."""
    made = tender_pb2.Tender(tender_id=paid.tender_id, amount=money(paid.amount))
    match paid.kind:
        case "CASH":
            tendered = -(-paid.amount // NOTE) * NOTE
            made.cash.tendered.CopyFrom(money(tendered))
            made.cash.change.CopyFrom(money(tendered - paid.amount))
        case "CARD":
            made.card.brand, made.card.last_four = "gpn", "4321"
        case "QRIS":
            made.qris.SetInParent()
        case "E_WALLET":
            made.e_wallet.provider = "gopay"
        case "TRANSFER":
            made.transfer.SetInParent()
        case "POINTS":
            made.points.reservation_id = paid.reference
        case "ON_ACCOUNT":
            made.on_account.hold_id = paid.reference
        case "VOUCHER":
            made.voucher.voucher_id = "coupons"
        case kind:
            raise ValueError(f"no tender is called {kind}")
    return made


def purchase(
    purchase_id: str,
    customer_id: str,
    basket: Basket,
    lines: list[line_pb2.Line],
    sale: Sale,
    tenders: tuple[Tendered, ...],
) -> purchases_pb2.RecordPurchaseRequest:
    """A finished sale."""
    return purchases_pb2.RecordPurchaseRequest(
        purchase_id=purchase_id,
        customer_id=customer_id,
        recognised_by=recognised_by(sale.recognised_by),
        origin=origin(basket.store, basket.index),
        receipt_number=f"{basket.basket_id}",
        occurred_at=Timestamp(seconds=sale.at),
        lines=lines,
        tenders=[tender(paid) for paid in tenders],
        total=money(basket.total),
    )


def recognised_by(name: str) -> origin_pb2.RecognisedBy.ValueType:
    """The enum's value of a name; empty: not recognised."""
    return origin_pb2.RecognisedBy.Value(f"RECOGNISED_BY_{name or 'UNSPECIFIED'}")


def items(back: Return) -> list[returns_pb2.ReturnItem]:
    """The parts of a return."""
    return [
        returns_pb2.ReturnItem(line_id=part.line_id, quantity_thousandths=part.thousandths)
        if part.thousandths
        else returns_pb2.ReturnItem(line_id=part.line_id, amount=money(part.amount))
        for part in back.parts
    ]


def reason(back: Return) -> returns_pb2.ReturnReason.ValueType:
    """Why something is taken back."""
    return returns_pb2.ReturnReason.Value(f"RETURN_REASON_{back.reason}")


def identify(person: Person, customer_id: str, sale: Sale, basket: Basket) -> profiles_pb2.IdentifyRequest:
    """What the till asks when a customer is recognised in one of four ways."""
    request = profiles_pb2.IdentifyRequest(
        origin=origin(basket.store, basket.index), recognised_by=recognised_by(sale.recognised_by)
    )
    match sale.recognised_by:
        case "CARD_SCAN":
            request.customer_id = customer_id
        case "MEMBER_CODE":
            request.member_code = person.member_code
        case "STAFF" if person.email:
            request.email = person.email
        case _:
            request.phone = person.phone
    return request


def customer(person: Person) -> profiles_pb2.Customer:
    """A profile to register."""
    profile = profiles_pb2.Customer(
        kind=profiles_pb2.CUSTOMER_KIND_ORGANISATION
        if person.organisation
        else profiles_pb2.CUSTOMER_KIND_PERSON,
        full_name=person.name,
        nickname=person.nickname,
        gender=profiles_pb2.Gender.Value(f"GENDER_{person.gender or 'UNSPECIFIED'}"),
        contact_points=[
            contacts_pb2.ContactPoint(channel=contacts_pb2.CHANNEL_PHONE, address=person.phone),
        ],
        member_codes=[person.member_code],
        address=person.address,
        city=person.city,
        province=person.province,
        postal_code=person.postal_code,
        language=person.language,
        acquisition_source="demo",
    )
    if person.email:
        profile.contact_points.add(channel=contacts_pb2.CHANNEL_EMAIL, address=person.email)
    if person.born:
        year = person.born.year if person.birth_year_known else 0
        profile.birth_date.CopyFrom(Date(year=year, month=person.born.month, day=person.born.day))
    if person.credit_limit:
        profile.credit_limit_wished.CopyFrom(money(person.credit_limit))
    return profile
