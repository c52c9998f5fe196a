"""Merges and erasures in either order: nothing that was written of either customer stays."""

from __future__ import annotations

import pytest

from langganan.credit.v1 import exports_pb2, exports_pb2_grpc, holds_pb2
from tests.credit.merging import audit_passes, merge
from tests.credit.paying import owing
from tests.credit.test_credit_erasures import TEXT_COLUMNS, bought, erase, places, repeat, write


async def two(credit):
    """Two customers of whom the word was written everywhere, and the requests that did."""
    found = []
    for _ in range(2):
        customer, *owed = await bought(credit)
        found.append((customer, await write(credit, customer, *owed)))
    return found


@pytest.mark.parametrize("named", ["absorbed", "survivor"])
async def test_an_erasure_after_the_merge_empties_what_was_written_of_both(credit, named):
    (absorbed, theirs), (survivor, ours) = await two(credit)
    await merge(credit, absorbed, survivor)
    assert await places(credit, survivor) == TEXT_COLUMNS
    before = await credit.account(survivor)
    await erase(credit, absorbed if named == "absorbed" else survivor)
    for customer in (absorbed, survivor):
        assert await places(credit, customer) == set()
        account = await credit.account(customer)
        assert account.customer_erased
        assert account.posted == before.posted
        declined = await credit.authorize(customer, 1)
        assert declined.decline.reason == holds_pb2.DECLINE_REASON_CUSTOMER_ERASED
    await repeat(credit, [*theirs, *ours])  # the same again is still the same, and nothing comes back
    assert await places(credit, survivor) == set()
    await credit.check_books(survivor)
    await audit_passes(credit)


async def test_who_is_merged_into_an_erased_customer_is_forgotten_as_well(credit):
    (absorbed, _), (survivor, _) = await two(credit)
    await erase(credit, survivor)
    assert await places(credit, absorbed) == TEXT_COLUMNS
    await merge(credit, absorbed, survivor)
    assert await places(credit, survivor) == await places(credit, absorbed) == set()
    assert (await credit.account(absorbed)).customer_erased
    await audit_passes(credit)


async def test_an_erased_customer_who_is_merged_erases_nobody(credit):
    (absorbed, _), (survivor, _) = await two(credit)
    await erase(credit, absorbed)
    await merge(credit, absorbed, survivor)
    account = await credit.account(survivor)
    assert not account.customer_erased
    assert (await credit.authorize(survivor, 1)).state == holds_pb2.HOLD_STATE_PENDING
    assert await places(credit, survivor) == TEXT_COLUMNS
    await audit_passes(credit)


async def test_what_a_merged_customer_owes_keeps_an_erasure_waiting(credit):
    absorbed, _ = await owing(credit, 5_000)
    survivor = await credit.open()
    await merge(credit, absorbed, survivor)
    account = await credit.account(absorbed)  # what customers asks before it erases
    assert account.posted.units > 0
    await credit.pay(survivor, account.posted.units)
    await credit.void(survivor, (await credit.authorize(survivor, 1)).hold_id)
    account = await credit.account(absorbed)
    assert (account.posted.units, account.held.units) == (0, 0)


async def test_an_export_has_all_rows_whichever_id_is_named(credit):
    (absorbed, _), (survivor, _) = await two(credit)
    await merge(credit, absorbed, survivor)
    exports = credit.stub(exports_pb2_grpc.ExportServiceStub)

    async def export(customer):
        request = exports_pb2.ExportCustomerRequest(customer_id=customer)
        return [record async for batch in exports.ExportCustomer(request) for record in batch.records]

    rows = await export(absorbed)
    assert rows == await export(survivor)
    counts = {kind: len([r for r in rows if r.kind == kind]) for kind in {r.kind for r in rows}}
    for table in ("accounts", "entries", "payments", "write_offs", "account_changes"):
        assert counts[table] == await credit.count(table)
