"""Once a local day a customer hears what is due: against a real database, with a clock that is moved."""

from __future__ import annotations

import asyncio
import contextlib
import json
from datetime import UTC, date, datetime, timedelta

import asyncpg

from credit.accounts import store as accounts
from credit.accounts.model import Key
from credit.invoices import store as invoices
from credit.notices.model import Ladders, Notice, Steps, begun
from credit.notices.store import add, claim_columns, queries
from kit.events import Outgoing
from kit.ids import new_customer_id, new_uuid
from kit.sweep import Sweeper
from kit.testing.eventually import eventually
from langganan.credit.v1 import invoices_pb2
from langganan.events.v1 import credit_pb2, customers_pb2

# 10:00 in Jakarta; a sale of then with ten net days is due on 11 May.
SOLD = datetime(2026, 5, 1, 3, tzinfo=UTC)
DUE = date(2026, 5, 11)
NOTICES = (credit_pb2.PaymentDue, credit_pb2.PaymentOverdue)


async def notices(credit, customer=None):
    """What was said of what is owed, as (kind, local date, overdue, due), amounts in the order listed."""
    said = [p for p in await credit.run.published() if isinstance(p, NOTICES)]
    return [
        (
            "overdue" if isinstance(p, credit_pb2.PaymentOverdue) else "due",
            date(p.local_date.year, p.local_date.month, p.local_date.day),
            [i.outstanding for i in getattr(p, "overdue", [])],
            [i.outstanding for i in p.due],
        )
        for p in said
        if customer in (None, p.customer_id)
    ]


async def sweep(credit, at=None):
    """Move the clock to an instant and give what is to be given then; return how many notices that were."""
    if at is not None:
        credit.run.clock.advance(at - credit.run.clock.now())
    return await sweeper(credit).look()


def sweeper(credit):
    (found,) = [s for s in credit.run.service.sweeps if s.name == "notices"]
    return Sweeper(found, credit.run.pool, credit.run.clock)


async def owing(credit, amount=50_000, *, net_days=10, zone="Asia/Jakarta", at=SOLD):
    customer = await credit.open(net_days=net_days, zone=zone)
    await credit.deliver(credit.sale(customer, (amount, None), at=at))
    return customer


async def test_a_customer_hears_three_days_before_on_the_day_and_1_7_and_14_days_after_and_no_more(alone):
    credit = await alone(SOLD)
    customer = await owing(credit)
    for hours in range(0, 40 * 24, 12):
        await sweep(credit, SOLD + timedelta(hours=hours))
    assert await notices(credit, customer) == [
        ("due", date(2026, 5, 8), [], [50_000]),
        ("due", date(2026, 5, 11), [], [50_000]),
        ("overdue", date(2026, 5, 12), [50_000], []),
        ("overdue", date(2026, 5, 18), [50_000], []),
        ("overdue", date(2026, 5, 25), [50_000], []),
    ]


async def test_one_event_lists_all_that_is_overdue_and_all_that_is_due_soon(alone):
    credit = await alone(SOLD)
    customer = await owing(credit, 10_000)  # due on the 11th
    for days, amount in ((1, 20_000), (3, 30_000), (4, 40_000), (5, 50_000)):
        await credit.deliver(credit.sale(customer, (amount, None), at=SOLD + timedelta(days=days)))
    await sweep(credit, datetime(2026, 5, 12, 3, tzinfo=UTC))
    assert await notices(credit) == [("overdue", date(2026, 5, 12), [10_000], [20_000, 30_000, 40_000])]
    (said,) = [p for p in await credit.run.published() if isinstance(p, NOTICES)]
    assert (said.currency_code, said.minor_digits, said.customer_id) == ("IDR", 0, customer)
    listed = {i.invoice_id: i.due_on.day for i in (*said.overdue, *said.due)}
    known = {i.invoice_id: i.due_on.day for i in await credit.invoices_of(customer)}
    assert listed.items() <= known.items()
    time = await credit.run.pool.fetchval("SELECT time FROM outbox WHERE type = 'payment-overdue'")
    assert time == credit.run.clock.now()


