"""Holds of a till without a line are handed in late, twice or after their sale: the books are the same."""

from __future__ import annotations

import asyncio
import itertools
from datetime import timedelta

import pytest

from credit.audit.checks import AUDIT
from credit.holds.sweep import expire
from kit.audit import run_audit
from kit.ids import new_customer_id, new_uuid
from langganan.credit.v1 import accounts_pb2, holds_pb2, invoices_pb2
from tests.credit.conftest import NOON, rupiah
from tests.credit.merging import merge
from tests.credit.offline import (
    DAY,
    allowance,
    grant,
    hand_in,
    handing,
    open_marks,
    promise,
    spent,
    under,
    why,
)

OVER = invoices_pb2.EXCEPTION_KIND_OVER_ALLOWANCE
OVER_HOLD = invoices_pb2.EXCEPTION_KIND_OVER_HOLD
UNAUTHORISED = invoices_pb2.EXCEPTION_KIND_UNAUTHORISED
PENDING, CAPTURED, VOIDED = (
    holds_pb2.HOLD_STATE_PENDING,
    holds_pb2.HOLD_STATE_CAPTURED,
    holds_pb2.HOLD_STATE_VOIDED,
)


async def test_what_was_promised_offline_is_held_and_every_till_sees_it(credit):
    id_ = await grant(credit, 500_000)
    customer = await credit.open(limit=100_000)
    (handed,) = await hand_in(credit, id_, promise(customer, 80_000))
    assert (handed.hold.state, handed.hold.amount.units, handed.hold.allowance_id) == (PENDING, 80_000, id_)
    assert not handed.HasField("over_limit")
    assert not handed.HasField("over_allowance")
    assert await credit.hold(customer, handed.hold_id) == handed.hold
    declined = await credit.authorize(customer, 20_001)
    assert declined.decline.reason == holds_pb2.DECLINE_REASON_OVER_LIMIT
    assert declined.decline.available.units == 20_000
    await credit.deliver(credit.sale(customer, (75_000, handed.hold_id)))
    assert (await credit.hold(customer, handed.hold_id)).state == CAPTURED
    account = await credit.account(customer)
    assert (account.posted.units, account.held.units) == (75_000, 0)
    assert await open_marks(credit, customer) == []
    # What was promised stays taken: the sale takes nothing more, and gives nothing back.
    assert await spent(credit, id_) == (80_000, 0)
    await credit.check_books(customer)


async def test_a_hold_beyond_the_limit_and_the_allowance_is_held_all_the_same_and_the_till_is_told(credit):
    id_ = await grant(credit, 100_000, customer_limit=90_000)
    customer, other = await credit.open(limit=50_000), await credit.open(limit=50_000)
    reply = await credit.allowances.HandIn(
        handing(id_, promise(customer, 60_000), promise(customer, 40_000), promise(other, 20_000))
    )
    told = [(h.hold.state, h.over_allowance.units, h.over_limit.units) for h in reply.holds]
    assert told == [(PENDING, 0, 50_000), (PENDING, 10_000, 50_000), (PENDING, 10_000, 0)]
    assert (reply.allowance.used.units, reply.allowance.over.units) == (100_000, 20_000)
    assert reply.allowance == await allowance(credit, id_)
    assert (await credit.account(customer)).held.units == 100_000
    # It is an exception once it is sold, and in the measure in which it is.
    assert await open_marks(credit, customer) == []
    await credit.deliver(credit.sale(customer, (35_000, reply.holds[1].hold_id)))
    assert await open_marks(credit, customer) == [(OVER, 5_000)]
    await credit.capture(reply.holds[2].hold)
    assert await open_marks(credit, other) == [(OVER, 10_000)]
    (invoice,) = await credit.invoices_of(other)
    assert invoice.exception == OVER


async def test_the_same_list_again_is_the_same_answer_with_the_holds_present_states(credit):
    id_ = await grant(credit, 100_000)
    customer = await credit.open(limit=50_000)
    wish = handing(id_, promise(customer, 60_000), promise(customer, 70_000))
    first = await credit.allowances.HandIn(wish)
    assert await credit.allowances.HandIn(wish) == first
    wish.holds[1].ClearField("decided_at")  # a till's clock is no part of what makes two requests the same
    assert await credit.allowances.HandIn(wish) == first
    await credit.void(customer, wish.holds[0].hold_id)
    again = await credit.allowances.HandIn(wish)
    assert [h.hold.state for h in again.holds] == [VOIDED, PENDING]
    assert [h.over_allowance.units for h in again.holds] == [0, 30_000]
    assert await credit.count("allowance_uses") == 2


