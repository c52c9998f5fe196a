"""How a payment meets the open invoices, and which time it has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from credit.accounts.model import Key

_BACK = timedelta(days=30)
_AHEAD = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Payment:
    """Money that a customer paid on account, minor units; allocations are (invoice id, amount)."""

    key: Key
    payment_id: str
    amount: int
    method: int
    reference: str
    allocations: tuple[tuple[str, int], ...]
    unapplied: int
    outstanding_after: int
    effective_at: datetime
    received_at: datetime


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