async def test_nothing_is_said_before_the_hour_and_the_hour_is_a_setting(alone):
    early, late = await alone(SOLD, notice_hour=6), await alone(SOLD)
    half_past_six = datetime(2026, 5, 10, 23, 30, tzinfo=UTC)
    for credit in (early, late):
        await owing(credit)
        await sweep(credit, half_past_six)
    assert [day for _, day, _, _ in await notices(early)] == [DUE]
    assert await notices(late) == []


async def test_zones_on_both_sides_of_the_date_line_hear_on_their_own_day(alone):
    credit = await alone(SOLD)
    east = await owing(credit, zone="Pacific/Kiritimati")  # 10:00 UTC is midnight of the next day there
    west = await owing(credit, zone="Pacific/Pago_Pago")  # and 23:00 of the day before here
    said_at = {}
    for hour in range(16 * 24):
        await sweep(credit, SOLD + timedelta(hours=hour))
        for customer in (east, west):
            said = await notices(credit, customer)
            if said and said[-1][1] not in said_at.setdefault(customer, {}):
                said_at[customer][said[-1][1]] = credit.run.clock.now()
    # Sold at 17:00 of 1 May in Kiritimati and at 16:00 of 30 April in Pago Pago.
    days = [timedelta(days=days) for days in (-3, 0, 1)]
    assert list(said_at[east])[:3] == [date(2026, 5, 11) + d for d in days]
    assert list(said_at[west])[:3] == [date(2026, 5, 10) + d for d in days]
    assert {at.hour for at in said_at[east].values()} == {19}  # 9:00 at UTC+14
    assert {at.hour for at in said_at[west].values()} == {20}  # 9:00 at UTC-11


async def test_an_outage_over_the_hour_is_caught_up_the_same_local_day_and_never_the_next(alone):
    credit = await alone(SOLD)
    customer = await owing(credit)
    await sweep(credit, datetime(2026, 5, 8, 16, 59, tzinfo=UTC))  # one minute before midnight
    assert await notices(credit, customer) == [("due", date(2026, 5, 8), [], [50_000])]
    # The worker sleeps from then over the due date and the day after it.
    await sweep(credit, datetime(2026, 5, 12, 17, 0, tzinfo=UTC))
    await sweep(credit, datetime(2026, 5, 13, 10, 0, tzinfo=UTC))
    assert len(await notices(credit, customer)) == 1
    await sweep(credit, datetime(2026, 5, 18, 10, 0, tzinfo=UTC))
    assert [day for _, day, _, _ in await notices(credit, customer)][1:] == [date(2026, 5, 18)]


async def test_a_paid_invoice_is_not_spoken_of_and_a_part_paid_one_with_what_is_left(alone):
    credit = await alone(SOLD)
    paid, part = await owing(credit), await owing(credit)
    await credit.pay(paid, 50_000)
    await credit.pay(part, 20_000)
    await sweep(credit, datetime(2026, 5, 11, 3, tzinfo=UTC))
    assert await notices(credit, paid) == []
    assert await notices(credit, part) == [("due", DUE, [], [30_000])]


async def test_a_return_that_settles_an_invoice_silences_it(alone):
    credit = await alone(SOLD)
    whole, half = await credit.open(net_days=10), await credit.open(net_days=10)
    sales = {c: credit.sale(c, (50_000, None), at=SOLD) for c in (whole, half)}
    await credit.deliver(*sales.values())
    await credit.deliver(credit.returned(sales[whole], 50_000, at=SOLD + timedelta(days=1)))
    await credit.deliver(credit.returned(sales[half], 25_000, at=SOLD + timedelta(days=1)))
    await sweep(credit, datetime(2026, 5, 12, 3, tzinfo=UTC))
    assert await notices(credit, whole) == []
    assert await notices(credit, half) == [("overdue", date(2026, 5, 12), [25_000], [])]


