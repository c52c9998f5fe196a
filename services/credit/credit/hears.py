"""What the credit service hears, and whose accounts each event locks."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from credit.accounts import handlers as customer
from credit.accounts import store as accounts
from credit.accounts.model import Key
from credit.allowances import store as allowances
from credit.invoices import handlers as sale
from credit.invoices import sales
from credit.limits import handlers as limits
from credit.merges import handlers as merge
from kit.db import Conn
from kit.events import Handler, Received
from langganan.events.v1 import customers_pb2, purchases_pb2

TOPICS = ["customers"]


async def purchase_completed(conn: Conn, events: list[Received]) -> list[Exception | None]:
    """Post what was sold on account, then count what was bought."""
    refusals = await sale.purchase_completed(conn, events)
    await limits.bought(conn, [e for e, refusal in zip(events, refusals, strict=True) if refusal is None])
    return refusals


async def purchase_returned(conn: Conn, events: list[Received]) -> list[Exception | None]:
    """Take what was returned off its invoices, then off what was bought."""
    refusals = await sale.purchase_returned(conn, events)
    await limits.given_back(conn, [e for e, refusal in zip(events, refusals, strict=True) if refusal is None])
    return refusals


HANDLERS: Mapping[str, Handler] = {
    "customer-registered": Handler(customers_pb2.CustomerRegistered, customer.customer_registered),
    "customer-merged": Handler(customers_pb2.CustomerMerged, merge.customer_merged),
    "customer-erased": Handler(customers_pb2.CustomerErased, customer.customer_erased),
    "purchase-completed": Handler(purchases_pb2.PurchaseCompleted, purchase_completed, folds=True),
    "purchase-returned": Handler(purchases_pb2.PurchaseReturned, purchase_returned, folds=True),
}

_KEYS: Mapping[str, Callable[[Received], list[Key]]] = {
    "customer-registered": customer.registered_keys,
    "customer-merged": merge.merged_keys,
    "customer-erased": customer.erased_keys,
    "purchase-completed": sales.sale_keys,
    "purchase-returned": sales.refund_keys,
}


async def lock(conn: Conn, events: list[Received]) -> None:
    """Open the rows of the customers that the events name, and lock all of them in id order.

    Then the allowances that offline sales name: always behind the accounts, and in id order as well.
    """
    keys = {key for event in events for key in _KEYS[event.type](event) if key.customer_id}
    if keys:
        await accounts.lock(conn, keys, wait=True)
    named = {k for e in events if e.type == "purchase-completed" for k in sales.allowance_keys(e)}
    if named:
        await allowances.lock(conn, named)
