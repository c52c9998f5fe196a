"""The audit of customers passes healthy books and names whatever was tampered with, in both databases."""

from __future__ import annotations

from typing import Any

import pytest
from google.type.money_pb2 import Money

from customers.audit.model import Known, Sealed, judge
from kit.audit import run_audit
from kit.ids import new_uuid
from langganan.customers.v1 import erasures_pb2, profiles_pb2
from langganan.events.v1.purchases_pb2 import PurchaseCompleted

PHONES = iter(f"0815{n:08}" for n in range(1, 1000))


async def audited(shop: Any) -> list[tuple[str, str, str, str]]:
    """(check, what, must, found) of each difference of this shop."""
    outcome = await run_audit(shop.four.customers.pool, shop.four.customers.service.audit)
    return [(d.check, d.what, d.must, d.found) for d in outcome.first if d.merchant_id == shop.merchant]


async def a_history(shop: Any) -> tuple[str, str]:
    """A customer with sales, a return, and a change of profile; returns the customer and a purchase."""
    customer = await shop.customer("Budi", next(PHONES))
    bought = await shop.sale(customer, 50_000)
    await shop.sale(customer, 70_000)
    await shop.sale(customer, 0)
    await shop.a_return(bought, customer)
    profile = profiles_pb2.Customer(customer_id=customer, nickname="Bud")
    request = profiles_pb2.UpdateCustomerRequest(
        request_id="6f1d9a6e-60a3-4f0e-9d6c-0d1c5b1e7a11", customer=profile
    )
    request.update_mask.paths.append("nickname")
    await shop.profiles.UpdateCustomer(request)
    return customer, bought


async def test_what_came_to_be_in_any_way_passes(shop: Any) -> None:
    await a_history(shop)
    gone = await shop.customer("Ani", next(PHONES))
    await shop.sale(gone)
    request = erasures_pb2.EraseCustomerRequest(request_id=new_uuid(), customer_id=gone)
    assert (await shop.profiles.EraseCustomer(request)).state == erasures_pb2.ERASURE_STATE_ERASED
    assert await audited(shop) == []


# The fact of a sale in no currency whose total is in rupiah.
NO_MONEY = "\\x" + PurchaseCompleted(total=Money(currency_code="IDR", units=1)).SerializeToString().hex()
SALE = "WHERE purchase_id = '{purchase}'"
BY_HAND = {
    "visits": ("here", "UPDATE customer_statistics SET visits = visits + 1 {of}", "statistics", "visits"),
    "spend": ("here", "UPDATE customer_statistics SET spend = spend + 1 {of}", "statistics", "spend"),
    "gone": ("here", "DELETE FROM customer_statistics {of}", "statistics", "visits"),
    "left": (
        "here", f"UPDATE purchases SET total_left = total_left - 1 {SALE}",
        "purchases", "total_left of purchase {purchase}",
    ),
    "return": (
        "here", f"DELETE FROM purchase_returns {SALE}", "purchases", "revision of",
    ),
    "total": ("here", f"UPDATE purchases SET total = total + 1 {SALE}", "facts", "total of"),
    "body": ("here", f"UPDATE purchases SET body = '\\xff' {SALE}", "facts", "body of"),
    "currency": ("here", f"UPDATE purchases SET body = '{NO_MONEY}' {SALE}", "facts", "body of"),
    "event": ("here", "UPDATE outbox SET payload = '\\xff' {key}", "outbox", "of purchase-completed"),
    "empty event": ("here", "UPDATE outbox SET payload = '' {key}", "outbox", "of purchase-returned"),
    "fact": ("here", f"DELETE FROM purchases {SALE}", "outbox", "{purchase}"),
    "record": ("vault", "DELETE FROM people {of}", "records", "vault record"),
    "version": ("vault", "UPDATE people SET version = version + 1 {of}", "records", "revision"),
    "customer": ("here", "DELETE FROM customers {of}", "records", "vault record"),
    "index": ("vault", "DELETE FROM contact_index {of}", "contact-points", "index entry of contact point"),
    "point": ("vault", "DELETE FROM contact_points {of}", "contact-points", "live contact point"),
    "holders": (
        "vault",
        "INSERT INTO contact_index SELECT merchant_id, kind, token, 'SOMEBODYELSE0', index_version, true"
        " FROM contact_index {of}",
        "holders",
        "holders of an address of kind number",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("where", "change", "check", "named"), BY_HAND.values(), ids=BY_HAND)
async def test_what_was_changed_by_hand_is_named(
    shop: Any, where: str, change: str, check: str, named: str
) -> None:
    customer, purchase = await a_history(shop)
    names = {
        "of": f"WHERE customer_id = '{customer}'",
        "key": f"WHERE key = '{customer}'",
        "purchase": purchase,
    }
    pool = shop.four.vault if where == "vault" else shop.four.customers.pool
    await pool.execute(change.format(**names))
    found = [d for d in await audited(shop) if d[0] == check]
    assert any(named.format(**names) in what for _, what, _, _ in found), found
    assert all("0815" not in text for d in found for text in d), "nothing of it names a person"
    await shop.four.customers.pool.execute(f"DELETE FROM outbox {names['key']}")  # others read all of it


ONE, NONE = Sealed(3, None), Sealed(None, None)


@pytest.mark.parametrize(
    ("known", "sealed", "what"),
    [
        (Known("ACTIVE", 3), ONE, None),
        (None, Sealed(1, 1), None),  # a registration on its way
        (Known("ACTIVE", 3), Sealed(4, 4), None),  # an update on its way
        (Known("ERASING", 3), NONE, None),  # destroyed, not yet said
        (Known("ERASING", 3), ONE, None),
        (Known("ERASED", 4), NONE, None),
        (None, NONE, None),
        (None, ONE, "vault record"),
        (Known("ERASED", 4), ONE, "vault record"),
        (Known("RESTRICTED", 3), NONE, "vault record"),
        (Known("ACTIVE", 2), ONE, "revision, by the vault's version"),
    ],
)
def test_two_databases_agree_or_are_on_their_way(known: Any, sealed: Sealed, what: str | None) -> None:
    odd = judge(known, sealed)
    assert (odd.what if odd else None) == what