async def test_what_falls_due_by_a_sale_after_the_hour_waits_for_its_next_day(alone):
    credit = await alone(SOLD)
    morning = await owing(credit, net_days=0, at=datetime(2026, 5, 1, 1, tzinfo=UTC))
    evening = await owing(credit, net_days=0)
    await sweep(credit)
    assert await notices(credit, morning) == [("due", date(2026, 5, 1), [], [50_000])]
    assert await notices(credit, evening) == []
    await sweep(credit, SOLD + timedelta(days=1))
    assert await notices(credit, evening) == [("overdue", date(2026, 5, 2), [50_000], [])]


async def test_accounts_that_approve_nothing_still_hear_of_what_they_owe(alone):
    credit = await alone(SOLD)
    suspended = new_customer_id()  # opened by the sale: due at once
    await credit.deliver(credit.sale(suspended, (10_000, None), at=SOLD, zone="Asia/Jakarta"))
    erased = await owing(credit)
    gone = customers_pb2.CustomerErased(merchant_id=credit.merchant, customer_id=erased)
    await credit.deliver(Outgoing("customer-erased", credit.merchant, erased, gone, SOLD))
    await sweep(credit, datetime(2026, 5, 2, 3, tzinfo=UTC))
    assert await notices(credit, suspended) == [("overdue", date(2026, 5, 2), [10_000], [])]
    await sweep(credit, datetime(2026, 5, 11, 3, tzinfo=UTC))
    assert await notices(credit, erased) == [("due", DUE, [], [50_000])]


async def test_eight_sweepers_at_once_say_it_once(alone):
    credit = await alone(SOLD)
    customers = [await owing(credit) for _ in range(30)]
    credit.run.clock.advance(timedelta(days=11))
    await asyncio.gather(*(sweeper(credit).look() for _ in range(8)))
    await sweep(credit)
    said = [p.customer_id for p in await credit.run.published() if isinstance(p, NOTICES)]
    assert sorted(said) == sorted(customers)


async def test_what_another_sweeper_said_a_moment_ago_is_not_said_again(alone):
    credit = await alone(SOLD)
    customer = await owing(credit)
    at = SOLD + timedelta(days=10)
    async with credit.run.pool.acquire() as conn, conn.transaction():
        key = Key(credit.merchant, customer)
        account = (await accounts.read(conn, [key]))[key]
        (invoice,) = (await invoices.due_until(conn, {key: DUE}))[key]
        said = Notice(account, DUE, (), (invoice,))
        assert await add(conn, [said], at) == [said]
        assert await add(conn, [said], at) == []


async def test_those_who_wait_for_their_hour_keep_nobody_from_being_told(alone):
    credit = await alone(SOLD)
    customer = await owing(credit, at=datetime(2026, 5, 1, 1, tzinfo=UTC), net_days=0)
    others = [new_customer_id() for _ in range(1_200)]  # more than one claim could hold
    early = datetime(2026, 5, 1, 1, tzinfo=UTC)
    # Sold after the hour in Jakarta; and on the afternoon of the day before, which it still is in Adak.
    ways = [{"at": SOLD, "zone": "Asia/Jakarta"}, {"at": early, "zone": "America/Adak"}]
    sales = [credit.sale(c, (1_000, None), **ways[number % 2]) for number, c in enumerate(others)]
    for start in range(0, len(sales), 400):
        await credit.deliver(*sales[start : start + 400])
    assert await sweep(credit) == 1
    assert len(await notices(credit, customer)) == 1


async def test_a_sweeper_that_dies_in_its_transaction_has_said_nothing_and_the_next_says_it_once(alone):
    credit = await alone(SOLD)
    customer = await owing(credit)
    credit.run.clock.advance(timedelta(days=10))
    (found,) = [s for s in credit.run.service.sweeps if s.name == "notices"]
    conn = await credit.run.pool.acquire()
    transaction = conn.transaction()
    await transaction.start()
    assert await found.run(conn, credit.run.clock.now()) == 1
    conn.terminate()
    with contextlib.suppress(asyncpg.InterfaceError):
        await credit.run.pool.release(conn)
    assert await notices(credit, customer) == []
    # The dead session's lock goes when Postgres notices; until then the account is skipped.
    await eventually(lambda: sweep(credit))
    assert await sweep(credit) == 0
    assert len(await notices(credit, customer)) == 1


