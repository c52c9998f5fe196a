"""Sales and returns read from events: what each asks of which account, checked before anything is booked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from credit.accounts import encode
from credit.accounts.model import Key
from credit.allowances.model import AllowanceKey
from credit.holds.model import HoldKey
from credit.invoices.model import Refund, TenderKey
from credit.zones import known_zone
from kit.events import Received
from kit.ids import canonical_uuid, valid_customer_id
from kit.money import Currency
from langganan.events.v1 import purchases_pb2
from langganan.types.v1 import tender_pb2


@dataclass(frozen=True, slots=True)
class Sale:
    """One on-account tender of a finished sale; `amount` in minor units of `currency`."""

    tender: TenderKey
    key: Key
    amount: int
    currency: Currency
    time_zone: str
    hold_id: str | None
    at: datetime
    store_id: str
    allowance_id: str | None = None

    @property
    def allowance_key(self) -> AllowanceKey | None:
        """The allowance that it names."""
        return AllowanceKey(self.key.merchant_id, self.allowance_id) if self.allowance_id else None

    @property
    def hold_key(self) -> HoldKey | None:
        """The hold that it names."""
        return HoldKey(self.key.merchant_id, self.hold_id) if self.hold_id else None


@dataclass(frozen=True, slots=True)
class Nobodys:
    """One on-account tender of a sale that names nobody who could owe it; minor units of `currency`."""

    tender: TenderKey
    amount: int
    currency: Currency
    at: datetime


def _payer(event: Received, account_customer_id: str) -> Key | None:
    """Whose account pays: the one named, else the customer of the sale. None: no customer is named.

    What is no customer id names nobody either: no account can ever be opened for it.
    """
    customer_id = account_customer_id or event.payload.customer_id
    return Key(event.merchant_id, customer_id) if valid_customer_id(customer_id) else None


def sale_keys(event: Received) -> list[Key]:
    """The accounts that a sale's on-account tenders are posted to: none for most sales."""
    payload: purchases_pb2.PurchaseCompleted = event.payload
    payers = [
        _payer(event, tender.on_account.account_customer_id)
        for tender in payload.tenders
        if tender.WhichOneof("means") == "on_account"
    ]
    return [payer for payer in payers if payer is not None]


def allowance_keys(event: Received) -> list[AllowanceKey]:
    """The allowances that a sale's on-account tenders name: none, where the till had its line."""
    payload: purchases_pb2.PurchaseCompleted = event.payload
    return [
        AllowanceKey(event.merchant_id, canonical_uuid(tender.on_account.allowance_id, "allowance_id"))
        for tender in payload.tenders
        if tender.WhichOneof("means") == "on_account" and tender.on_account.allowance_id
    ]


def sales(event: Received) -> list[Sale | Nobodys]:
    """The on-account tenders of a sale; raises DomainError or ValueError for what cannot be booked."""
    payload: purchases_pb2.PurchaseCompleted = event.payload
    currency = Currency(payload.currency_code, payload.minor_digits)
    at = payload.effective_at.ToDatetime(UTC)
    found: list[Sale | Nobodys] = []
    for tender in payload.tenders:
        if tender.WhichOneof("means") != "on_account":
            continue
        name = TenderKey(
            event.merchant_id, canonical_uuid(payload.purchase_id, "purchase_id"), tender.tender_id
        )
        amount = encode.positive(tender.amount, currency)
        key = _payer(event, tender.on_account.account_customer_id)
        if key is None:
            found.append(Nobodys(name, amount, currency, at))
            continue
        hold_id, allowance_id = tender.on_account.hold_id, tender.on_account.allowance_id
        found.append(
            Sale(
                tender=name,
                key=key,
                amount=amount,
                currency=currency,
                time_zone=known_zone(payload.time_zone),
                hold_id=canonical_uuid(hold_id, "hold_id") if hold_id else None,
                at=at,
                store_id=payload.store_id,
                allowance_id=canonical_uuid(allowance_id, "allowance_id") if allowance_id else None,
            )
        )
    return found


def refund_keys(event: Received) -> list[Key]:
    """The accounts that a return gives something back to."""
    return [key for key, _ in _refunded(event)]


def _refunded(event: Received) -> list[tuple[Key, purchases_pb2.TenderRefund]]:
    """The on-account refunds, each with its account; a tender of nobody's was never posted."""
    payload: purchases_pb2.PurchaseReturned = event.payload
    found = [
        (_payer(event, refund.account_customer_id), refund)
        for refund in payload.refunds
        if refund.kind == tender_pb2.TENDER_KIND_ON_ACCOUNT and refund.amount > 0
    ]
    return [(key, refund) for key, refund in found if key is not None]


def refunds(event: Received) -> list[Refund]:
    """The on-account refunds of a return; raises DomainError for what cannot be booked."""
    payload: purchases_pb2.PurchaseReturned = event.payload
    return [
        Refund(
            tender=TenderKey(
                event.merchant_id, canonical_uuid(payload.purchase_id, "purchase_id"), refund.tender_id
            ),
            key=key,
            return_id=canonical_uuid(payload.return_id, "return_id"),
            amount=refund.amount,
            at=payload.effective_at.ToDatetime(UTC),
        )
        for key, refund in _refunded(event)
    ]
