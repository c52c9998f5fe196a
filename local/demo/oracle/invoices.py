"""An invoice of the credit account."""

from __future__ import annotations

import datetime
from dataclasses import dataclass


@dataclass(slots=True, eq=False)
class Invoice:
    """What one on-account tender of a purchase became, or a charge (purchase_id: its hold); in rupiah."""

    purchase_id: str
    tender_id: str
    amount: int
    outstanding: int
    issued_on: datetime.date
    due_on: datetime.date
