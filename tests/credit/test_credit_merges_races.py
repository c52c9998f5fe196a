"""Tills, cashiers and merges at once: nothing is lost, nothing is approved twice, nobody waits for ever."""

from __future__ import annotations

import asyncio
import itertools

import grpc.aio
import pytest

from credit.accounts import store as accounts
from credit.accounts.model import Key
from credit.hears import HANDLERS, lock
from credit.merges import store
from kit import db
from kit.ids import new_customer_id, new_uuid
from kit.sweep import Sweeper
from langganan.credit.v1 import holds_pb2
from tests.credit.conftest import NOON, TILL, rupiah
from tests.credit.merging import audit_passes, explained, merge, merged, tables_with
from tests.credit.paying import owing
from tests.credit.test_credit_locks import heard

PENDING = holds_pb2.HOLD_STATE_PENDING


async def persistently(call):
    """The answer of a call that a till repeats under the same id while it may."""
    for _ in range(60):
        try:
            return await call()
        except grpc.aio.AioRpcError as error:
            if error.code() not in (
                grpc.StatusCode.UNAVAILABLE,
                grpc.StatusCode.ABORTED,
                grpc.StatusCode.RESOURCE_EXHAUSTED,
            ):
                raise
    raise AssertionError("never answered")


@pytest.mark.parametrize("seed", range(3))
async def test_tills_on_both_ids_never_pass_the_limit_of_the_one_account(credit, other_processes, seed):
    absorbed, survivor = await credit.open(limit=40_000), await credit.open(limit=40_000)
    tills = [credit.holds, *other_processes(credit.merchant)]
    asks = [
        holds_pb2.AuthorizeRequest(
            hold_id=new_uuid(), customer_id=customer, amount=rupiah(1_000), origin=TILL
        )
        for n in range(64)
        for customer in ((absorbed, survivor) if n % 2 == seed % 2 else (survivor, absorbed))
    ]
    sent = [
        asyncio.create_task(persistently(lambda a=ask, t=tills[n % 4]: t.Authorize(a)))
        for n, ask in enumerate(asks)
    ]
    await asyncio.sleep(0)
    await merge(credit, absorbed, survivor)
    answers = [(await task).hold for task in sent]
    approved = sum(hold.state == PENDING for hold in answers)
    account = await credit.account(survivor)
    # Each alone had room for 40; what was approved before the merge stays, and after it nothing above 40.
    assert account.held.units == approved * 1_000
    assert 40 <= approved <= 80
    assert account.limit.units == 40_000
    again = [(await persistently(lambda a=ask: credit.holds.Authorize(a))).hold for ask in asks]
    assert [h.state for h in again] == [h.state for h in answers]
    assert {h.customer_id for h in again} == {survivor}
    assert (await credit.account(survivor)).held.units == account.held.units
    assert (await credit.authorize(absorbed, 1)).state == holds_pb2.HOLD_STATE_DECLINED
    await credit.check_books(survivor)
    await audit_passes(credit)


async def test_payments_sales_and_merges_at_once_add_up(credit):
    family = [(await owing(credit, 10_000, 5_000))[0] for _ in range(6)]
    *absorbed, survivor = family
    payments = [(customer, new_uuid()) for customer in family for _ in range(4)]
    paying = [
        asyncio.create_task(persistently(lambda c=customer, p=id_: credit.pay(c, 1_000, p)))
        for customer, id_ in payments
    ]
    delivering = [
        *(credit.deliver(merged(credit, a, b)) for a, b in itertools.pairwise(family)),
        *(credit.deliver(credit.sale(customer, (2_000, None))) for customer in family),
    ]
    await asyncio.gather(*delivering)
    await asyncio.gather(*paying)
    for customer, id_ in payments:
        await persistently(lambda c=customer, p=id_: credit.pay(c, 1_000, p))
    account = await credit.account(survivor)
    assert account.posted.units == 6 * 17_000 - 24_000
    for customer in absorbed:
        assert (await credit.account(customer)).customer_id == survivor
    await explained(credit, survivor)
    await credit.check_books(survivor)
    await audit_passes(credit)