async def test_each_hold_of_a_list_is_answered_by_itself(credit):
    id_, other_allowance = await grant(credit, 100_000), await grant(credit, 100_000)
    customer, other = await credit.open(limit=1_000_000), await credit.open()
    online = await credit.authorize(customer, 5_000)
    (before,) = await hand_in(credit, other_allowance, promise(customer, 1_000))
    good, twice = promise(customer, 2_000), promise(other, 3_000)
    dollars = promise(customer, 1)
    dollars.amount.currency_code = "USD"
    handed = await hand_in(
        credit,
        id_,
        good,
        promise(customer, 5_000, online.hold_id),  # authorised, and by another till
        promise(other, 1_000, before.hold_id),
        promise(customer, 1_000, before.hold_id),  # under another allowance
        promise(customer, 0),
        dollars,
        twice,
        twice,
        promise(other, 3_001, twice.hold_id),
    )
    assert [why(h) for h in handed] == [
        "",
        *["IDEMPOTENCY_CONFLICT"] * 3,
        *["INVALID_MONEY"] * 2,
        "",
        "",
        "IDEMPOTENCY_CONFLICT",
    ]
    assert all(h.HasField("hold") != h.HasField("error") for h in handed)
    assert handed[6] == handed[7]
    assert await spent(credit, id_) == (5_000, 0)
    assert (await credit.account(customer)).held.units == 8_000
    for each in (customer, other):
        await credit.check_books(each)


async def test_an_account_in_another_currency_holds_nothing(credit):
    id_ = await grant(credit, 100_000, minor_digits=2)
    customer = await credit.open()
    (handed,) = await hand_in(credit, id_, promise(customer, 1_000))
    assert why(handed) == "CURRENCY_MISMATCH"
    assert await spent(credit, id_) == (0, 0)


async def test_an_unknown_allowance_and_another_merchants_take_nothing_in(credit, credit_service, refused):
    theirs = await grant(type(credit)(credit_service), 100_000)
    customer = await credit.open()
    for id_ in (new_uuid(), theirs):
        refusal = await refused(credit.allowances.HandIn(handing(id_, promise(customer, 1))))
        assert refusal == "ALLOWANCE_NOT_FOUND"
    assert await credit.count("holds") == 0


async def test_a_hold_of_another_store_or_time_is_held_and_over(credit):
    id_ = await grant(credit, 100_000)
    customer = await credit.open()
    (elsewhere,) = await hand_in(credit, id_, promise(customer, 1_000), store_id="s2")
    (early,) = await hand_in(credit, id_, promise(customer, 2_000, when=NOON - 2 * DAY))
    (covered,) = await hand_in(credit, id_, promise(customer, 4_000))
    # A clock that cannot be believed is not: our own time covers it.
    (absurd,) = await hand_in(credit, id_, promise(customer, 8_000, when=NOON - 400 * DAY))
    over = [h.over_allowance.units for h in (elsewhere, early, covered, absurd)]
    assert over == [1_000, 2_000, 0, 0]
    assert (await credit.account(customer)).held.units == 15_000
    assert await spent(credit, id_) == (12_000, 3_000)


async def test_voiding_a_hold_gives_the_allowance_back_once(credit):
    id_ = await grant(credit, 100_000)
    customer, other = await credit.open(), await credit.open()
    first, second = await hand_in(credit, id_, promise(customer, 70_000), promise(other, 50_000))
    assert await spent(credit, id_) == (100_000, 20_000)
    for _ in range(2):
        await credit.void(other, second.hold_id)
    assert await spent(credit, id_) == (70_000, 0)
    await credit.void(customer, first.hold_id)
    assert await spent(credit, id_) == (0, 0)
    assert (await credit.account(customer)).held.units == 0
    # A void that comes first is remembered: nothing is held, and nothing taken.
    early = promise(customer, 10_000)
    await credit.void(customer, early.hold_id)
    (handed,) = await hand_in(credit, id_, early)
    assert (handed.hold.state, await spent(credit, id_)) == (VOIDED, (0, 0))


