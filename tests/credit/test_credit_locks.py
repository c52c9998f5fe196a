"""What one transaction does: the lock that makes what is missing, and one call of a handler with a list."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from credit.accounts import store as accounts
from credit.accounts.model import Account, Key, Status
from credit.hears import HANDLERS, lock
from credit.holds.model import Hold, State
from credit.invoices.books import Books
from credit.invoices.resolve import Resolution, resolve
from kit import db
from kit.events import Received
from kit.ids import new_customer_id, new_uuid
from langganan.credit.v1 import invoices_pb2


async def test_two_who_make_the_same_missing_account_lock_it_one_after_the_other(credit):
    key = Key(credit.merchant, new_customer_id())
    pool = credit.run.pool
    async with db.transaction(pool) as first:
        assert await accounts.lock(first, [key], wait=True) == {key: key}

        async def second():
            async with db.transaction(pool) as conn:
                return await accounts.lock(conn, [key], wait=True)

        waiting = asyncio.create_task(second())
        while await pool.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted") == 0:
            assert not waiting.done()
    assert await waiting == {key: key}


async def test_a_held_account_is_left_out_by_who_does_not_wait(credit):
    held, free = Key(credit.merchant, await credit.open()), Key(credit.merchant, await credit.open())
    async with db.transaction(credit.run.pool) as first, db.transaction(credit.run.pool) as second:
        await accounts.lock(first, [held], wait=True)
        assert await accounts.lock(second, [held, free], wait=False) == {free: free}


async def test_one_request_id_for_two_exceptions_in_the_same_moment_resolves_one(credit, refused):
    customers = [await credit.open(), await credit.open()]
    await credit.deliver(*(credit.sale(customer, (1_000, None)) for customer in customers))
    mine, theirs = [(await credit.exceptions_of(customer))[0] for customer in customers]
    pool, id_ = credit.run.pool, new_uuid()
    async with db.transaction(pool) as first:
        key = Key(credit.merchant, mine.customer_id)
        wish = Resolution(key, id_, mine.exception_id, "mine", "", credit.run.clock.now())
        await resolve(first, [wish], wait=True)
        request = invoices_pb2.ResolveExceptionRequest(
            request_id=id_, exception_id=theirs.exception_id, customer_id=theirs.customer_id, note="theirs"
        )
        second = asyncio.create_task(refused(credit.invoices.ResolveException(request)))
        while await pool.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted") == 0:
            assert not second.done()
    assert await second == "IDEMPOTENCY_CONFLICT"
    assert await credit.exceptions_of(theirs.customer_id) == [theirs]


def heard(event):
    """An event as a handler gets it, under an id of its own."""
    return Received(
        id=new_uuid(),
        type=event.type,
        merchant_id=event.merchant_id,
        key=event.key,
        time=event.time,
        record_time=event.time,
        payload=event.payload,
    )


async def test_one_call_with_the_same_sale_or_return_twice_books_it_once(credit):
    customer = await credit.open()
    sale = credit.sale(customer, (10_000, None))
    back = credit.returned(sale, 4_000)
    for event in (sale, back):
        twice = [heard(event), heard(event)]
        async with db.transaction(credit.run.pool) as conn:
            await lock(conn, twice)
            refusals = await HANDLERS[event.type].apply(conn, twice)
        assert refusals == [None, None]
    assert (await credit.account(customer)).posted.units == 6_000
    await credit.check_books(customer)


def test_a_captured_hold_is_no_longer_held():
    account = Account("toko", "c", status=Status.ACTIVE, limit=100, held=60)
    hold = Hold("toko", "h", "c", State.PENDING, 60, None)
    books = Books(accounts={account.key: account})
    books.capture(hold, 40, "i")
    assert books.accounts[account.key] == replace(account, held=0)
    assert books.holds[hold.key].captured == 40
