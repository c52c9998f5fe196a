"""What loyalty and credit lack or have twice is named; what is made again changes nothing that is right."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from customers.peers import PeerUnavailable, open_peers
from customers.reconcile.command import reconcile
from customers.reconcile.peers import Booked
from customers.republish.command import republish
from customers.republish.facts import Span, facts
from kit.audit import Difference

PHONES = iter(f"0813{n:08}" for n in range(1, 1000))
# When a row was written, and numbers of the database's own: what two runs of one history differ in.
NOT_COMPARED = ("booked_at", "recorded_at", "entry_id", "number", "made_at", "due_at", "set_at", "said_at")
MECHANISM = ("outbox", "inbox", "inbox_default", "parked_events", "heard", "audits", "schema_migrations")


@pytest.fixture
async def booked(four: Any) -> Any:
    peers = open_peers(four.settings)
    yield Booked(peers)
    for peer in peers.values():
        await peer.close()


async def differences(shop: Any, booked: Any) -> list[Difference]:
    """What reconcile finds of this shop's sales of today."""
    outcome = await reconcile(shop.four.customers.pool, booked, shop.four.customers.clock.now().date())
    assert outcome.looked_at
    return [d for d in outcome.first if d.merchant_id == shop.merchant]


async def a_day(shop: Any) -> tuple[str, dict[str, str]]:
    """A customer's sales of all sorts, heard by everybody; returns the customer and ids by name."""
    customer = await shop.customer("Budi", next(PHONES))
    ids = {"cash": await shop.sale(customer), "account": await shop.sale(customer, 70_000, on_account=True)}
    ids["free"] = await shop.sale(customer, 0)
    ids["anonymous"] = await shop.sale("")
    await shop.four.carry()
    ids["cash return"] = await shop.a_return(ids["cash"], customer)
    ids["account return"] = await shop.a_return(ids["account"], customer)
    await shop.four.carry()
    return customer, ids


async def test_a_day_that_is_booked_right_shows_no_difference(shop: Any, booked: Any) -> None:
    await a_day(shop)
    assert await differences(shop, booked) == []


async def test_an_event_that_was_lost_is_named_by_both(shop: Any, booked: Any) -> None:
    customer = await shop.customer("Budi", next(PHONES))
    purchase = await shop.sale(customer, 70_000, on_account=True)
    await shop.four.fresh("customers")  # and nobody hears it
    found = await differences(shop, booked)
    assert [(d.check, d.customer_id, d.must, d.found) for d in found] == [
        ("loyalty", customer, "once", "missing"),
        ("credit", customer, "70000", "missing"),
    ]
    assert all(purchase in d.what for d in found)