@pytest.mark.parametrize("wait", [True, False])
async def test_a_merge_between_resolving_and_locking_is_seen(credit, wait):
    """Who waits for an account, or finds it held, while it is merged locks the survivor's."""
    key, survivor = Key(credit.merchant, await credit.open()), Key(credit.merchant, await credit.open())
    pool = credit.run.pool
    event = heard(merged(credit, key.customer_id, survivor.customer_id))

    async def second():
        async with db.transaction(pool) as conn:
            ours = await accounts.lock(conn, [key], wait=wait)
            return ours, (await accounts.read(conn, [key]))[key].key

    async with db.transaction(pool) as first:
        await lock(first, [event])
        waiting = asyncio.create_task(second())
        if wait:
            while await pool.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted") == 0:
                assert not waiting.done()
        else:
            assert (await waiting)[0] == {}  # the batch leaves it out, and it waits alone
        assert await HANDLERS["customer-merged"].apply(first, [event]) == [None]
    if not wait:
        waiting = asyncio.create_task(second())
    assert await waiting == ({key: survivor}, survivor)


async def test_who_follows_an_alias_and_finds_its_survivor_merged_goes_on(credit):
    first, second, third = [Key(credit.merchant, await credit.open()) for _ in range(3)]
    await merge(credit, first.customer_id, second.customer_id)
    pool = credit.run.pool
    event = heard(merged(credit, second.customer_id, third.customer_id))

    async def follower():
        async with db.transaction(pool) as conn:
            return await accounts.lock(conn, [first], wait=True)

    async with db.transaction(pool) as conn:
        await lock(conn, [event])
        waiting = asyncio.create_task(follower())
        while await pool.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted") == 0:
            assert not waiting.done()
        await HANDLERS["customer-merged"].apply(conn, [event])
    assert await waiting == {first: third}


async def test_an_unmerged_account_is_locked_by_one_statement(credit):
    key, unknown = Key(credit.merchant, await credit.open()), Key(credit.merchant, new_customer_id())
    merged_one = Key(credit.merchant, await credit.open())
    await merge(credit, merged_one.customer_id, key.customer_id)
    for wanted, statements in (({key}, 1), ({key, unknown}, 2), ({merged_one}, 3), ({merged_one, key}, 2)):
        async with db.transaction(credit.run.pool) as conn:
            said = []
            conn.add_query_logger(said.append)
            await accounts.lock(conn, wanted, wait=True)
            conn.remove_query_logger(said.append)
            await conn.fetchval("SELECT 1")  # the logger is told a moment later
            assert len(said) == statements


ROWS, PART = 20_000, 5_000
FILL = (
    "INSERT INTO entries (merchant_id, customer_id, cause_type, cause_id, line, effect, invoice_id, posted, "
    "credit, effective_at) SELECT $1, $2, 'PURCHASE', md5(n::text || $2)::uuid, 't1', 'CHARGED', "
    "md5('i' || n || $2)::uuid, 10, 0, $3::timestamptz FROM generate_series($4::int, $5::int) AS n",
    "INSERT INTO invoices (merchant_id, invoice_id, customer_id, purchase_id, tender_id, amount, issued_on, "
    "due_on, issued_at) SELECT $1, md5('i' || n || $2)::uuid, $2, md5(n::text || $2)::uuid, 't1', 10, "
    "$3::date, $3::date, $3 FROM generate_series($4::int, $5::int) AS n",
    "INSERT INTO holds (merchant_id, hold_id, customer_id, state, amount, store_id, register_id, staff_ref, "
    "recognised_by, decided_at) SELECT $1, md5('h' || n || $2)::uuid, $2, 'VOIDED', 10, '', '', '', 0, $3 "
    "FROM generate_series($4::int, $5::int) AS n",
)


async def large(credit):
    """A customer with ROWS sales, and another."""
    absorbed, survivor = await credit.open(), await credit.open()
    pool = credit.run.pool
    for sql in FILL:
        for first in range(1, ROWS, PART):
            await pool.execute(sql, credit.merchant, absorbed, NOON, first, first + PART - 1)
    await pool.execute("UPDATE accounts SET posted = $2 WHERE customer_id = $1", absorbed, 10 * ROWS)
    await pool.execute("ANALYZE")  # as autovacuum does after so many rows: the audit joins all of them
    return absorbed, survivor


