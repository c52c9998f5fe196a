"""Payments as the contract shows them."""

from __future__ import annotations

from collections.abc import Iterable

from credit.accounts import encode
from credit.accounts.model import Account
from credit.payments.model import Payment
from credit.payments.store import Payout
from langganan.credit.v1 import payments_pb2

_REASON = "REVERSAL_REASON_"


def payment(found: Payment, account: Account) -> payments_pb2.Payment:
    """A payment in the currency of its account."""
    shown = payments_pb2.Payment(
        payment_id=found.payment_id,
        customer_id=found.key.customer_id,
        amount=encode.money(account, found.amount),
        method=_method(found.method),
        reference=found.reference,
        allocations=allocations(found.allocations, account),
        unapplied=encode.money(account, found.unapplied),
        outstanding_after=encode.money(account, found.outstanding_after),
        effective_at=encode.stamp(found.effective_at),
        received_at=encode.stamp(found.received_at),
        state=payments_pb2.PaymentState.Value(f"PAYMENT_STATE_{found.state}"),
        invoice_ids=found.named,
    )
    if found.cleared_at is not None:
        shown.cleared_at.CopyFrom(encode.stamp(found.cleared_at))
    if found.reversed_at is not None:
        shown.reversed_at.CopyFrom(encode.stamp(found.reversed_at))
        shown.reversal_reason = payments_pb2.ReversalReason.Value(_REASON + found.reversal_reason)
    return shown


def allocations(parts: Iterable[tuple[str, int]], account: Account) -> list[payments_pb2.Allocation]:
    """(invoice id, minor units) in the currency of their account."""
    return [
        payments_pb2.Allocation(invoice_id=invoice_id, amount=encode.money(account, amount))
        for invoice_id, amount in parts
    ]


def payout(found: Payout, account: Account) -> payments_pb2.Payout:
    """A payout in the currency of its account."""
    return payments_pb2.Payout(
        payout_id=found.payout_id,
        customer_id=found.key.customer_id,
        amount=encode.money(account, found.amount),
        method=_method(found.method),
        reference=found.reference,
        credit_balance_after=encode.money(account, found.credit_balance_after),
        paid_out_at=encode.stamp(found.paid_out_at),
    )


def reason_of(value: payments_pb2.ReversalReason.ValueType) -> str:
    """The name of a reason without its prefix, as it is kept."""
    return payments_pb2.ReversalReason.Name(value).removeprefix(_REASON)


def _method(number: int) -> payments_pb2.PaymentMethod.ValueType:
    return payments_pb2.PaymentMethod.ValueType(number)
