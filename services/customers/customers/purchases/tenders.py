"""Reads tenders: what each pays, by which means, and what may not stand in them."""

from __future__ import annotations

from dataclasses import dataclass

from customers.purchases.errors import TotalMismatch
from kit import ids
from kit.fingerprint import Field
from kit.money import Currency, InvalidMoney, to_minor
from langganan.events.v1.purchases_pb2 import PurchaseCompleted
from langganan.types.v1.tender_pb2 import Tender, TenderKind

# Means whose particulars others act on; of any other an event says no more than that it was that means.
_TOLD = frozenset({"cash", "points", "on_account"})


@dataclass(frozen=True, slots=True)
class Paid:
    """A tender as decoded: minor units, what identifies it, its texts, whether it needs a customer."""

    tender_id: str
    amount: int
    content: Field
    texts: tuple[str, ...]
    of_customer: bool


def kind_of(tender: Tender) -> TenderKind.ValueType:
    """Return the means of a tender without its particulars."""
    return TenderKind.Value(f"TENDER_KIND_{(tender.WhichOneof('means') or 'unspecified').upper()}")


def as_told(sale: PurchaseCompleted) -> PurchaseCompleted:
    """Return a sale as others hear of it: without card data and references; itself where it has none."""
    if all(tender.WhichOneof("means") in _TOLD for tender in sale.tenders):
        return sale
    told = PurchaseCompleted()
    told.CopyFrom(sale)
    for tender in told.tenders:
        means = tender.WhichOneof("means")
        if means and means not in _TOLD:
            getattr(tender, means).Clear()
    return told


def read(tender: Tender, currency: Currency) -> Paid:
    """Decode a tender. Raises INVALID_MONEY, TOTAL_MISMATCH (cash), INVALID_ID, INVALID_CUSTOMER_ID."""
    amount = to_minor(tender.amount, currency, "tender.amount")
    if amount <= 0:
        raise InvalidMoney(
            "a tender's amount must be positive; leave out a tender that pays nothing", field="tender.amount"
        )
    means = tender.WhichOneof("means") or ""
    texts: tuple[str, ...] = ()
    match means:
        case "cash":
            _check_cash(tender, amount, currency)
        case "card":
            texts = (tender.card.brand, tender.card.last_four)
        case "qris":
            texts = (tender.qris.reference,)
        case "transfer":
            texts = (tender.transfer.reference,)
        case "e_wallet":
            texts = (tender.e_wallet.provider, tender.e_wallet.reference)
        case "voucher":
            texts = (tender.voucher.voucher_id,)
        case "stored_value":
            texts = (tender.stored_value.reference,)
        case "other":
            texts = (tender.other.kind, tender.other.reference)
        case "points":
            reservation = ids.canonical_uuid(tender.points.reservation_id, "reservation_id")
            return Paid(tender.tender_id, amount, (tender.tender_id, amount, means, reservation), (), True)
        case "on_account":
            return _on_account(tender, amount)
    content: Field = (tender.tender_id, amount, means, *texts)
    return Paid(tender.tender_id, amount, content, (tender.tender_id, *texts), False)


def _on_account(tender: Tender, amount: int) -> Paid:
    terms = tender.on_account
    authority = terms.WhichOneof("authority") or ""
    id_ = ids.canonical_uuid(getattr(terms, authority), authority) if authority else ""
    if terms.account_customer_id:
        ids.check_customer_id(terms.account_customer_id, "account_customer_id")
    content = (tender.tender_id, amount, "on_account", authority, id_, terms.account_customer_id)
    return Paid(tender.tender_id, amount, content, (tender.tender_id,), not terms.account_customer_id)


def _check_cash(tender: Tender, amount: int, currency: Currency) -> None:
    cash = tender.cash
    if not cash.HasField("tendered"):
        return
    tendered = to_minor(cash.tendered, currency, "cash.tendered")
    change = to_minor(cash.change, currency, "cash.change") if cash.HasField("change") else 0
    if change < 0 or tendered - change != amount:
        raise TotalMismatch(
            f"cash of {tendered} less change of {change} is not the tender's {amount} (minor units)",
            tender_id=tender.tender_id,
        )
