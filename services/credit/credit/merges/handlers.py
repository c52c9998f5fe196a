"""What customers says of merges: the survivor takes over the account, the absorbed id becomes an alias."""

from __future__ import annotations

from datetime import UTC

from credit.accounts.model import Key
from credit.merges.store import Waiting
from credit.merges.unite import unite
from kit.db import Conn
from kit.events import Received
from kit.ids import valid_customer_id
from langganan.events.v1 import customers_pb2


def merged_keys(event: Received) -> list[Key]:
    """Both accounts of a merge: locked together, in id order."""
    payload: customers_pb2.CustomerMerged = event.payload
    ids = (payload.absorbed_customer_id, payload.surviving_customer_id)
    return [Key(event.merchant_id, id_) for id_ in ids if valid_customer_id(id_)]


async def customer_merged(conn: Conn, events: list[Received]) -> list[Exception | None]:
    """Merge one after the other, each seeing those before it."""
    return [await _merge(conn, event) for event in events]


async def _merge(conn: Conn, event: Received) -> Exception | None:
    keys = merged_keys(event)
    if len(keys) < 2:
        return ValueError("the merge names what is no customer id")
    absorbed, survivor = keys
    return await unite(
        conn, Waiting(absorbed, survivor, event.payload.merged_at.ToDatetime(UTC)), apart=False
    )