async def test_a_hold_that_nobody_sold_expires_after_a_day_and_stays_taken(alone):
    credit = await alone()
    id_ = await grant(credit, 100_000)
    customer = await credit.open()
    (handed,) = await hand_in(credit, id_, promise(customer, 10_000, when=NOON - timedelta(hours=3)))
    assert handed.hold.expires_at.ToDatetime(NOON.tzinfo) == NOON + DAY

    credit.run.clock.advance(DAY)
    await credit.run.tell(NOON + DAY)
    async with credit.run.pool.acquire() as conn, conn.transaction():
        await expire(conn, credit.run.clock.now())
    assert (await credit.hold(customer, handed.hold_id)).state == holds_pb2.HOLD_STATE_EXPIRED
    assert await spent(credit, id_) == (10_000, 0)
    await credit.deliver(credit.sale(customer, (10_000, handed.hold_id)))
    assert await open_marks(credit, customer) == [(invoices_pb2.EXCEPTION_KIND_LATE, 10_000)]
    assert await spent(credit, id_) == (10_000, 0)


async def test_a_customer_without_an_account_gets_a_suspended_one_that_holds(credit):
    id_ = await grant(credit, 100_000)
    customer = new_customer_id()
    (handed,) = await hand_in(credit, id_, promise(customer, 10_000))
    assert (handed.hold.state, handed.over_limit.units) == (PENDING, 10_000)
    account = await credit.account(customer)
    assert account.status == accounts_pb2.ACCOUNT_STATUS_SUSPENDED
    assert (account.held.units, account.time_zone) == (10_000, "Asia/Makassar")
    page = await credit.accounts.ListChanges(accounts_pb2.ListChangesRequest(customer_id=customer))
    assert [c.kind for c in page.changes] == [accounts_pb2.CHANGE_KIND_SALE]
    await credit.deliver(credit.sale(customer, (10_000, handed.hold_id)))
    assert await open_marks(credit, customer) == [(UNAUTHORISED, 10_000)]
    await credit.check_books(customer)


async def test_what_staff_resolved_before_the_hand_in_stays_as_they_left_it(credit):
    id_ = await grant(credit, 100_000)
    customer = await credit.open()
    made = promise(customer, 10_000)
    other = promise(customer, 20_000)
    for each, amount in ((made, 10_000), (other, 20_000)):
        await credit.deliver(credit.sale(customer, (amount, each.hold_id)))
    marked = {x.amount.units: x for x in await credit.exceptions_of(customer)}
    resolving = invoices_pb2.ResolveExceptionRequest(
        request_id=new_uuid(),
        exception_id=marked[10_000].exception_id,
        customer_id=customer,
        note="spoken to",
        staff_ref="boss",
    )
    await credit.invoices.ResolveException(resolving)
    await hand_in(credit, id_, made, other)
    request = invoices_pb2.ListExceptionsRequest(customer_id=customer, include_resolved=True)
    found = {x.amount.units: x for x in (await credit.invoices.ListExceptions(request)).exceptions}
    assert (found[10_000].note, found[10_000].staff_ref) == ("spoken to", "boss")
    assert found[20_000].note == f"hold {other.hold_id} was handed in under allowance {id_}"
    assert found[20_000].HasField("resolved_at")
    assert await open_marks(credit, customer) == []


# A story of one customer: what happens, and how often each may repeat. Any order must leave the same books.
async def books_after(credit, order, *, limit, promised, sold, opened, digits=0):
    id_ = await grant(credit, 50_000, minor_digits=digits)
    customer = await credit.open(limit=limit) if opened else new_customer_id()
    made = promise(customer, promised)
    sale = credit.sale(customer, (sold, made.hold_id))
    for step in order:
        if step == "sale":
            await credit.deliver(sale)
        else:
            (handed,) = await hand_in(credit, id_, made)
            assert why(handed) == ""
    account = await credit.account(customer)
    (invoice,) = await credit.invoices_of(customer)
    hold = await credit.hold(customer, made.hold_id)
    assert (await credit.invoices_of(customer))[0].invoice_id == hold.invoice_id
    await credit.check_books(customer)
    return (
        (account.status, account.posted.units, account.held.units, account.available.units),
        (invoice.amount.units, invoice.outstanding.units, invoice.exception, invoice.store_id),
        (hold.state, hold.amount.units, hold.captured_amount.units),
        await open_marks(credit, customer),
        await spent(credit, id_),
    )


ORDERS = sorted(
    {o for n in (2, 3, 4) for o in itertools.product(("sale", "hand in"), repeat=n) if len(set(o)) == 2}
)