ENTRY = "entries WHERE cause_id = "
BY_HAND = {
    "earned": ("loyalty", f"DELETE FROM {ENTRY} '{{cash}}'", "entries of points earned", "missing"),
    "earned twice": (
        "loyalty", "UPDATE entries SET points = 2 * points WHERE cause_id = '{cash}'", "earned", "double",
    ),
    "taken back": ("loyalty", f"DELETE FROM {ENTRY} '{{cash return}}'", "taken back", "missing"),
    "return": ("loyalty", "DELETE FROM returns WHERE return_id = '{cash return}'", "return", "missing"),
    "sale": ("loyalty", "DELETE FROM purchases WHERE purchase_id = '{cash}'", "the booking", "missing"),
    "charged": ("credit", f"DELETE FROM {ENTRY} '{{account}}'", "entries of tender t", "missing"),
    "charged twice": (
        "credit", "UPDATE entries SET posted = 2 * posted WHERE cause_id = '{account}'", "tender t", "double",
    ),
    "refund": ("credit", f"DELETE FROM {ENTRY} '{{account return}}'", "{account return}", "missing"),
    "invoice": (
        "credit",
        "WITH gone AS (DELETE FROM entries WHERE invoice_id ="
        " (SELECT invoice_id FROM invoices WHERE purchase_id = '{account}'))"
        " DELETE FROM invoices WHERE purchase_id = '{account}'",
        "the invoice of tender t",
        "missing",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("service", "change", "named", "told"), BY_HAND.values(), ids=BY_HAND)
async def test_a_posting_deleted_or_doubled_by_hand_is_named(
    shop: Any, booked: Any, service: str, change: str, named: str, told: str
) -> None:
    customer, ids = await a_day(shop)
    await getattr(shop.four, service).pool.execute(change.format(**ids))
    found = await differences(shop, booked)
    assert {(d.check, d.customer_id) for d in found} == {(service, customer)}
    assert any(named.format(**ids) in d.what and told in d.found for d in found), found


async def test_a_sale_that_is_not_readable_is_named_and_stops_nobody_else(shop: Any, booked: Any) -> None:
    customer, ids = await a_day(shop)
    pool = shop.four.customers.pool
    await pool.execute("UPDATE purchases SET body = '\\xff' WHERE purchase_id = $1", ids["cash"])
    (found,) = await differences(shop, booked)
    assert (found.check, found.customer_id, found.found) == ("customers", customer, "not readable")
    assert ids["cash"] in found.what
    again = [fact.payload.purchase_id async for fact in facts(pool, all_of(shop)) if "completed" in fact.type]
    assert sorted(again) == sorted(set(ids.values()) & set(again))
    assert len(again) == 3


async def test_a_return_of_an_older_sale_is_compared_on_its_own_day(shop: Any, booked: Any) -> None:
    customer = await shop.customer("Budi", next(PHONES))
    purchase = await shop.sale(customer, 70_000, on_account=True)
    await shop.four.carry()
    shop.four.customers.clock.advance(timedelta(days=1))
    back = await shop.a_return(purchase, customer)
    await shop.four.fresh("customers")
    found = await differences(shop, booked)
    assert {d.check for d in found} == {"loyalty", "credit"}
    assert all(back in d.what for d in found)


async def test_without_an_answer_there_is_no_verdict(shop: Any) -> None:
    customer = await shop.customer("Budi", next(PHONES))
    await shop.sale(customer)
    peers = open_peers(
        shop.four.settings.model_copy(update={"loyalty_target": "127.0.0.1:9", "peers_timeout_s": 0.5})
    )
    with pytest.raises(PeerUnavailable):
        await reconcile(shop.four.customers.pool, Booked(peers), shop.four.customers.clock.now().date())
    for peer in peers.values():
        await peer.close()


async def books(shop: Any) -> dict[str, list[str]]:
    """All that loyalty, credit and notify keep of this shop, as text."""
    kept: dict[str, list[str]] = {}
    for service in ("loyalty", "credit", "notify"):
        pool = getattr(shop.four, service).pool
        for table in await tables(pool):
            columns = "".join(f" - '{name}'" for name in NOT_COMPARED)
            rows = await pool.fetch(
                f"SELECT (to_jsonb(t){columns})::text AS row FROM {table} AS t WHERE merchant_id = $1"
                " ORDER BY 1",
                shop.merchant,
            )
            kept[f"{service}.{table}"] = [row["row"] for row in rows]
    return kept


async def tables(pool: Any) -> list[str]:
    rows = await pool.fetch(
        "SELECT table_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND column_name = 'merchant_id' AND table_name <> ALL($1)"
        " ORDER BY 1",
        list(MECHANISM),
    )
    return [row["table_name"] for row in rows]


def all_of(shop: Any) -> Span:
    now = shop.four.customers.clock.now()
    return Span(datetime(2020, 1, 1, tzinfo=UTC), now + timedelta(days=1), shop.merchant)


async def test_what_is_right_stays_as_it_is_when_all_is_said_again(shop: Any) -> None:
    await a_day(shop)
    before = await books(shop)
    assert before["loyalty.entries"]
    assert before["credit.invoices"]
    assert before["notify.messages"]
    assert await republish(shop.four.customers.pool, all_of(shop)) == 6
    await shop.four.carry()
    assert await books(shop) == before


async def test_events_come_again_in_order_with_fresh_ids_and_the_same_content(shop: Any) -> None:
    customer, _ = await a_day(shop)
    pool = shop.four.customers.pool
    said = await pool.fetch(
        "SELECT event_id, type, key, time, payload FROM outbox"
        " WHERE merchant_id = $1 AND type LIKE 'purchase-%' ORDER BY id",
        shop.merchant,
    )
    again = [fact async for fact in facts(pool, all_of(shop))]
    assert [(f.type, f.key, f.time, f.payload.SerializeToString()) for f in again] == [
        (row["type"], row["key"], row["time"], row["payload"]) for row in said
    ]
    assert not {f.id for f in again} & {str(row["event_id"]) for row in said}
    assert {f.key for f in again} >= {customer}


async def test_an_older_copy_gets_back_what_it_lacks(shop: Any, booked: Any) -> None:
    customer, _ = await a_day(shop)
    hold_id = await shop.hold(customer, 30_000)
    pools = {"loyalty": shop.four.loyalty.pool, "credit": shop.four.credit.pool}
    copies = {name: await backup(pool, shop.merchant) for name, pool in pools.items()}
    since = shop.four.customers.clock.now() + timedelta(seconds=1)
    await shop.sale(customer, 90_000)
    bought = await shop.sale(customer, 30_000, hold_id=hold_id)
    await shop.four.carry()
    await shop.a_return(bought, customer)
    await shop.four.carry()
    right = await books(shop)
    for name, copy in copies.items():
        await restore(pools[name], shop.merchant, copy)
    assert await books(shop) != right
    assert {d.check for d in await differences(shop, booked)} == {"loyalty", "credit"}
    span = Span(since, shop.four.customers.clock.now() + timedelta(seconds=1), shop.merchant)
    assert await republish(shop.four.customers.pool, span) == 3
    await shop.four.carry()
    assert await books(shop) == right
    assert await differences(shop, booked) == []


async def backup(pool: Any, merchant: str) -> dict[str, str]:
    """All rows of a merchant, by table, as JSON."""
    rows = "SELECT coalesce(json_agg(t), '[]')::text FROM {} AS t WHERE merchant_id = $1"
    return {name: await pool.fetchval(rows.format(name), merchant) for name in await tables(pool)}


async def restore(pool: Any, merchant: str, copy: dict[str, str]) -> None:
    """Put a merchant back to a copy, as a restored database has it."""
    for name, rows in copy.items():
        found = await pool.fetch(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public'"
            " AND table_name = $1 AND is_generated = 'NEVER'",
            name,
        )
        columns = ", ".join(row["column_name"] for row in found)
        await pool.execute(f"DELETE FROM {name} WHERE merchant_id = $1", merchant)
        await pool.execute(
            f"INSERT INTO {name} ({columns}) OVERRIDING SYSTEM VALUE"
            f" SELECT {columns} FROM json_populate_recordset(null::{name}, $1::text::json)",
            rows,
        )
        assert json.loads(rows) or not await pool.fetchval(
            f"SELECT count(*) FROM {name} WHERE merchant_id = $1", merchant
        )
