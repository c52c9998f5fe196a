"""Where customers keeps rows of a customer, in both databases; a test finds a table that is missing here."""

from __future__ import annotations

from kit.export import Table
from langganan.events.v1.purchases_pb2 import PurchaseCompleted, PurchaseReturned
from langganan.types.v1.origin_pb2 import Origin

# An array, not IN: the planner then looks each purchase up, whatever it thinks of the LIMIT of a page.
_OF_PURCHASE = (
    "t.purchase_id = ANY(ARRAY(SELECT p.purchase_id FROM purchases AS p"
    " WHERE p.merchant_id = $1 AND p.customer_id = $2 AND p.customer_id <> ''))"
)
TABLES = (
    Table("customers"),
    Table("member_codes", ("code",)),
    Table("customer_statistics"),
    Table(
        "purchases",
        ("effective_at", "purchase_id"),
        hidden=("fingerprint",),
        opened={"body": PurchaseCompleted, "origin": Origin},
    ),
    Table(
        "purchase_returns",
        ("purchase_id", "revision"),
        hidden=("fingerprint",),
        opened={"body": PurchaseReturned, "origin": Origin},
        whose=_OF_PURCHASE,
    ),
    Table("purchase_exceptions", ("exception_id",), whose=_OF_PURCHASE),
    Table("erasures", opened={"origin": Origin}),
)
# Evidence of an erased person names no address any more; of others it is opened, see own.py.
CONSENTS = Table("consents", ("seq",), ("token", "sealed", "key_version"), {"origin": Origin})
# Whom else the same batch of reads was about is theirs.
ACCESS_LOG = Table("access_log", ("at", "ctid"), ("customer_ids",), whose="t.customer_ids @> ARRAY[$2]")
# Shown opened, as the profile and the consents.
OPENED = frozenset({"sealed_fields", "contact_points", "consents"})
# Tables with a customer's rows that are mechanism: keys, blind indexes, ids of writes, writes under way.
TECHNICAL = frozenset({"people", "contact_index", "search_index", "requests", "pending"})