async def test_twenty_thousand_sales_move_by_a_sweep_and_keep_nobody_else_waiting(alone):
    credit = await alone()
    absorbed, survivor = await large(credit)
    pool = credit.run.pool
    await credit.deliver(merged(credit, absorbed, survivor), credit.sale(absorbed, (10, None), at=NOON))
    await merge(credit, absorbed, survivor)  # again, while it waits
    assert await credit.parked(absorbed) == []
    assert (await credit.account(absorbed)).customer_id == absorbed
    sweeper = sweeper_of(credit)
    assert await sweeper.waiting()
    moving = asyncio.create_task(sweeper.look())
    while not moving.done():  # others are served meanwhile
        assert (await credit.authorize(await credit.open(), 1)).state == PENDING
    assert await moving == 1
    assert not await sweeper.waiting()
    assert (await credit.account(absorbed)).posted.units == 10 * (ROWS + 1)
    moved = await pool.fetchval("SELECT count(*) FROM entries WHERE absorbed_from = $1", absorbed)
    assert moved == ROWS + 1
    await audit_passes(credit)


async def test_a_move_that_dies_in_the_middle_has_moved_nothing_and_is_done_again(alone):
    credit = await alone()
    absorbed, survivor = await large(credit)
    await merge(credit, absorbed, survivor)
    moving = asyncio.create_task(sweeper_of(credit).look())
    kill = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
        "WHERE state = 'active' AND query LIKE '%UPDATE invoices AS t%' AND pid <> pg_backend_pid()"
    )
    while await credit.run.pool.fetchval(kill) == 0:
        assert not moving.done()
    with pytest.raises(db.LOST):
        await moving
    assert (await credit.account(absorbed)).customer_id == absorbed
    assert await tables_with(credit, survivor) == {"accounts", "account_changes"}
    await audit_passes(credit)
    assert await sweeper_of(credit).look() == 1
    assert (await credit.account(absorbed)).posted.units == 10 * ROWS
    assert await tables_with(credit, absorbed) == {"accounts"}
    await audit_passes(credit)


def sweeper_of(credit):
    (found,) = [s for s in credit.run.service.sweeps if s.name == "merge-large"]
    return Sweeper(found, credit.run.pool, credit.run.clock)


async def test_merges_that_wait_are_done_in_any_order_and_one_that_cannot_be_keeps_none(alone, monkeypatch):
    monkeypatch.setattr(store, "ENTRIES_MAX", 1)
    credit = await alone()
    stuck, a, b, c = [(await owing(credit, 1_000, 2_000))[0] for _ in range(4)]
    foreign = new_customer_id()
    await credit.deliver(merged(credit, stuck, foreign), merged(credit, b, c), merged(credit, a, b))
    opening = credit.opening(foreign)
    opening.currency_code = opening.limit.currency_code = "USD"
    await credit.accounts.OpenAccount(opening)
    sweeper = sweeper_of(credit)
    while await credit.run.pool.fetchval("SELECT count(*) FROM merges_waiting") > 1:
        await sweeper.look()
    assert (await credit.account(a)).customer_id == c
    assert (await credit.account(c)).posted.units == 9_000
    assert (await credit.account(stuck)).customer_id == stuck
    await credit.accounts.OpenAccount(credit.opening(foreign))
    assert await sweeper.look() == 1
    assert (await credit.account(stuck)).customer_id == foreign
    await audit_passes(credit)


async def test_a_merge_into_somebody_else_while_one_waits_is_refused(credit, monkeypatch):
    monkeypatch.setattr(store, "ENTRIES_MAX", 1)
    absorbed, _ = await owing(credit, 1_000, 2_000)
    await credit.deliver(
        merged(credit, absorbed, await credit.open()), merged(credit, absorbed, await credit.open())
    )
    (parked,) = await credit.parked(absorbed)
    assert f"{absorbed} was merged into another before" in parked