@pytest.mark.parametrize(
    ("story", "marks", "taken"),
    [
        ({"promised": 20_000, "sold": 20_000}, [], (20_000, 0)),
        ({"promised": 20_000, "sold": 15_000}, [], (20_000, 0)),
        ({"promised": 20_000, "sold": 25_000}, [(OVER_HOLD, 5_000)], (20_000, 0)),
        ({"promised": 60_000, "sold": 60_000}, [(OVER, 10_000)], (50_000, 10_000)),
        ({"promised": 60_000, "sold": 55_000}, [(OVER, 5_000)], (50_000, 10_000)),
        ({"promised": 60_000, "sold": 61_000}, [(OVER_HOLD, 1_000), (OVER, 10_000)], (50_000, 10_000)),
        ({"promised": 20_000, "sold": 20_000, "limit": 1_000}, [], (20_000, 0)),
        ({"promised": 20_000, "sold": 20_000, "opened": False}, [(UNAUTHORISED, 20_000)], (20_000, 0)),
    ],
)
async def test_whatever_comes_first_and_however_often_the_books_are_the_same(credit, story, marks, taken):
    whole = {"limit": 1_000_000, "opened": True} | story
    outcomes = [await books_after(credit, order, **whole) for order in ORDERS]
    assert all(outcome == outcomes[0] for outcome in outcomes)
    assert outcomes[0][3:] == (marks, taken)


async def test_a_hand_in_and_its_sale_at_once_leave_the_same_books_whoever_wins(credit, other_workers):
    id_ = await grant(credit, 10_000_000)
    workers = [credit.run, *other_workers]
    customers = [await credit.open(limit=1_000_000) for _ in range(16)]
    made = [promise(customer, 20_000) for customer in customers]

    async def deliver(number):
        sale = credit.sale(customers[number], (20_000, made[number].hold_id))
        await workers[number % len(workers)].deliver(sale)

    lists = [made[n : n + 4] for n in range(0, 16, 4)]
    await asyncio.gather(
        *(deliver(n) for n in range(16)),
        *(hand_in(credit, id_, *each) for each in lists),
        *(hand_in(credit, id_, *reversed(each)) for each in lists),
    )
    assert await spent(credit, id_) == (320_000, 0)
    for customer, each in zip(customers, made, strict=True):
        assert (await credit.hold(customer, each.hold_id)).state == CAPTURED
        account = await credit.account(customer)
        assert (account.posted.units, account.held.units) == (20_000, 0)
        assert await open_marks(credit, customer) == []
        await credit.check_books(customer)


async def test_what_was_promised_to_one_of_two_who_turn_out_to_be_one_follows_the_account(alone):
    credit = await alone()
    id_ = await grant(credit, 100_000, customer_limit=30_000)
    one, other = await credit.open(), await credit.open()
    before, late = promise(one, 20_000), promise(one, 5_000)
    (first,) = await hand_in(credit, id_, before)
    await credit.deliver(under(credit, id_, other, 20_000), credit.sale(one, (5_000, late.hold_id)))
    await merge(credit, one, other)
    # The two have taken 40,000 of the 30,000 that one may take: nothing more is covered.
    (again,) = await hand_in(credit, id_, before)
    assert (again.hold_id, again.hold.state, again.hold.customer_id) == (first.hold_id, PENDING, other)
    (sold,) = await hand_in(credit, id_, late)
    assert (sold.hold.state, sold.over_allowance.units) == (CAPTURED, 5_000)
    await credit.deliver(credit.sale(one, (20_000, before.hold_id)), under(credit, id_, one, 1_000))
    assert await spent(credit, id_) == (40_000, 6_000)
    assert await open_marks(credit, other) == [(OVER, 1_000), (OVER, 5_000)]
    account = await credit.account(other)
    assert (account.posted.units, account.held.units) == (46_000, 0)
    assert (await run_audit(credit.run.pool, AUDIT)).first == []


async def test_16_hand_ins_of_one_list_at_once_take_it_in_once(credit):
    id_ = await grant(credit, 100_000)
    customer = await credit.open()
    wish = handing(id_, *(promise(customer, 1_000) for _ in range(20)))
    replies = await asyncio.gather(*(credit.allowances.HandIn(wish) for _ in range(16)))
    assert len({reply.SerializeToString(deterministic=True) for reply in replies}) == 1
    assert await spent(credit, id_) == (20_000, 0)
    assert (await credit.account(customer)).held.units == 20_000


async def test_a_till_takes_its_own_way_of_telling_once(credit):
    """A sale names the allowance or the hold; one of each kind count beside each other."""
    id_ = await grant(credit, 100_000)
    customer = await credit.open()
    (handed,) = await hand_in(credit, id_, promise(customer, 10_000))
    await credit.deliver(
        under(credit, id_, customer, 20_000), credit.sale(customer, (10_000, handed.hold_id))
    )
    assert await spent(credit, id_) == (30_000, 0)
    assert (await credit.account(customer)).posted.units == 30_000
    assert await open_marks(credit, customer) == []
    assert rupiah(30_000) == (await allowance(credit, id_)).used
