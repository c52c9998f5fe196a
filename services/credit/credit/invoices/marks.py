"""What names a mark, and when one falls away."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from credit.invoices.model import InvoiceKey, Mark
from kit.ids import derived_uuid


def exception_id(invoice: InvoiceKey, cause_id: str, mark: Mark) -> str:
    """Return what names a mark: each cause marks an invoice once with each."""
    return derived_uuid(*invoice, cause_id, mark)


class Authorised(NamedTuple):
    """A sale whose hold became known after it was marked UNAUTHORISED; `note` says which, `at` when."""

    invoice: InvoiceKey
    cause_id: str
    note: str
    at: datetime
