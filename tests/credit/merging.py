"""What tests do with merges: events as customers would say them, and what may be left behind."""

from __future__ import annotations

from credit.audit.checks import AUDIT
from kit.audit import run_audit
from kit.events import Outgoing
from langganan.credit.v1 import accounts_pb2, statements_pb2
from langganan.events.v1 import customers_pb2
from tests.credit.conftest import NOON, instant


def merged(credit, absorbed, survivor, at=NOON):
    """The event that one customer was merged into another."""
    payload = customers_pb2.CustomerMerged(
        merchant_id=credit.merchant,
        absorbed_customer_id=absorbed,
        surviving_customer_id=survivor,
        merged_at=instant(at),
    )
    return Outgoing("customer-merged", credit.merchant, absorbed, payload, at)


async def merge(credit, absorbed, survivor, at=NOON):
    await credit.deliver(merged(credit, absorbed, survivor, at))


async def changes_of(credit, customer, size=200):
    """All changes of an account, newest first, read in pages of `size`."""
    found, token = [], ""
    while True:
        page = await credit.accounts.ListChanges(
            accounts_pb2.ListChangesRequest(customer_id=customer, page_size=size, page_token=token)
        )
        found.extend(page.changes)
        token = page.next_page_token
        if not token:
            return found


async def explained(credit, customer):
    """Each balance of a customer as it is explained: (kind, kept units); all must be consistent."""
    kinds = (
        statements_pb2.BALANCE_KIND_POSTED,
        statements_pb2.BALANCE_KIND_CREDIT_BALANCE,
        statements_pb2.BALANCE_KIND_HELD,
    )
    found = []
    for kind in kinds:
        answer = await credit.statements.ExplainBalance(
            statements_pb2.ExplainBalanceRequest(customer_id=customer, balance=kind, page_size=200)
        )
        assert answer.consistent
        found.append(answer.kept.units)
    return found


async def tables_with(credit, customer):
    """The tables that have rows under a customer's id."""
    rows = await credit.run.pool.fetch(
        "SELECT table_name AS t FROM information_schema.columns "
        "WHERE table_schema = 'public' AND column_name = 'customer_id'"
    )
    found = set()
    for table in {row["t"] for row in rows}:
        sql = f"SELECT count(*) FROM {table} WHERE merchant_id = $1 AND customer_id = $2"
        if await credit.run.pool.fetchval(sql, credit.merchant, customer):
            found.add(table)
    return found


async def audit_passes(credit):
    """Nothing of this merchant differs."""
    outcome = await run_audit(credit.run.pool, AUDIT)
    assert [d for d in outcome.first if d.merchant_id == credit.merchant] == []
