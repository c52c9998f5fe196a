"""A statement adds up, and every balance is explained by what made it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from google.type.date_pb2 import Date
from hypothesis import given
from hypothesis import strategies as st

from credit.statements.model import period
from kit.ids import new_customer_id
from langganan.credit.v1 import statements_pb2 as pb
from langganan.credit.v1 import statements_pb2_grpc
from tests.credit.paying import giving_up, owing, paying_out, reverse


def day(of):
    return Date(year=of.year, month=of.month, day=of.day)


async def statement(credit, customer, first, last, size=200):
    """All pages of a statement as one."""
    whole, token = None, ""
    while True:
        request = pb.GetStatementRequest(
            customer_id=customer, first_day=day(first), last_day=day(last), page_size=size, page_token=token
        )
        page = await credit.statements.GetStatement(request)
        if whole is None:
            whole = page
        else:
            assert (page.opening, page.closing) == (whole.opening, whole.closing)
            whole.entries.extend(page.entries)
        token = page.next_page_token
        if not token:
            return whole


def both(balances):
    return balances.posted.units, balances.credit_balance.units


async def lived(credit):
    """A customer with a bit of everything: sales 20 and 19 days ago, all else now."""
    customer, (first, _) = await owing(credit, 30_000, 20_000)
    now = credit.run.clock.now()
    bounced = await credit.pay(customer, 60_000, allow=True)
    await credit.payments.PayOut(paying_out(customer, 4_000))
    sale = credit.sale(customer, (8_000, None), at=now)
    await credit.deliver(sale, credit.returned(sale, 8_000, at=now))
    await reverse(credit, bounced)
    await credit.pay(customer, 5_000)
    await credit.invoices.WriteOff(giving_up(customer, first))
    return customer


@pytest.mark.parametrize("size", [1, 3, 200])
async def test_a_statement_adds_up_whatever_its_pages_and_its_period(credit, size):
    customer = await lived(credit)
    today = credit.run.clock.now().date()
    account = await credit.account(customer)
    for back in (0, 19, 20, 300):
        told = await statement(credit, customer, today - timedelta(days=back), today, size)
        posted = told.opening.posted.units + sum(e.posted.units for e in told.entries)
        balance = told.opening.credit_balance.units + sum(e.credit_balance.units for e in told.entries)
        assert (posted, balance) == both(told.closing)
        assert both(told.closing) == (account.posted.units, account.credit_balance.units)
        assert both(told.entries[0].after) == both(told.closing)
        # Each line is the one before it, plus what it changes.
        running = both(told.opening)
        for entry in reversed(told.entries):
            running = (running[0] + entry.posted.units, running[1] + entry.credit_balance.units)
            assert both(entry.after) == running
    older = await statement(credit, customer, today - timedelta(days=300), today - timedelta(days=1), size)
    newer = await statement(credit, customer, today, today, size)
    assert both(older.closing) == both(newer.opening) == (50_000, 0)


async def test_every_line_names_its_cause_its_effect_and_its_invoice(credit):
    customer, (invoice,) = await owing(credit, 30_000)
    paid = await credit.pay(customer, 31_000, allow=True)
    today = credit.run.clock.now().date()
    told = await statement(credit, customer, today - timedelta(days=30), today)
    added, settled, charged = told.entries
    (sold,) = await credit.invoices_of(customer)
    assert (charged.cause, charged.effect) == (pb.ENTRY_CAUSE_PURCHASE, pb.ENTRY_EFFECT_CHARGED)
    assert (charged.cause_id, charged.invoice_id) == (sold.purchase_id, invoice)
    assert (settled.cause, settled.effect) == (pb.ENTRY_CAUSE_PAYMENT, pb.ENTRY_EFFECT_PAID)
    assert (settled.cause_id, settled.invoice_id, settled.posted.units) == (paid.payment_id, invoice, -30_000)
    assert (added.effect, added.invoice_id) == (pb.ENTRY_EFFECT_CREDIT_ADDED, "")
    assert added.entry_no > settled.entry_no > charged.entry_no


async def test_a_statement_begins_and_ends_at_local_midnight(credit):
    customer = await credit.open(zone="Asia/Jayapura")  # UTC+9
    midnight = datetime(2026, 2, 9, 15, tzinfo=UTC)  # where the 10th of February begins
    for amount, at in ((1_000, midnight - timedelta(seconds=1)), (2_000, midnight)):
        await credit.deliver(credit.sale(customer, (amount, None), at=at))
    for number, posted in ((9, 1_000), (10, 2_000)):
        told = await statement(credit, customer, date(2026, 2, number), date(2026, 2, number))
        assert [e.posted.units for e in told.entries] == [posted]


async def test_bad_periods_and_strangers_hear_nothing(credit, refused):
    customer, _ = await owing(credit, 1_000)

    async def asked(first, last, who=customer, **more):
        request = pb.GetStatementRequest(customer_id=who, first_day=first, last_day=last, **more)
        return await refused(credit.statements.GetStatement(request))

    good = Date(year=2026, month=3, day=1)
    assert await asked(Date(year=2026, month=2, day=30), good) == "INVALID_DATE"
    assert await asked(good, Date(year=2026, month=2, day=1)) == "INVALID_PERIOD"
    assert await asked(good, good, new_customer_id()) == "ACCOUNT_NOT_FOUND"
    assert await asked(good, good, page_token="bm9uZQ") == "INVALID_PAGE_TOKEN"
    whole = await statement(credit, customer, date(1, 1, 1), date(9999, 12, 31))
    assert len(whole.entries) == 1
    stranger = credit.run.stub(statements_pb2_grpc.StatementServiceStub, merchant="somebody-else")
    request = pb.GetStatementRequest(customer_id=customer, first_day=good, last_day=good)
    assert await refused(stranger.GetStatement(request)) == "ACCOUNT_NOT_FOUND"


async def explained(credit, customer, balance, size):
    entries, holds, token = [], [], ""
    while True:
        request = pb.ExplainBalanceRequest(
            customer_id=customer, balance=balance, page_size=size, page_token=token
        )
        page = await credit.statements.ExplainBalance(request)
        entries += page.entries
        holds += page.holds
        token = page.next_page_token
        if not token:
            return page, entries, holds


@pytest.mark.parametrize("size", [1, 200])
async def test_every_balance_is_the_sum_of_what_explains_it(credit, size):
    customer = await lived(credit)
    await credit.pay(customer, 70_000, allow=True)
    pending = [await credit.authorize(customer, amount) for amount in (3_000, 4_000)]
    await credit.void(customer, (await credit.authorize(customer, 5_000)).hold_id)
    account = await credit.account(customer)
    page, entries, _ = await explained(credit, customer, pb.BALANCE_KIND_POSTED, size)
    assert sum(e.posted.units for e in entries) == page.kept.units == account.posted.units
    assert all(e.posted.units for e in entries)
    page, entries, _ = await explained(credit, customer, pb.BALANCE_KIND_CREDIT_BALANCE, size)
    assert sum(e.credit_balance.units for e in entries) == page.kept.units == account.credit_balance.units > 0
    page, _, holds = await explained(credit, customer, pb.BALANCE_KIND_HELD, size)
    assert sum(h.amount.units for h in holds) == page.folded.units == account.held.units == 7_000
    assert {h.hold_id for h in holds} == {h.hold_id for h in pending}
    assert page.consistent


async def test_a_balance_that_was_tampered_with_is_told_as_inconsistent(alone, refused):
    credit = await alone()
    customer, _ = await owing(credit, 10_000)
    await credit.run.pool.execute("UPDATE accounts SET posted = 10001, held = 1")
    page, _, _ = await explained(credit, customer, pb.BALANCE_KIND_POSTED, 50)
    assert (page.kept.units, page.folded.units, page.consistent) == (10_001, 10_000, False)
    page, _, _ = await explained(credit, customer, pb.BALANCE_KIND_HELD, 50)
    assert (page.kept.units, page.folded.units, page.consistent) == (1, 0, False)
    page, _, _ = await explained(credit, customer, pb.BALANCE_KIND_CREDIT_BALANCE, 50)
    assert page.consistent
    unsaid = pb.ExplainBalanceRequest(customer_id=customer)
    assert await refused(credit.statements.ExplainBalance(unsaid)) == "INVALID_FIELDS"
    nobody = pb.ExplainBalanceRequest(customer_id=new_customer_id(), balance=pb.BALANCE_KIND_HELD)
    assert await refused(credit.statements.ExplainBalance(nobody)) == "ACCOUNT_NOT_FOUND"


ZONES = st.sampled_from(["Asia/Jakarta", "Pacific/Kiritimati", "Pacific/Pago_Pago", "America/Sao_Paulo"])


@given(st.dates(date(1900, 1, 1), date(2100, 1, 1)), st.integers(0, 400), ZONES)
def test_periods_that_follow_each_other_touch_and_never_overlap(first, length, zone):
    last = first + timedelta(days=length)
    of, after = period(first, last, zone), period(last + timedelta(days=1), last + timedelta(days=9), zone)
    assert of.opens < of.closes == after.opens