async def test_a_locked_account_holds_up_nobody_else(alone):
    credit = await alone(SOLD)
    locked, free = await owing(credit), await owing(credit)
    credit.run.clock.advance(timedelta(days=10))
    async with credit.run.pool.acquire() as conn, conn.transaction():
        await conn.execute("SELECT 1 FROM accounts WHERE customer_id = $1 FOR NO KEY UPDATE", locked)
        await sweep(credit)
        assert await notices(credit, locked) == []
        assert len(await notices(credit, free)) == 1
        # Whoever holds the lock settles the invoice; then there is nothing to say any more.
    await credit.pay(locked, 50_000)
    await sweep(credit)
    assert await notices(credit, locked) == []


async def test_more_than_one_claims_worth_is_said_in_one_look(alone):
    credit = await alone(SOLD)
    customers = [new_customer_id() for _ in range(450)]
    await credit.deliver(*(credit.sale(c, (1_000, None), at=SOLD, zone="Asia/Jakarta") for c in customers))
    assert await sweep(credit, SOLD + timedelta(days=1)) == 450
    assert await sweep(credit) == 0
    assert len(await notices(credit)) == 450


async def test_a_quiet_day_costs_a_few_pages_however_many_invoices_are_open(alone):
    credit = await alone(SOLD)
    await credit.run.pool.execute(
        """
        INSERT INTO accounts (merchant_id, customer_id, status, currency_code, time_zone, posted)
        SELECT 'toko', 'c' || n, 'ACTIVE', 'IDR', 'Asia/Jakarta', 1000 FROM generate_series(1, 20000) AS n
        """
    )
    await credit.run.pool.execute(
        """
        INSERT INTO invoices (
            merchant_id, invoice_id, customer_id, amount, issued_on, due_on, issued_at
        )
        SELECT 'toko', gen_random_uuid(), 'c' || n, 1000, '2026-05-01', '2026-05-11', '2026-05-01T03:00Z'
        FROM generate_series(1, 20000) AS n
        """
    )
    await credit.run.pool.execute("VACUUM ANALYZE invoices, accounts")

    steps = Steps(9, frozenset({-3, 0, 1, 7, 14}))

    async def pages(day, ladders):
        now = datetime(2026, 5, day, 3, tzinfo=UTC)
        async with credit.run.pool.acquire() as conn, conn.transaction():
            days = begun(9, await accounts.zones(conn), now)
            plan = await conn.fetchval(
                f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {queries.claim.sql}",
                *claim_columns(days, ladders).values(),
                200,
            )
            return json.loads(plan)[0]["Plan"]["Shared Hit Blocks"]

    usual = Ladders(steps, {})
    assert await pages(10, usual) < 50
    assert await pages(11, usual) > 500
    # With steps of its own a shop is looked up by itself: a few pages a shop and step.
    own = Ladders(steps, {"toko": Steps(9, frozenset(range(2, 9)))} | {f"t{n}": steps for n in range(20)})
    assert await pages(10, own) < 50 + 4 * (7 + 20 * 5)
    assert await pages(13, own) > 500


async def test_what_staff_say_in_the_morning_is_not_said_again_by_the_days_notice(alone):
    credit = await alone(SOLD)
    reminded, other = await owing(credit), await owing(credit)
    early = datetime(2026, 5, 11, 1, tzinfo=UTC)  # 8:00 in Jakarta
    credit.run.clock.advance(early - credit.run.clock.now())
    request = invoices_pb2.SendReminderRequest(request_id=new_uuid(), customer_id=reminded)
    await credit.invoices.SendReminder(request)
    assert await sweep(credit, early + timedelta(hours=2)) == 1
    assert await notices(credit, reminded) == [("due", DUE, [], [50_000])]
    assert await notices(credit, other) == [("due", DUE, [], [50_000])]
    # On the next step's day it speaks up by itself again.
    assert await sweep(credit, early + timedelta(days=1, hours=2)) == 2
