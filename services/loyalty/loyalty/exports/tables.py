"""Where loyalty keeps rows of a customer; a test finds a table that is missing here."""

from __future__ import annotations

from kit.export import Table
from langganan.types.v1.origin_pb2 import Origin

TABLES = (
    Table("accounts"),
    Table("entries", ("entry_no",)),
    Table("lots", ("entry_no",)),
    Table("purchases", ("purchase_id",)),
    Table("returns", ("return_id",)),
    Table("redemptions", ("purchase_id", "tender_id")),
    Table(
        "reservations",
        ("reservation_id",),
        hidden=("fingerprint",),
        opened={"origin": Origin, "release_origin": Origin},
    ),
    Table("redemption_exceptions", ("exception_id",), opened={"resolve_origin": Origin}),
    Table("adjustments", ("adjustment_id",), hidden=("fingerprint",), opened={"origin": Origin}),
    Table("tier_changes", ("revision",)),
    Table("tier_pins", ("request_id",), hidden=("fingerprint",), opened={"origin": Origin}),
)
# Tables with a customer's rows that are mechanism and say nothing of the person.
TECHNICAL: frozenset[str] = frozenset()
