"""How a payment meets the open invoices, how it is undone, and which time it has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from credit.accounts.model import Key

_BACK = timedelta(days=30)
_AHEAD = timedelta(minutes=5)


class State(StrEnum):
    """Where a payment stands; PENDING: nothing is booked of it yet."""

    PENDING = "PENDING"
    RECEIVED = "RECEIVED"
    REVERSED = "REVERSED"


@dataclass(frozen=True, slots=True)
class Payment:
    """Money that a customer paid on account, minor units; allocations are (invoice id, amount).

    `named` are the invoices to pay first; `cleared_at` is the time of its bookings, None: nothing was booked.
    """

    key: Key
    payment_id: str
    state: State
    amount: int
    method: int
    reference: str
    named: tuple[str, ...]
    allocations: tuple[tuple[str, int], ...]
    unapplied: int
    outstanding_after: int
    effective_at: datetime
    received_at: datetime
    cleared_at: datetime | None = None
    reversed_at: datetime | None = None
    reversal_reason: str = ""


def effective(occurred_at: datetime | None, received_at: datetime) -> datetime:
    """Return the caller's time where it is believable (30 days back to 5 minutes ahead), else ours."""
    if occurred_at is not None and received_at - _BACK <= occurred_at <= received_at + _AHEAD:
        return occurred_at
    return received_at


def allocate(amount: int, owed: Iterable[tuple[str, int]]) -> tuple[list[tuple[str, int]], int]:
    """Put `amount` to (invoice id, outstanding) in the order given; return the parts and what is left."""
    parts: list[tuple[str, int]] = []
    for invoice_id, outstanding in owed:
        part = min(amount, outstanding)
        if part == 0:
            break
        parts.append((invoice_id, part))
        amount -= part
    return parts, amount


@dataclass(frozen=True, slots=True)
class Undoing:
    """What a reversal takes from where, minor units; (invoice id, amount) newest allocation first.

    `unused`: invoices that credit balance had paid; what they gave back and what was still there is `taken`.
    `charged`: what is found nowhere, for it was paid out in money.
    """

    unused: tuple[tuple[str, int], ...]
    unpaid: tuple[tuple[str, int], ...]
    taken: int
    charged: int


def undo(
    payment: Payment, paid: Mapping[str, int], credit_balance: int, uses: Sequence[tuple[str, int]]
) -> Undoing:
    """Return how a booked payment is undone.

    `paid`: what is paid now of each invoice concerned; `uses`: (invoice id, credit used and not given back),
    newest first, since the payment was booked. Returns may have turned what an allocation paid into credit
    balance: that part is looked for there. Credit balance that is still there is taken first.
    """
    left = dict(paid)
    unpaid: list[tuple[str, int]] = []
    needed = payment.unapplied
    for invoice_id, amount in reversed(payment.allocations):
        part = min(amount, left[invoice_id])
        needed += amount - part
        if part:
            unpaid.append((invoice_id, part))
            left[invoice_id] -= part
    there = min(needed, credit_balance)
    needed -= there
    unused: list[tuple[str, int]] = []
    for invoice_id, used in uses:
        part = min(needed, used, left[invoice_id])
        if part:
            unused.append((invoice_id, part))
            needed -= part
    taken = there + sum(part for _, part in unused)
    return Undoing(tuple(unused), tuple(unpaid), taken, needed)
