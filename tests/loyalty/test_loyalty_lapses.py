"""Reservations whose time is over: given back once no sale that uses them can still be on its way."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from kit import db
from kit.ids import new_customer_id
from kit.testing.eventually import eventually
from langganan.loyalty.v1 import redemptions_pb2 as pb
from tests.loyalty.facts import NOON

QUARTER = timedelta(minutes=15)
HELD, EXPIRED = pb.RESERVATION_STATE_HELD, pb.RESERVATION_STATE_EXPIRED
RELEASED, REDEEMED = pb.RESERVATION_STATE_RELEASED, pb.RESERVATION_STATE_REDEEMED


async def holding(loyalty, points=100, held=60):
    """A customer with points and a reservation of some of them."""
    customer = await loyalty.customer()
    await loyalty.given(customer, points)
    return customer, (await loyalty.reserve(customer, held)).reservation_id


async def heard(loyalty, until):
    """Let loyalty have heard all that customers said before an instant."""
    await loyalty.run.tell(until)


async def lapse(loyalty):
    return await loyalty.run.sweep("reservations")


async def waits(loyalty):
    [sweep] = [s for s in loyalty.run.service.sweeps if s.name == "reservations"]
    async with loyalty.run.pool.acquire() as conn:
        return await sweep.waiting(conn, loyalty.run.clock.now())


async def state(loyalty, customer, reservation):
    return (await loyalty.reservation(customer, reservation)).state


async def test_it_expires_when_its_time_is_over_and_all_older_sales_have_been_heard(timed):
    customer, reservation = await holding(timed)
    await heard(timed, NOON)
    timed.run.clock.advance(QUARTER - timedelta(seconds=1))
    assert (await lapse(timed), await waits(timed)) == (0, False)
    timed.run.clock.advance(timedelta(seconds=1))
    assert (await lapse(timed), await waits(timed)) == (0, True)
    await heard(timed, NOON + QUARTER - timedelta(seconds=1))
    assert (await lapse(timed), await waits(timed)) == (0, True)
    account = await timed.account(customer)
    assert (account.active, account.reserved) == (40, 60)
    await heard(timed, NOON + QUARTER)
    assert (await lapse(timed), await waits(timed), await lapse(timed)) == (1, False, 0)
    assert await state(timed, customer, reservation) == EXPIRED
    account = (await timed.explained(customer)).account
    assert (account.balance, account.active, account.reserved) == (100, 100, 0)


async def test_before_anything_was_heard_nothing_expires(timed):
    customer, reservation = await holding(timed)
    timed.run.clock.advance(timedelta(days=2))
    assert (await lapse(timed), await waits(timed)) == (0, True)
    assert await state(timed, customer, reservation) == HELD


async def test_a_horizon_that_is_ahead_of_the_clock_lets_nothing_expire_early(timed):
    customer, reservation = await holding(timed)
    await heard(timed, NOON + timedelta(days=1))
    assert (await lapse(timed), await waits(timed)) == (0, False)
    assert await state(timed, customer, reservation) == HELD


async def test_a_worker_that_was_away_for_an_hour_gives_nothing_back_that_a_sale_has_used(timed):
    customer, reservation = await holding(timed)
    timed.run.clock.advance(timedelta(hours=1))
    assert await lapse(timed) == 0
    sale = timed.sale(customer, [600], points=[(600, reservation)], at=NOON + timedelta(minutes=5))
    await timed.deliver(sale)
    await heard(timed, NOON + timedelta(hours=1))
    assert await lapse(timed) == 0
    assert await state(timed, customer, reservation) == REDEEMED
    assert await timed.marks(customer) == []
    assert (await timed.account(customer)).balance == 40


async def test_a_sale_that_comes_after_its_reservation_expired_is_booked_and_listed_as_late(timed):
    customer, reservation = await holding(timed)
    timed.run.clock.advance(QUARTER)
    await heard(timed, NOON + QUARTER)
    assert await lapse(timed) == 1
    await timed.set_program(expiry_months=1, point_value=None)
    await timed.deliver(timed.sale(customer, [600], points=[(600, reservation)], at=NOON + QUARTER))
    found = await timed.reservation(customer, reservation)
    assert (found.state, found.points_redeemed) == (REDEEMED, 60)
    [listed] = await timed.exceptions(customer)
    assert (listed.mark, listed.points, listed.value.units) == (pb.EXCEPTION_MARK_LATE, 60, 600)
    assert listed.reservation_id == reservation
    account = (await timed.explained(customer)).account
    assert (account.balance, account.active, account.negative) == (40, 40, 0)


async def test_a_retry_and_a_release_of_what_expired_say_so(timed):
    customer, reservation = await holding(timed)
    timed.run.clock.advance(QUARTER)
    await heard(timed, NOON + QUARTER)
    assert await lapse(timed) == 1
    assert (await timed.reserve(customer, 60, reservation)).state == EXPIRED
    assert (await timed.release(customer, reservation)).state == EXPIRED
    assert (await timed.account(customer)).reserved == 0


async def test_what_was_used_or_released_does_not_expire(timed):
    customer, used = await holding(timed)
    freed = (await timed.reserve(customer, 40)).reservation_id
    await timed.deliver(timed.sale(customer, [600], points=[(600, used)]))
    await timed.release(customer, freed)
    timed.run.clock.advance(timedelta(days=1))
    await heard(timed, NOON + timedelta(days=1))
    assert await lapse(timed) == 0
    assert [await state(timed, customer, r) for r in (used, freed)] == [REDEEMED, RELEASED]


async def park_a_return(loyalty, customer, sale):
    """A return of a customer that waits for its sale."""
    await loyalty.deliver(replace(loyalty.returned(sale, [("1", 1_000, 1_000)]), key=customer))
    assert await loyalty.parked(customer) == ["NOT_YET"]


async def test_a_customer_of_whom_something_is_parked_keeps_what_is_held(timed):
    (customer, reservation), absorbed = await holding(timed), await timed.customer()
    await timed.deliver(timed.merged(absorbed, customer))
    sale = timed.sale(absorbed, [1_000])
    await park_a_return(timed, customer, sale)
    timed.run.clock.advance(QUARTER)
    await heard(timed, NOON + QUARTER)
    assert (await lapse(timed), await waits(timed)) == (0, False)
    assert await state(timed, customer, reservation) == HELD
    await timed.deliver(sale)

    async def applied():
        await timed.run.service.consumer.retry_not_yet()
        return await timed.parked(customer) == []

    await eventually(applied)
    assert await lapse(timed) == 1
    assert await state(timed, customer, reservation) == EXPIRED


async def test_what_is_parked_under_an_absorbed_id_keeps_the_survivors_reservations(timed):
    absorbed, reservation = await holding(timed)
    survivor = await timed.customer()
    await timed.deliver(timed.merged(absorbed, survivor))
    await park_a_return(timed, absorbed, timed.sale(absorbed, [1_000]))
    timed.run.clock.advance(QUARTER)
    await heard(timed, NOON + QUARTER)
    assert await lapse(timed) == 0
    assert await state(timed, survivor, reservation) == HELD
    await timed.run.pool.execute("delete from parked_events where key = $1", absorbed)
    assert await lapse(timed) == 1
    account = (await timed.explained(survivor)).account
    assert (account.balance, account.reserved) == (100, 0)


async def test_what_is_freed_repays_what_is_owed(timed):
    customer, _ = await holding(timed)
    await timed.adjust(customer, -80)
    account = (await timed.explained(customer)).account
    assert (account.balance, account.reserved, account.negative) == (20, 60, 40)
    timed.run.clock.advance(QUARTER)
    await heard(timed, NOON + QUARTER)
    assert await lapse(timed) == 1
    account = (await timed.explained(customer)).account
    assert (account.balance, account.active, account.negative) == (20, 20, 0)


async def test_points_past_their_last_day_that_a_reservation_gives_back_expire_in_the_next_daily_sweep(timed):
    customer = await timed.customer()
    await timed.deliver(timed.sale(customer, [100_000]))
    end = datetime(2026, 4, 2, 17, 0, tzinfo=UTC)
    timed.run.clock.advance(end - timedelta(minutes=5) - NOON)
    await timed.reserve(customer, 60)
    await timed.wake(end)
    assert (await timed.account(customer)).reserved == 60
    timed.run.clock.advance(QUARTER)
    await heard(timed, end + QUARTER)
    assert await lapse(timed) == 1
    account = (await timed.explained(customer)).account
    assert (account.balance, account.active, account.lapsed) == (60, 0, 60)
    await timed.wake(end + timedelta(days=1))
    assert [e for e in await timed.entries(customer) if e[0] == "EXPIRE"] == [
        ("EXPIRE", -40, "2026-04-03"), ("EXPIRE", -60, "2026-04-04"),
    ]  # fmt: skip


async def test_sweepers_and_sales_at_once_use_each_reservation_once(timed):
    """Whoever is first decides: used without a mark, or given back and then used as LATE."""
    held = [await holding(timed) for _ in range(16)]
    timed.run.clock.advance(QUARTER)
    await heard(timed, NOON + QUARTER)
    [sweep] = [s for s in timed.run.service.sweeps if s.name == "reservations"]

    async def sweeps():
        async with db.transaction(timed.run.pool) as conn:
            return await sweep.run(conn, timed.run.clock.now())

    async def sells():
        for customer, reservation in held[:8]:
            await timed.deliver(timed.sale(customer, [600], points=[(600, reservation)]))

    await asyncio.gather(sells(), *(sweeps() for _ in range(8)))
    while await lapse(timed):
        pass
    for place, (customer, reservation) in enumerate(held):
        account = (await timed.explained(customer)).account
        assert (account.balance, account.reserved) == (40 if place < 8 else 100, 0)
        after = await state(timed, customer, reservation)
        assert after == (REDEEMED if place < 8 else EXPIRED)
        assert await timed.marks(customer) in ([], ["LATE"])


async def test_more_accounts_than_one_transaction_may_lock_are_all_done(timed):
    customers = [new_customer_id() for _ in range(210)]
    await timed.deliver(*(timed.registered(c) for c in customers))
    await asyncio.gather(*(timed.given(c, 10) for c in customers))
    await asyncio.gather(*(timed.reserve(c, 10) for c in customers))
    timed.run.clock.advance(QUARTER)
    await heard(timed, NOON + QUARTER)
    assert [await lapse(timed) for _ in range(3)] == [200, 10, 0]


async def test_an_account_that_was_tampered_with_keeps_nobody_elses_points(timed):
    (broken, of_broken), (well, of_well) = await holding(timed), await holding(timed)
    await timed.run.pool.execute("UPDATE accounts SET reserved = 0 WHERE customer_id = $1", broken)
    timed.run.clock.advance(QUARTER)
    await heard(timed, NOON + QUARTER)
    assert await lapse(timed) == 1
    assert await state(timed, well, of_well) == EXPIRED
    assert await state(timed, broken, of_broken) == HELD
    await timed.run.pool.execute("UPDATE accounts SET reserved = 60 WHERE customer_id = $1", broken)
    assert await lapse(timed) == 1
    assert await state(timed, broken, of_broken) == EXPIRED
