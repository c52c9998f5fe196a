"""Where credit keeps rows of a customer; a test finds a table that is missing here."""

from __future__ import annotations

from kit.export import Table
from langganan.types.v1.origin_pb2 import Origin

TABLES = (
    Table("accounts"),
    Table("account_changes", ("kind", "request_id"), hidden=("fingerprint",)),
    Table("store_limits", ("store_id",)),
    Table("entries", ("entry_id",)),
    Table(
        "holds",
        ("decided_at", "hold_id"),
        hidden=("fingerprint",),
        opened={"origin": Origin, "closed_origin": Origin, "extended_origin": Origin},
    ),
    Table("invoices", ("issued_at", "invoice_id")),
    Table("invoice_exceptions", ("invoice_id", "exception_id"), hidden=("fingerprint",)),
    Table("payments", ("effective_at", "payment_id"), hidden=("fingerprint",), opened={"origin": Origin}),
    Table("payment_changes", ("changed_at", "request_id"), hidden=("fingerprint",)),
    Table("payouts", ("paid_out_at", "payout_id"), hidden=("fingerprint",), opened={"origin": Origin}),
    Table("allowance_uses", ("used_at", "use_id")),
    Table("notices", ("local_date",)),
    Table("reminders", ("said_at", "request_id"), hidden=("fingerprint",)),
    Table("spend", ("month", "cause_id")),
    Table("write_offs", ("written_off_at", "request_id"), hidden=("fingerprint",)),
)
# Tables with a customer's rows that are mechanism and say nothing of the person.
TECHNICAL: frozenset[str] = frozenset()
