"""Where notify keeps rows of a customer; a test finds a table that is missing here."""

from __future__ import annotations

from kit.export import Table

TABLES = (
    Table("recipients"),
    Table("messages", ("created_at", "message_id"), hidden=("fingerprint",)),
)
# Tables with a customer's rows that are mechanism and say nothing of the person.
TECHNICAL: frozenset[str] = frozenset()
