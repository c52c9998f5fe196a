"""Holds that nobody used in time expire, but never while a sale from their lifetime may still come."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta

import asyncpg
import grpc.aio
from google.protobuf.duration_pb2 import Duration
from google.type.money_pb2 import Money

from credit.audit.checks import AUDIT
from kit.audit import run_audit
from kit.ids import new_uuid
from kit.sweep import Sweeper
from kit.testing.eventually import eventually
from kit.testing.refusals import refusal
from langganan.credit.v1 import holds_pb2, invoices_pb2
from langganan.types.v1 import origin_pb2
from tests.credit.merging import merge

TILL = origin_pb2.Origin(store_id="s1", register_id="r1", mode=origin_pb2.MODE_ONLINE)
LIFE = timedelta(minutes=15)
SECOND = timedelta(seconds=1)


def sweeper(credit):
    (found,) = [s for s in credit.run.service.sweeps if s.name == "expire-holds"]
    return Sweeper(found, credit.run.pool, credit.run.clock)


async def pass_by(credit, time, *, heard=True):
    """Let time pass, hear that all from before was told, and sweep; return how many holds expired."""
    now = credit.run.clock.advance(time)
    if heard:
        await credit.run.tell(now)
    return await sweeper(credit).look()


async def test_a_hold_is_kept_to_its_last_second_and_then_given_up(alone):
    credit = await alone()
    customer = await credit.open(limit=100_000)
    hold = await credit.authorize(customer, 60_000)
    assert await pass_by(credit, LIFE - SECOND) == 0
    assert (await credit.account(customer)).held.units == 60_000
    assert await pass_by(credit, SECOND) == 1
    expired = await credit.hold(customer, hold.hold_id)
    assert expired.state == holds_pb2.HOLD_STATE_EXPIRED
    assert (expired.amount.units, expired.expires_at) == (60_000, hold.expires_at)
    account = await credit.account(customer)
    assert (account.held.units, account.available.units) == (0, 100_000)
    assert (await credit.authorize(customer, 100_000)).state == holds_pb2.HOLD_STATE_PENDING
    await credit.check_books(customer)


async def test_a_hold_lives_as_long_as_its_till_asked(alone):
    credit = await alone()
    customer = await credit.open()
    wishes = {
        seconds: holds_pb2.AuthorizeRequest(
            hold_id=new_uuid(),
            customer_id=customer,
            amount=Money(currency_code="IDR", units=1_000),
            ttl=Duration(seconds=seconds),
            origin=TILL,
        )
        for seconds in (60, 86_400)
    }
    for wish in wishes.values():
        await credit.holds.Authorize(wish)
    assert await pass_by(credit, timedelta(minutes=1)) == 1
    assert await pass_by(credit, timedelta(hours=23)) == 0
    assert (await credit.hold(customer, wishes[86_400].hold_id)).state == holds_pb2.HOLD_STATE_PENDING
    assert await pass_by(credit, timedelta(hours=1)) == 1


async def test_who_asks_again_is_told_that_the_hold_has_expired(alone):
    credit = await alone()
    customer = await credit.open()
    hold = await credit.authorize(customer, 60_000)
    await pass_by(credit, LIFE)
    again = await credit.authorize(customer, 60_000, hold.hold_id)
    assert (again.state, again.decided_at) == (holds_pb2.HOLD_STATE_EXPIRED, hold.decided_at)
    why = await refusal(credit.capture(hold))
    assert (why.reason, why.metadata["state"]) == ("ALREADY_EXPIRED", "EXPIRED")
    assert (await credit.void(customer, hold.hold_id)).state == holds_pb2.HOLD_STATE_EXPIRED
    assert (await credit.account(customer)).held.units == 0
    assert await credit.invoices_of(customer) == []
    await credit.check_books(customer)


async def test_a_hold_stays_while_a_sale_of_its_lifetime_may_be_on_its_way(alone):
    credit = await alone()
    customer = await credit.open(limit=100_000)
    hold = await credit.authorize(customer, 100_000)
    # Nothing was ever heard; then what is from before the hold's end; the clock is hours ahead.
    assert await pass_by(credit, timedelta(hours=5), heard=False) == 0
    assert await sweeper(credit).waiting()
    await credit.run.tell(hold.expires_at.ToDatetime(credit.run.clock.now().tzinfo) - SECOND)
    assert await pass_by(credit, timedelta(0), heard=False) == 0
    assert await sweeper(credit).waiting()
    assert (await credit.hold(customer, hold.hold_id)).state == holds_pb2.HOLD_STATE_PENDING
    declined = await credit.authorize(customer, 1)
    assert declined.decline.reason == holds_pb2.DECLINE_REASON_OVER_LIMIT
    assert await pass_by(credit, timedelta(0)) == 1
    assert not await sweeper(credit).waiting()
    assert (await credit.authorize(customer, 100_000)).state == holds_pb2.HOLD_STATE_PENDING


async def test_after_an_outage_longer_than_the_hold_its_sale_is_booked_and_nothing_is_sold_twice(alone):
    credit = await alone()
    customer = await credit.open(limit=100_000)
    hold = await credit.authorize(customer, 100_000)
    sale = credit.sale(customer, (100_000, hold.hold_id))
    # The worker is away for a day; tills go on asking.
    assert await pass_by(credit, timedelta(days=1), heard=False) == 0
    assert (await credit.authorize(customer, 100_000)).state == holds_pb2.HOLD_STATE_DECLINED
    await credit.deliver(sale)
    assert await pass_by(credit, timedelta(0)) == 0
    assert (await credit.hold(customer, hold.hold_id)).state == holds_pb2.HOLD_STATE_CAPTURED
    assert await credit.exceptions_of(customer) == []
    assert (await credit.account(customer)).posted.units == 100_000
    await credit.check_books(customer)


async def test_a_capture_is_taken_until_the_hold_has_expired(alone):
    credit = await alone()
    customer = await credit.open()
    hold = await credit.authorize(customer, 5_000)
    assert await pass_by(credit, timedelta(hours=1), heard=False) == 0
    assert (await credit.capture(hold)).state == holds_pb2.HOLD_STATE_CAPTURED
    assert await pass_by(credit, timedelta(0)) == 0


async def test_a_sale_that_comes_later_still_is_posted_and_marked_late(alone):
    credit = await alone()
    customer = await credit.open()
    hold = await credit.authorize(customer, 100_000)
    await pass_by(credit, LIFE)
    sale = credit.sale(customer, (90_000, hold.hold_id))
    again = credit.sale(customer, (90_000, hold.hold_id), purchase_id=sale.payload.purchase_id)
    await credit.deliver(sale)
    await credit.deliver(again)
    account = await credit.account(customer)
    assert (account.posted.units, account.held.units) == (90_000, 0)
    assert (await credit.hold(customer, hold.hold_id)).state == holds_pb2.HOLD_STATE_EXPIRED
    (marked,) = await credit.exceptions_of(customer)
    assert (marked.kind, marked.amount.units) == (invoices_pb2.EXCEPTION_KIND_LATE, 90_000)
    (invoice,) = await credit.invoices_of(customer)
    assert (invoice.exception, invoice.hold_id) == (invoices_pb2.EXCEPTION_KIND_LATE, hold.hold_id)
    assert marked.invoice_id == invoice.invoice_id
    (said,) = await credit.facts(customer)
    assert (said.exception, said.hold_id) == ("LATE", hold.hold_id)
    await credit.check_books(customer)
    assert (await run_audit(credit.run.pool, AUDIT)).first == []


async def test_a_customer_of_whom_something_is_parked_keeps_the_hold_and_nobody_else_does(alone):
    credit = await alone()
    stuck, free = await credit.open(), await credit.open()
    kept, lapsing = await credit.authorize(stuck, 1_000), await credit.authorize(free, 1_000)
    await credit.deliver(credit.sale(stuck, (500, None), zone="Asia"))  # no zone: poisoned
    assert len(await credit.parked(stuck)) == 1
    assert await pass_by(credit, timedelta(hours=3)) == 1
    assert (await credit.hold(stuck, kept.hold_id)).state == holds_pb2.HOLD_STATE_PENDING
    assert (await credit.hold(free, lapsing.hold_id)).state == holds_pb2.HOLD_STATE_EXPIRED
    assert not await sweeper(credit).waiting()  # no progress helps it: staff must
    await credit.run.pool.execute("DELETE FROM parked_events WHERE key = $1", stuck)
    assert await pass_by(credit, timedelta(0)) == 1
    assert (await credit.hold(stuck, kept.hold_id)).state == holds_pb2.HOLD_STATE_EXPIRED


async def test_a_hold_that_a_parked_sale_of_another_buyer_names_is_kept(alone):
    credit = await alone()
    payer, buyer = await credit.open(limit=5_000), await credit.open()
    kept, lapsing = await credit.authorize(payer, 1_000), await credit.authorize(payer, 2_000)
    # No zone: poisoned.
    await credit.deliver(credit.sale(buyer, (1_000, kept.hold_id), payer=payer, zone="Asia"))
    assert len(await credit.parked(buyer)) == 1
    assert await pass_by(credit, timedelta(hours=3)) == 1
    assert (await credit.hold(payer, kept.hold_id)).state == holds_pb2.HOLD_STATE_PENDING
    assert (await credit.hold(payer, lapsing.hold_id)).state == holds_pb2.HOLD_STATE_EXPIRED
    assert not await sweeper(credit).waiting()
    declined = await credit.authorize(payer, 4_001)
    assert declined.state == holds_pb2.HOLD_STATE_DECLINED  # so the same credit is not sold twice
    await credit.run.pool.execute("DELETE FROM parked_events WHERE key = $1", buyer)
    await credit.deliver(credit.sale(buyer, (1_000, kept.hold_id), payer=payer))
    assert (await credit.hold(payer, kept.hold_id)).state == holds_pb2.HOLD_STATE_CAPTURED
    assert await credit.exceptions_of(payer) == []


async def test_a_sale_parked_under_an_id_that_was_merged_since_keeps_its_hold(alone):
    credit = await alone()
    absorbed, survivor = await credit.open(), await credit.open()
    kept = await credit.authorize(absorbed, 1_000)
    await merge(credit, absorbed, survivor)
    await credit.deliver(credit.sale(absorbed, (1_000, kept.hold_id), zone="Asia"))
    assert await pass_by(credit, timedelta(hours=3)) == 0
    assert (await credit.hold(survivor, kept.hold_id)).state == holds_pb2.HOLD_STATE_PENDING


async def test_what_was_used_given_back_or_declined_never_expires(alone):
    credit = await alone()
    customer = await credit.open(limit=10_000)
    used, given = await credit.authorize(customer, 1_000), await credit.authorize(customer, 1_000)
    declined = await credit.authorize(customer, 50_000)
    early = new_uuid()
    await credit.void(customer, early)  # voided before it was asked for: it has no end
    await credit.deliver(credit.sale(customer, (1_000, used.hold_id)))
    await credit.void(customer, given.hold_id)
    assert await pass_by(credit, timedelta(days=3)) == 0
    states = [
        (await credit.hold(customer, hold_id)).state
        for hold_id in (used.hold_id, given.hold_id, declined.hold_id, early)
    ]
    assert states == [
        holds_pb2.HOLD_STATE_CAPTURED,
        holds_pb2.HOLD_STATE_VOIDED,
        holds_pb2.HOLD_STATE_DECLINED,
        holds_pb2.HOLD_STATE_VOIDED,
    ]
    await credit.check_books(customer)


async def test_eight_sweepers_at_once_release_each_hold_once(alone):
    credit = await alone()
    customers = [await credit.open() for _ in range(20)]
    await asyncio.gather(*(credit.authorize(c, 1_000 + n) for c in customers for n in range(3)))
    credit.run.clock.advance(LIFE)
    await credit.run.tell(credit.run.clock.now())
    done = await asyncio.gather(*(sweeper(credit).look() for _ in range(8)))
    assert sum(done) + await sweeper(credit).look() == 60
    for customer in customers:
        assert (await credit.account(customer)).held.units == 0
        await credit.check_books(customer)


async def test_sales_captures_voids_and_the_sweep_at_once_each_find_the_hold_used_or_over(alone):
    credit = await alone()
    customers = [await credit.open() for _ in range(4)]
    holds = [await credit.authorize(c, 1_000) for c in customers for _ in range(12)]
    credit.run.clock.advance(LIFE)
    await credit.run.tell(credit.run.clock.now())

    async def sell(hold):
        await credit.deliver(credit.sale(hold.customer_id, (1_000, hold.hold_id)))

    async def capture(hold):
        with contextlib.suppress(grpc.aio.AioRpcError):
            await credit.capture(hold)

    async def give(hold):
        with contextlib.suppress(grpc.aio.AioRpcError):
            await credit.void(hold.customer_id, hold.hold_id)

    ways = [sell, capture, give]
    tasks = [ways[n % 3](hold) for n, hold in enumerate(holds)]
    tasks[6:6] = [sweeper(credit).look() for _ in range(4)]
    await asyncio.gather(*tasks)
    await sweeper(credit).look()
    sold = 0
    for number, hold in enumerate(holds):
        state = (await credit.hold(hold.customer_id, hold.hold_id)).state
        assert state != holds_pb2.HOLD_STATE_PENDING
        sold += number % 3 == 0 or state == holds_pb2.HOLD_STATE_CAPTURED
    assert sum([(await credit.account(c)).posted.units for c in customers]) == 1_000 * sold
    for customer in customers:
        assert (await credit.account(customer)).held.units == 0
        await credit.check_books(customer)
    assert (await run_audit(credit.run.pool, AUDIT)).first == []


async def test_a_sweeper_that_dies_in_its_transaction_has_released_nothing(alone):
    credit = await alone()
    customer = await credit.open()
    await credit.authorize(customer, 1_000)
    credit.run.clock.advance(LIFE)
    await credit.run.tell(credit.run.clock.now())
    (found,) = [s for s in credit.run.service.sweeps if s.name == "expire-holds"]
    conn = await credit.run.pool.acquire()
    transaction = conn.transaction()
    await transaction.start()
    assert await found.run(conn, credit.run.clock.now()) == 1
    conn.terminate()
    with contextlib.suppress(asyncpg.InterfaceError):
        await credit.run.pool.release(conn)
    await eventually(sweeper(credit).look)
    assert await sweeper(credit).look() == 0
    assert (await credit.account(customer)).held.units == 0
    await credit.check_books(customer)


async def test_a_locked_account_holds_up_nobody_else(alone):
    credit = await alone()
    locked, free = await credit.open(), await credit.open()
    for customer in (locked, free):
        await credit.authorize(customer, 1_000)
    async with credit.run.pool.acquire() as conn, conn.transaction():
        await conn.execute("SELECT 1 FROM accounts WHERE customer_id = $1 FOR NO KEY UPDATE", locked)
        assert await pass_by(credit, LIFE) == 1
        assert (await credit.account(free)).held.units == 0
    assert await sweeper(credit).look() == 1


async def many_pending(credit, count, over_in):
    """Pending holds of as many accounts, over in so long."""
    await credit.run.pool.execute(
        """
        WITH new AS (
            INSERT INTO accounts (merchant_id, customer_id, status, held)
            SELECT 'toko', gen_random_uuid()::text, 'ACTIVE', 5 FROM generate_series(1, $1::int)
            RETURNING merchant_id, customer_id
        )
        INSERT INTO holds (
            merchant_id, hold_id, customer_id, state, amount, store_id, register_id, staff_ref, recognised_by,
            decided_at, expires_at
        )
        SELECT merchant_id, gen_random_uuid(), customer_id, 'PENDING', 5, '', '', '', 0, $2::timestamptz, $2
        FROM new
        """,
        count,
        credit.run.clock.now() + over_in,
    )


async def test_more_than_one_claims_worth_expires_in_one_look(alone):
    credit = await alone()
    await many_pending(credit, 450, SECOND)
    assert await pass_by(credit, SECOND) == 450
    assert await credit.run.pool.fetchval("SELECT sum(held) FROM accounts") == 0


async def test_holds_that_wait_to_be_heard_of_keep_no_other_from_expiring(alone):
    credit = await alone()
    await many_pending(credit, 600, 2 * SECOND)
    await many_pending(credit, 1, SECOND)
    credit.run.clock.advance(SECOND)
    await credit.run.tell(credit.run.clock.now())
    credit.run.clock.advance(SECOND)
    assert await sweeper(credit).look() == 1
    assert await sweeper(credit).waiting()


async def test_an_account_that_was_tampered_with_keeps_nobody_elses_credit(alone):
    credit = await alone()
    broken, well = await credit.open(limit=100_000), await credit.open(limit=100_000)
    held = {one: (await credit.authorize(one, 60_000)).hold_id for one in (broken, well)}
    # Less is held than its hold holds: to release it would make it less than nothing.
    await credit.run.pool.execute("UPDATE accounts SET held = 10 WHERE customer_id = $1", broken)
    assert await pass_by(credit, LIFE) == 1
    assert (await credit.hold(well, held[well])).state == holds_pb2.HOLD_STATE_EXPIRED
    assert (await credit.hold(broken, held[broken])).state == holds_pb2.HOLD_STATE_PENDING
    await credit.run.pool.execute("UPDATE accounts SET held = 60000 WHERE customer_id = $1", broken)
    assert await sweeper(credit).look() == 1
    await credit.check_books(broken)
