"""Sales and returns read from events: what each asks of which account, checked before anything is booked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from credit.accounts import encode
from credit.accounts.model import Key
from credit.holds.model import HoldKey
from credit.invoices.model import Refund, TenderKey
from credit.zones import known_zone
from kit.events import Received
from kit.ids import canonical_uuid, check_customer_id
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

    @property
    def hold_key(self) -> HoldKey | None:
        """The hold that it names."""
        return HoldKey(self.key.merchant_id, self.hold_id) if self.hold_id else None


def _payer(event: Received, account_customer_id: str) -> Key:
    """Whose account pays: the one named, else the customer of the sale."""
    return Key(event.merchant_id, account_customer_id or event.payload.customer_id)


def sale_keys(event: Received) -> list[Key]:
    """The accounts that a sale's on-account tenders are posted to: none for most sales."""
    payload: purchases_pb2.PurchaseCompleted = event.payload
    return [
        _payer(event, tender.on_account.account_customer_id)
        for tender in payload.tenders
        if tender.WhichOneof("means") == "on_account"
    ]


def sales(event: Received) -> list[Sale]:
    """The on-account tenders of a sale; raises DomainError or ValueError for what cannot be booked."""
    payload: purchases_pb2.PurchaseCompleted = event.payload
    currency = Currency(payload.currency_code, payload.minor_digits)
    found = []
    for tender in payload.tenders:
        if tender.WhichOneof("means") != "on_account":
            continue
        key = _payer(event, tender.on_account.account_customer_id)
        check_customer_id(key.customer_id)
        hold_id = tender.on_account.hold_id
        found.append(
            Sale(
                tender=TenderKey(
                    event.merchant_id, canonical_uuid(payload.purchase_id, "purchase_id"), tender.tender_id
                ),
                key=key,
                amount=encode.positive(tender.amount, currency),
                currency=currency,
                time_zone=known_zone(payload.time_zone),
                hold_id=canonical_uuid(hold_id, "hold_id") if hold_id else None,
                at=payload.effective_at.ToDatetime(UTC),
            )
        )
    return found


def refund_keys(event: Received) -> list[Key]:
    """The accounts that a return gives something back to."""
    payload: purchases_pb2.PurchaseReturned = event.payload
    return [
        _payer(event, refund.account_customer_id)
        for refund in payload.refunds
        if refund.kind == tender_pb2.TENDER_KIND_ON_ACCOUNT and refund.amount > 0
    ]


def refunds(event: Received) -> list[Refund]:
    """The on-account refunds of a return; raises DomainError for what cannot be booked."""
    payload: purchases_pb2.PurchaseReturned = event.payload
    return [
        Refund(
            tender=TenderKey(
                event.merchant_id, canonical_uuid(payload.purchase_id, "purchase_id"), refund.tender_id
            ),
            key=_payer(event, refund.account_customer_id),
            return_id=canonical_uuid(payload.return_id, "return_id"),
            amount=refund.amount,
            at=payload.effective_at.ToDatetime(UTC),
        )
        for refund in payload.refunds
        if refund.kind == tender_pb2.TENDER_KIND_ON_ACCOUNT and refund.amount > 0
    ]
