"""What is heard of merged customers: late, twice, in chains, out of order, and of two currencies."""

from __future__ import annotations

from kit.events import Outgoing
from kit.ids import new_customer_id, new_uuid
from langganan.credit.v1 import accounts_pb2
from langganan.events.v1 import customers_pb2
from tests.credit.conftest import NOON
from tests.credit.merging import audit_passes, changes_of, merge, merged
from tests.credit.offline import grant, hand_in, promise, spent, under
from tests.credit.paying import owing


async def test_late_sales_and_returns_of_the_absorbed_id_book_on_the_survivor(credit):
    absorbed, survivor = await credit.open(), await credit.open()
    early, late = credit.sale(absorbed, (9_000, None)), credit.sale(absorbed, (4_000, None))
    await credit.deliver(early, merged(credit, absorbed, survivor), late)
    await credit.deliver(credit.returned(early, 2_000), credit.returned(late, 4_000))
    await credit.deliver(early, late, credit.returned(early, 2_000, return_id=new_uuid()))
    assert (await credit.account(survivor)).posted.units == 5_000
    payer = credit.sale(new_customer_id(), (300, None), payer=absorbed)
    await credit.deliver(payer)
    assert (await credit.account(survivor)).posted.units == 5_300
    assert {f.customer_id for f in await credit.run.published() if f.merchant_id == credit.merchant} == {
        absorbed,  # what was said before the merge
        survivor,
    }
    await credit.check_books(survivor)


async def test_what_was_promised_offline_counts_for_the_survivor_under_either_id(credit):
    absorbed, survivor = await credit.open(limit=90_000), await credit.open(limit=90_000)
    id_ = await grant(credit, 100_000, customer_limit=50_000)
    await credit.deliver(under(credit, id_, absorbed, 20_000))
    before, twice = promise(absorbed, 10_000), new_uuid()
    (first,) = await hand_in(credit, id_, before)
    await merge(credit, absorbed, survivor)
    (again,) = await hand_in(credit, id_, before)
    assert (again.hold.hold_id, again.hold.customer_id) == (first.hold.hold_id, survivor)
    late = [promise(absorbed, 5_000), promise(survivor, 6_000), promise(absorbed, 7_000, twice)]
    for handed in await hand_in(credit, id_, *late, promise(absorbed, 7_000, twice)):
        assert handed.hold.customer_id == survivor
        assert not handed.HasField("over_allowance")
    (over,) = await hand_in(credit, id_, promise(absorbed, 3_000))
    assert over.over_allowance.units == 1_000  # of what one customer may take: both are one
    account = await credit.account(absorbed)
    assert (account.posted.units, account.held.units) == (20_000, 31_000)
    await credit.void(absorbed, twice)
    assert await spent(credit, id_) == (43_000, 1_000)
    await credit.check_books(survivor)
    await audit_passes(credit)


async def test_chains_and_repeated_merges_lead_to_the_last_survivor(credit):
    customers = [(await owing(credit, 1_000 * (n + 1)))[0] for n in range(4)]
    a, b, c, d = customers
    first, second, third = merged(credit, a, b), merged(credit, b, c), merged(credit, d, a)
    await credit.deliver(first, first, second)
    await credit.deliver(third, first, second, first)
    await merge(credit, c, a)  # both are one by now
    await merge(credit, a, a)
    account = await credit.account(c)
    assert (account.posted.units, account.merged_into) == (10_000, "")
    for customer in (a, b, d):
        assert (await credit.account(customer)).customer_id == c
        assert await credit.parked(customer) == []
    rows = await credit.run.pool.fetch(
        "SELECT customer_id, merged_into FROM accounts WHERE merchant_id = $1", credit.merchant
    )
    assert {r["customer_id"]: r["merged_into"] for r in rows} == {a: c, b: c, d: c, c: ""}
    assert [ch.merged_customer_id for ch in await changes_of(credit, a) if ch.merged_customer_id] == [d, b, a]
    await credit.check_books(c)
    await audit_passes(credit)


async def test_merges_that_come_out_of_order_lead_to_the_same(credit):
    a, b, c = [(await owing(credit, 1_000 * (n + 1)))[0] for n in range(3)]
    await credit.deliver(merged(credit, b, c), merged(credit, a, b))
    assert (await credit.account(a)).customer_id == c
    assert (await credit.account(c)).posted.units == 6_000


async def test_a_customer_who_was_merged_cannot_be_merged_into_somebody_else(credit):
    a, b, other = await credit.open(), await credit.open(), await credit.open()
    await merge(credit, a, b)
    await merge(credit, a, other)
    (parked,) = await credit.parked(a)
    assert "POISONED" in parked
    assert f"{a} was merged into {b} before" in parked


async def test_a_merge_of_customers_that_are_not_known_here_is_remembered(credit, refused):
    absorbed, survivor = new_customer_id(), new_customer_id()
    await merge(credit, absorbed, survivor)
    get = accounts_pb2.GetAccountRequest(customer_id=absorbed)
    assert await refused(credit.accounts.GetAccount(get)) == "ACCOUNT_NOT_FOUND"
    wish = customers_pb2.CustomerRegistered(
        merchant_id=credit.merchant, customer_id=survivor, credit_limit_wished=2_000
    )
    late = customers_pb2.CustomerRegistered(
        merchant_id=credit.merchant, customer_id=absorbed, credit_limit_wished=9_000
    )
    await credit.deliver(
        Outgoing("customer-registered", credit.merchant, survivor, wish, NOON),
        Outgoing("customer-registered", credit.merchant, absorbed, late, NOON),
    )
    await credit.accounts.OpenAccount(credit.opening(absorbed, limit=7_000))
    account = await credit.account(survivor)
    assert (account.limit.units, account.limit_wished.units) == (7_000, 2_000)


async def test_two_currencies_wait_until_staff_correct_one(credit):
    absorbed, (_,) = await owing(credit, 5_000)
    survivor = new_customer_id()
    opening = credit.opening(survivor)
    opening.currency_code = opening.limit.currency_code = "USD"
    await credit.accounts.OpenAccount(opening)
    await merge(credit, absorbed, survivor)
    (parked,) = await credit.parked(absorbed)
    assert "NOT_YET" in parked
    assert "is in IDR with 0 minor digits" in parked
    assert (await credit.account(absorbed)).posted.units == 5_000
    await credit.accounts.OpenAccount(credit.opening(survivor, limit=300_000))
    await credit.run.service.consumer.replay(credit.merchant, absorbed)
    account = await credit.account(absorbed)
    assert (account.customer_id, account.posted.units) == (survivor, 5_000)


async def test_the_next_invoice_uses_what_one_side_had_in_credit(credit):
    absorbed, survivor = await credit.open(), await credit.open()
    await credit.pay(absorbed, 7_000, allow=True)
    await credit.deliver(credit.sale(survivor, (10_000, None)))
    await merge(credit, absorbed, survivor)
    account = await credit.account(survivor)
    assert (account.posted.units, account.credit_balance.units) == (10_000, 7_000)
    await credit.deliver(credit.sale(survivor, (5_000, None)))
    account = await credit.account(survivor)
    assert (account.posted.units, account.credit_balance.units) == (10_000, 2_000)
    await audit_passes(credit)
