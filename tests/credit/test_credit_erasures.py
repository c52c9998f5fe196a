"""An erasure leaves the books of credit, and nothing that anybody wrote by hand."""

from __future__ import annotations

import json

from kit.events import Outgoing
from kit.ids import new_uuid
from langganan.credit.v1 import accounts_pb2
from langganan.events.v1 import customers_pb2
from tests.credit.conftest import NOON, instant, rupiah
from tests.credit.paying import (
    giro,
    giving_up,
    method_of,
    owing,
    paying_out,
    resolving,
    reversing,
    transferring,
)

WORD = "kata-rahasia"

# Columns of a customer's rows that hold ids and words of our own.
NO_TEXT_COLUMNS = {
    "merchant_id", "customer_id", "status", "currency_code", "time_zone", "merged_into", "kind", "state",
    "absorbed_from", "merged_customer_id",
    "cause_type", "line", "effect", "mark", "tender_id", "exception", "reversal_reason", "holds.reason",
    "store_id", "register_id", "staff_ref",  # of the till and the employee
    "origin", "closed_origin", "extended_origin",  # the same, serialized
    "fingerprint",
    "payments.named",  # ids of invoices
}  # fmt: skip
TEXT_COLUMNS = {
    "account_changes.reason",
    "invoice_exceptions.note",
    "payments.reference",
    "payment_changes.note",
    "payouts.reference",
    "write_offs.reason",
}


async def columns(credit):
    """(table, column) of every text and opaque column beside a customer's id, from the catalogue."""
    rows = await credit.run.pool.fetch(
        "SELECT table_name AS t, column_name AS c FROM information_schema.columns "
        "WHERE table_schema = 'public' AND table_name IN ("
        "SELECT table_name FROM information_schema.columns WHERE column_name = 'customer_id') "
        "AND data_type IN ('text', 'character varying', 'jsonb', 'json', 'ARRAY', 'bytea')"
    )
    return {(row["t"], row["c"]) for row in rows}


async def test_no_text_column_is_forgotten_by_an_erasure(credit):
    texts = {f"{t}.{c}" for t, c in await columns(credit) if not {c, f"{t}.{c}"} & NO_TEXT_COLUMNS}
    assert texts == TEXT_COLUMNS


async def places(credit, customer):
    """The columns of a customer's rows that hold the word."""
    found = set()
    for table in {t for t, _ in await columns(credit)}:
        rows = await credit.run.pool.fetch(
            f"SELECT to_jsonb(t)::text AS row FROM {table} AS t WHERE merchant_id = $1 AND customer_id = $2",
            credit.merchant,
            customer,
        )
        for row in rows:
            shown = json.loads(row["row"])
            found |= {f"{table}.{c}" for c, value in shown.items() if WORD in str(value)}
    return found


async def bought(credit):
    """A customer who owes 33,000, the oldest invoice, and an exception that staff must look at."""
    customer, (oldest, _) = await owing(credit, 8_000, 20_000)
    await credit.deliver(credit.sale(customer, (5_000, new_uuid())))
    return customer, oldest, (await credit.exceptions_of(customer))[0].exception_id


async def write(credit, customer, oldest, exception_id):
    """Write the word wherever a text is taken; returns the methods' names and requests."""
    limit = accounts_pb2.SetLimitRequest(
        request_id=new_uuid(), customer_id=customer, limit=rupiah(9), reason=WORD
    )
    noted = await giro(credit, customer, 100, reference=WORD)
    made = [
        ("RecordPayment", transferring(customer, 40_000, reference=WORD, allow_credit_balance=True)),
        ("SetLimit", limit),
        ("PayOut", paying_out(customer, 500, reference=WORD)),
        ("ResolveException", resolving(customer, exception_id, note=WORD)),
        ("ReversePayment", reversing(noted, note=WORD)),
    ]
    await repeat(credit, [("WriteOff", giving_up(customer, oldest, reason=WORD)), *made])
    return made


async def repeat(credit, made):
    for name, request in made:
        await method_of(credit, name)(request)


async def erase(credit, customer):
    payload = customers_pb2.CustomerErased(
        merchant_id=credit.merchant, customer_id=customer, erased_at=instant(NOON)
    )
    await credit.deliver(Outgoing("customer-erased", credit.merchant, customer, payload, NOON))


async def test_an_erasure_empties_what_was_written_and_leaves_the_books(credit):
    customer, *owed = await bought(credit)
    made = await write(credit, customer, *owed)
    other, *others = await bought(credit)
    await write(credit, other, *others)
    assert await places(credit, customer) == TEXT_COLUMNS
    before = await credit.account(customer)
    await erase(credit, customer)
    assert await places(credit, customer) == set()
    assert await places(credit, other) == TEXT_COLUMNS
    after = await credit.account(customer)
    assert (after.posted, after.credit_balance) == (before.posted, before.credit_balance)
    # The same requests again are still the same: their fingerprints say so, not their texts.
    await repeat(credit, made)
    assert await places(credit, customer) == set()
    assert (await credit.account(customer)).credit_balance == before.credit_balance
    await credit.check_books(customer)


async def test_what_is_written_of_an_erased_customer_is_not_kept(credit, refused):
    customer, *owed = await bought(credit)
    await erase(credit, customer)
    made = await write(credit, customer, *owed)
    await repeat(credit, made)
    assert await places(credit, customer) == set()
    await credit.check_books(customer)
    _, payment = made[0]
    payment.reference = "another"
    assert await refused(credit.payments.RecordPayment(payment)) == "IDEMPOTENCY_CONFLICT"


async def test_what_was_written_is_on_no_topic(credit):
    customer, *owed = await bought(credit)
    await write(credit, customer, *owed)
    said = await credit.facts(customer)
    assert len(said) > 5
    assert not [fact for fact in said if WORD in str(fact)]
