"""An erasure leaves the ledger of loyalty, and nothing that staff wrote by hand."""

from __future__ import annotations

import json

from kit.events import Outgoing
from langganan.events.v1 import customers_pb2
from tests.loyalty.facts import NOON, instant
from tests.loyalty.writing import WRITING

WORD = "kata-rahasia"
# Columns of a customer's rows that hold ids and words of our own.
NO_TEXT_COLUMNS = {
    "merchant_id", "customer_id", "currency_code", "time_zone", "tier", "merged_into", "kind", "cause",
    "cause_id", "line_id", "purchase_id", "state", "decline_reason", "mark", "tender_id", "resolution",
    "from_tier", "to_tier", "line_points", "sources",
    "fingerprint", "origin", "release_origin", "resolve_origin",  # of the till and the employee
}  # fmt: skip
TEXT_COLUMNS = {"adjustments.reason", "tier_pins.reason"}


async def columns(loyalty):
    """(table, column) of every text and opaque column beside a customer's id, from the catalogue."""
    rows = await loyalty.run.pool.fetch(
        "SELECT table_name AS t, column_name AS c FROM information_schema.columns "
        "WHERE table_schema = 'public' AND table_name IN ("
        "SELECT table_name FROM information_schema.columns WHERE column_name = 'customer_id') "
        "AND data_type IN ('text', 'character varying', 'jsonb', 'json', 'ARRAY', 'bytea')"
    )
    return {(row["t"], row["c"]) for row in rows}


async def test_no_text_column_is_forgotten_by_an_erasure(loyalty):
    texts = {f"{table}.{column}" for table, column in await columns(loyalty) if column not in NO_TEXT_COLUMNS}
    assert texts == TEXT_COLUMNS


async def places(loyalty, *customers):
    """The columns of customers' rows that hold the word."""
    found = set()
    for table in {table for table, _ in await columns(loyalty)}:
        rows = await loyalty.run.pool.fetch(
            f"SELECT to_jsonb(t)::text AS row FROM {table} AS t "
            "WHERE merchant_id = $1 AND customer_id = ANY($2)",
            loyalty.merchant,
            list(customers),
        )
        for row in rows:
            shown = json.loads(row["row"])
            found |= {f"{table}.{column}" for column, value in shown.items() if WORD in str(value)}
    return found


async def write(loyalty, customer):
    """Let staff write the word wherever they can; returns the requests."""
    made = [made(customer, WORD) for _, made in (place(loyalty) for place in WRITING.values())]
    await repeat(loyalty, made)
    return made


async def repeat(loyalty, requests):
    for request, place in zip(requests, WRITING.values(), strict=True):
        await place(loyalty)[0](request)


async def erase(loyalty, customer):
    payload = customers_pb2.CustomerErased(merchant_id=loyalty.merchant, customer_id=customer)
    payload.erased_at.CopyFrom(instant(NOON))
    await loyalty.deliver(Outgoing("customer-erased", loyalty.merchant, customer, payload, NOON))


async def test_an_erasure_empties_what_was_written_and_leaves_the_books(loyalty):
    customer, other = await loyalty.customer(), await loyalty.customer()
    made = await write(loyalty, customer)
    await write(loyalty, other)
    assert await places(loyalty, customer) == TEXT_COLUMNS
    await erase(loyalty, customer)
    assert await places(loyalty, customer) == set()
    assert await places(loyalty, other) == TEXT_COLUMNS
    assert (await loyalty.explained(customer)).account.balance == 5
    # The same requests again are still the same: their fingerprints say so, not their texts.
    await repeat(loyalty, made)
    assert await places(loyalty, customer) == set()
    assert (await loyalty.explained(customer)).account.balance == 5


async def test_an_erasure_empties_also_what_was_written_of_who_was_merged_into_the_customer(loyalty):
    absorbed, customer = await loyalty.customer(), await loyalty.customer()
    await write(loyalty, absorbed)
    await loyalty.deliver(loyalty.merged(absorbed, customer))
    assert await places(loyalty, absorbed, customer) == TEXT_COLUMNS
    await erase(loyalty, customer)
    assert await places(loyalty, absorbed, customer) == set()


async def test_what_is_written_of_an_erased_customer_is_not_kept(loyalty, refused):
    customer = await loyalty.customer()
    await erase(loyalty, customer)
    made = await write(loyalty, customer)
    await repeat(loyalty, made)
    assert await places(loyalty, customer) == set()
    assert (await loyalty.account(customer)).balance == 5
    made[0].reason = "another"
    assert await refused(loyalty.accounts.AdjustPoints(made[0])) == "IDEMPOTENCY_CONFLICT"


async def test_what_staff_wrote_is_on_no_topic(loyalty):
    customer = await loyalty.customer()
    await write(loyalty, customer)
    said = await loyalty.said(customer)
    assert len(said) > 1
    assert not [fact for fact in said if WORD in str(fact)]
