"""The daily sweep: points expire and that is told before, once, at the turn of the customer's own day."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta

import pytest
from google.type.date_pb2 import Date

from kit import db
from kit.events import Outgoing
from langganan.events.v1 import customers_pb2, loyalty_pb2
from langganan.loyalty.v1 import accounts_pb2, redemptions_pb2
from tests.loyalty.facts import NOON

# What is earned on 2 March lives through 2 April; that day ends at 17:00 UTC in Jakarta.
LAST = date(2026, 4, 2)
BEFORE_END = datetime(2026, 4, 2, 16, 59, 59, tzinfo=UTC)
END = datetime(2026, 4, 2, 17, 0, tzinfo=UTC)


async def earned(loyalty, points, at=NOON):
    """A customer who has bought for so many points."""
    customer = await loyalty.customer()
    await loyalty.deliver(loyalty.sale(customer, [points * 1_000], at=at))
    return customer


async def told(loyalty, customer):
    """What was told of points that will expire: local day, (points, last day) of each."""
    said = [f for f in await loyalty.said(customer) if isinstance(f, loyalty_pb2.PointsExpiring)]
    assert all(f.points == sum(lot.points for lot in f.lots) for f in said)
    return [(as_date(f.local_date), [(lot.points, as_date(lot.expires_on)) for lot in f.lots]) for f in said]


def as_date(day: Date) -> date:
    return date(day.year, day.month, day.day)


async def points_of(loyalty, customer):
    account = (await loyalty.explained(customer)).account
    return (account.balance, account.active, account.lapsed, account.expiring_next)


async def quoted(loyalty, customer):
    request = redemptions_pb2.QuoteRequest(customer_id=customer)
    return (await loyalty.redemptions.Quote(request)).active_points


async def test_points_can_be_used_through_their_last_local_day_and_expire_once_after_it(timed):
    customer = await earned(timed, 100)
    await timed.wake(BEFORE_END)
    assert await points_of(timed, customer) == (100, 100, 0, 100)
    assert await timed.wake(END) == 1
    assert await points_of(timed, customer) == (0, 0, 0, 0)
    assert await timed.entries(customer) == [("EARN", 100, ""), ("EXPIRE", -100, "2026-04-03")]
    assert await timed.wake(END + timedelta(hours=23)) == 0
    assert await timed.wake(END + timedelta(days=40)) == 1
    assert len(await timed.entries(customer)) == 2


async def test_the_entry_says_which_lot_ended_when(timed):
    customer = await earned(timed, 100)
    await timed.wake(END + timedelta(days=3))
    request = accounts_pb2.ListEntriesRequest(customer_id=customer)
    entry, lot = (await timed.accounts.ListEntries(request)).entries
    assert (entry.cause, entry.cause_id) == (accounts_pb2.CAUSE_KIND_EXPIRY, str(lot.entry_no))
    assert entry.effective_at.ToDatetime(tzinfo=UTC) == END
    sums = {row.kind: row.points for row in (await timed.explained(customer)).sums}
    assert sums[accounts_pb2.ENTRY_KIND_EXPIRE] == -100


async def test_before_the_sweep_has_come_nobody_is_offered_what_has_lapsed(timed):
    customer = await earned(timed, 100)
    await timed.deliver(timed.sale(customer, [50_000], at=NOON + timedelta(days=5)))
    timed.run.clock.advance(END - NOON)
    assert await points_of(timed, customer) == (150, 50, 100, 50)
    assert await quoted(timed, customer) == 50
    declined = await timed.reserve(customer, 51)
    assert declined.decline_reason == redemptions_pb2.DECLINE_REASON_INSUFFICIENT_POINTS
    held = await timed.reserve(customer, 50)
    assert held.state == redemptions_pb2.RESERVATION_STATE_HELD
    assert await points_of(timed, customer) == (150, 0, 100, 50)
    await timed.wake(END)
    assert await points_of(timed, customer) == (50, 0, 0, 50)


async def test_a_dry_run_takes_from_what_can_be_used_first(timed):
    customer = await earned(timed, 100)
    await timed.given(customer, 50)
    timed.run.clock.advance(END - NOON)
    would = (await timed.adjust(customer, -60, dry_run=True)).account
    assert (would.balance, would.active, would.lapsed, would.negative) == (90, 0, 90, 0)
    assert await points_of(timed, customer) == (150, 50, 100, 0)


async def test_each_customer_is_swept_at_the_turn_of_their_own_day_and_once(timed):
    jakarta, jayapura = await earned(timed, 10), await earned(timed, 20)
    moved = customers_pb2.CustomerUpdated(
        merchant_id=timed.merchant, customer_id=jayapura, time_zone="Asia/Jayapura"
    )
    await timed.deliver(Outgoing("customer-updated", timed.merchant, jayapura, moved, NOON))
    await timed.wake(END - timedelta(hours=2, seconds=1))
    assert await timed.wake(END - timedelta(hours=2)) == 1
    assert [(await points_of(timed, c))[0] for c in (jakarta, jayapura)] == [10, 0]
    # Back in Jakarta 3 April has not begun; when it has, it was swept already.
    moved.time_zone = "Asia/Jakarta"
    await timed.deliver(Outgoing("customer-updated", timed.merchant, jayapura, moved, NOON))
    assert await timed.wake(END) == 1
    assert (await points_of(timed, jakarta))[0] == 0


async def test_what_will_expire_is_told_once_a_lot_in_one_event_a_day(timed):
    customer = await earned(timed, 100)
    for day, points in ((0, 5), (3, 30), (9, 7)):
        await timed.deliver(timed.sale(customer, [points * 1_000], at=NOON + timedelta(days=day)))
    await timed.wake(datetime(2026, 3, 25, 16, 59, tzinfo=UTC))
    assert await told(timed, customer) == []
    for _ in range(2):
        await timed.wake(datetime(2026, 3, 25, 17, 0, tzinfo=UTC))
        assert await told(timed, customer) == [(date(2026, 3, 26), [(105, LAST)])]
    # Days that nobody was there for are one: what is still to come is told, the rest has expired.
    await timed.wake(datetime(2026, 4, 5, 3, 0, tzinfo=UTC))
    assert (await told(timed, customer))[1:] == [
        (date(2026, 4, 5), [(30, date(2026, 4, 5)), (7, date(2026, 4, 11))])
    ]
    assert (await points_of(timed, customer))[0] == 37


async def test_restored_points_are_not_told_of_again_and_live_thirty_days(timed):
    await timed.set_program(expiry_months=3, expiry_notice_days=60)
    customer = await earned(timed, 100)
    held = await timed.reserve(customer, 100)
    sale = timed.sale(customer, [1_000], points=[(1_000, held.reservation_id)])
    await timed.wake(NOON + timedelta(days=35))
    assert await told(timed, customer) == [(date(2026, 4, 6), [(100, date(2026, 6, 2))])]
    await timed.deliver(sale)
    kept = timed.returned(
        sale, [("1", 500, 1_000)], points=[("p1", 500, 1_000)], at=NOON + timedelta(days=40)
    )
    await timed.deliver(kept)
    await timed.wake(NOON + timedelta(days=41))
    assert len(await told(timed, customer)) == 1
    late = timed.returned(sale, [("1", 500, 500)], points=[("p1", 500, 500)], at=NOON + timedelta(days=95))
    await timed.wake(NOON + timedelta(days=95))
    assert (await points_of(timed, customer))[0] == 0
    await timed.deliver(late)
    assert await points_of(timed, customer) == (50, 50, 0, 50)
    await timed.wake(NOON + timedelta(days=96))
    assert (await told(timed, customer))[1:] == [(date(2026, 6, 6), [(50, date(2026, 7, 5))])]
    await timed.wake(NOON + timedelta(days=126))
    assert (await points_of(timed, customer))[0] == 0


async def test_reserved_points_do_not_expire_until_they_are_free(timed):
    customer, other = await earned(timed, 100), await earned(timed, 100)
    timed.run.clock.advance(BEFORE_END - NOON)
    used, freed = await timed.reserve(customer, 60), await timed.reserve(other, 60)
    await timed.wake(END)
    for one in (customer, other):
        assert await points_of(timed, one) == (60, 0, 0, 0)
        assert (await timed.entries(one))[1:] == [("EXPIRE", -40, "2026-04-03")]
    await timed.deliver(timed.sale(customer, [600], points=[(600, used.reservation_id)], at=END))
    assert await points_of(timed, customer) == (0, 0, 0, 0)
    assert await timed.marks(customer) == []
    await timed.release(other, freed.reservation_id)
    assert await points_of(timed, other) == (60, 0, 60, 0)
    await timed.wake(END + timedelta(days=1))
    assert (await timed.entries(other))[2:] == [("EXPIRE", -60, "2026-04-04")]
    assert await points_of(timed, other) == (0, 0, 0, 0)


async def test_a_redemption_after_the_last_day_uses_the_points_that_its_reservation_kept(timed):
    customer = await earned(timed, 100)
    await timed.given(customer, 50)
    timed.run.clock.advance(BEFORE_END - NOON)
    held = await timed.reserve(customer, 60)
    await timed.wake(END)
    await timed.deliver(timed.sale(customer, [600], points=[(600, held.reservation_id)], at=END))
    assert await points_of(timed, customer) == (50, 50, 0, 0)


async def test_a_reservation_made_later_keeps_no_points_that_have_lapsed(timed):
    customer = await earned(timed, 100)
    await timed.given(customer, 50)
    timed.run.clock.advance(BEFORE_END - NOON)
    earlier = await timed.reserve(customer, 100)
    await timed.wake(END)
    later = await timed.reserve(customer, 50)
    assert (await timed.reserve(customer, 1)).decline_reason
    await timed.release(customer, earlier.reservation_id)
    assert (await timed.reserve(customer, 1)).decline_reason
    await timed.deliver(timed.sale(customer, [500], points=[(500, later.reservation_id)], at=END))
    assert await points_of(timed, customer) == (100, 0, 100, 0)
    await timed.wake(END + timedelta(days=1))
    assert await points_of(timed, customer) == (0, 0, 0, 0)


async def test_a_purchase_that_comes_after_its_points_would_have_ended_earns_and_they_expire(timed):
    customer = await timed.customer()
    await timed.wake(END)
    await timed.deliver(timed.sale(customer, [40_000], at=NOON))
    assert await points_of(timed, customer) == (40, 0, 40, 0)
    assert await quoted(timed, customer) == 0
    await timed.wake(END + timedelta(days=1))
    assert await timed.entries(customer) == [("EARN", 40, ""), ("EXPIRE", -40, "2026-04-04")]
    assert await told(timed, customer) == []


async def test_an_account_that_owes_expires_nothing_of_what_is_reserved(timed):
    customer = await earned(timed, 100)
    timed.run.clock.advance(BEFORE_END - NOON)
    held = await timed.reserve(customer, 70)
    await timed.adjust(customer, -50)
    await timed.wake(END)
    assert (await timed.account(customer)).negative == 20
    assert await points_of(timed, customer) == (50, 0, 0, 0)
    await timed.release(customer, held.reservation_id)
    assert await points_of(timed, customer) == (50, 0, 50, 0)
    await timed.wake(END + timedelta(days=1))
    assert await points_of(timed, customer) == (0, 0, 0, 0)


async def test_merged_points_expire_with_the_survivor_and_are_told_of_once(timed):
    absorbed, survivor = await earned(timed, 30), await earned(timed, 10)
    await timed.wake(NOON + timedelta(days=28))
    assert len(await told(timed, absorbed)) == len(await told(timed, survivor)) == 1
    await timed.deliver(timed.merged(absorbed, survivor, at=NOON + timedelta(days=28)))
    assert await timed.wake(NOON + timedelta(days=29)) == 1
    assert len(await told(timed, survivor)) == 1
    await timed.wake(END)
    assert await points_of(timed, survivor) == (0, 0, 0, 0)
    assert [e for e in await timed.entries(survivor) if e[0] == "EXPIRE"] == [
        ("EXPIRE", -10, "2026-04-03"), ("EXPIRE", -30, "2026-04-03"),
    ]  # fmt: skip


async def test_an_erased_customers_points_expire_and_nobody_is_told(timed):
    customer = await earned(timed, 100)
    payload = customers_pb2.CustomerErased(merchant_id=timed.merchant, customer_id=customer)
    payload.erased_at.FromDatetime(NOON)
    await timed.deliver(Outgoing("customer-erased", timed.merchant, customer, payload, NOON))
    await timed.wake(NOON + timedelta(days=28))
    assert await told(timed, customer) == []
    await timed.wake(END)
    assert await points_of(timed, customer) == (0, 0, 0, 0)


async def test_four_sweepers_at_once_do_each_customer_once(timed):
    customers = [await earned(timed, 10 + n) for n in range(12)]
    await timed.wake(NOON + timedelta(days=28))
    timed.run.clock.advance(END - timed.run.clock.now())
    [sweep] = [s for s in timed.run.service.sweeps if s.name == "days"]

    async def rounds():
        done = 0
        for _ in range(3):
            async with db.transaction(timed.run.pool) as conn:
                done += await sweep.run(conn, END)
        return done

    assert sum(await asyncio.gather(*(rounds() for _ in range(4)))) == len(customers)
    for place, customer in enumerate(customers):
        assert (await timed.entries(customer))[1:] == [("EXPIRE", -10 - place, "2026-04-03")]
        assert len(await told(timed, customer)) == 1


async def test_a_sweep_that_dies_before_its_commit_has_done_nothing(timed):
    customer = await earned(timed, 100)
    timed.run.clock.advance(NOON + timedelta(days=28) - NOON)
    [sweep] = [s for s in timed.run.service.sweeps if s.name == "days"]

    class Died(Exception):
        pass

    async def dies():
        async with db.transaction(timed.run.pool) as conn:
            assert await sweep.run(conn, timed.run.clock.now()) == 1
            raise Died

    with pytest.raises(Died):
        await dies()
    assert await told(timed, customer) == []
    await timed.wake(NOON + timedelta(days=28))
    assert len(await told(timed, customer)) == 1


async def test_more_customers_than_one_transaction_may_lock_are_all_done(timed):
    customers = [f"C{n:012}" for n in range(230)]
    await timed.deliver(*(timed.registered(c) for c in customers))
    timed.run.clock.advance(timedelta(days=1))
    assert [await timed.run.sweep("days") for _ in range(3)] == [200, 30, 0]


async def test_an_account_that_was_tampered_with_keeps_nobody_else_from_their_day(timed):
    broken, well = await earned(timed, 100), await earned(timed, 70)
    # Its lots hold more than it says: booking their end would make a balance below zero.
    await timed.run.pool.execute("UPDATE accounts SET in_lots = 40 WHERE customer_id = $1", broken)
    assert await timed.wake(END) == 1
    assert await points_of(timed, well) == (0, 0, 0, 0)
    assert await timed.entries(broken) == [("EARN", 100, "")], "nothing of its day is half done"
    await timed.run.pool.execute("UPDATE accounts SET in_lots = 100 WHERE customer_id = $1", broken)
    assert await timed.wake(END) == 1
    assert await points_of(timed, broken) == (0, 0, 0, 0)
