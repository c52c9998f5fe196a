"""The decisions of the credit service, by table and by random histories, without a database."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credit.accounts.model import (
    Account,
    Cause,
    Effect,
    Entry,
    Key,
    Override,
    Status,
    book,
    next_on,
    suspended,
)
from credit.holds import say
from credit.holds.model import Hold, Reason, State, declined, lapse
from credit.invoices.model import (
    Charge,
    Mark,
    Refund,
    TenderKey,
    Verdict,
    issue,
    judge,
    pay,
    take_back,
    write_off,
)
from credit.payments.model import allocate, effective

AT = datetime(2026, 5, 1, 2, 0, tzinfo=UTC)
KEY = Key("toko", "customer")


def account(**fields):
    return Account(*KEY, **{"status": Status.ACTIVE, "currency_code": "IDR", "limit": 100} | fields)


def hold(state=State.PENDING, amount=50, customer="customer"):
    return Hold("toko", "h", customer, state, amount, AT)


@pytest.mark.parametrize(
    ("of", "amount", "reason"),
    [
        (account(), 100, None),
        (account(), 101, Reason.OVER_LIMIT),
        (account(posted=40, held=30), 30, None),
        (account(posted=40, held=30), 31, Reason.OVER_LIMIT),
        (account(posted=200), 1, Reason.OVER_LIMIT),
        (account(credit_balance=20), 120, None),
        (account(limit=0), 1, Reason.OVER_LIMIT),
        (account(status=Status.SUSPENDED), 1, Reason.ACCOUNT_SUSPENDED),
        (account(status=Status.CLOSED), 1, Reason.ACCOUNT_CLOSED),
        (account(override=Override(150, AT + timedelta(seconds=1))), 150, None),
        (account(override=Override(150, AT + timedelta(seconds=1))), 151, Reason.OVER_LIMIT),
        (account(override=Override(150, AT)), 101, Reason.OVER_LIMIT),
        (account(override=Override(0, AT + timedelta(seconds=1))), 1, Reason.OVER_LIMIT),
        (account(status=Status.UNOPENED), 1, Reason.NO_ACCOUNT),
        (account(erased=True), 1, Reason.CUSTOMER_ERASED),
        (account(status=Status.UNOPENED, erased=True), 1, Reason.CUSTOMER_ERASED),
    ],
)
def test_what_is_approved(of, amount, reason):
    assert declined(of, amount, AT) is reason


@pytest.mark.parametrize(
    ("of", "reason"),
    [
        (account(), Reason.OVERDUE),
        (account(limit=0), Reason.OVERDUE),
        (account(status=Status.SUSPENDED), Reason.ACCOUNT_SUSPENDED),
        (account(status=Status.UNOPENED), Reason.NO_ACCOUNT),
        (account(erased=True), Reason.CUSTOMER_ERASED),
    ],
)
def test_what_is_said_of_a_blocked_account(of, reason):
    assert declined(of, 1, AT, blocked=True) is reason


@pytest.mark.parametrize(
    ("oldest_due", "zone", "blocked"),
    [
        (None, "Asia/Jakarta", False),
        (date(2026, 4, 17), "Asia/Jakarta", False),  # 14 days before 1 May
        (date(2026, 4, 16), "Asia/Jakarta", True),
        (date(2026, 4, 16), "America/Los_Angeles", False),  # where it is still 30 April
        (date(2026, 4, 15), "America/Los_Angeles", True),
    ],
)
def test_an_account_is_blocked_once_an_invoice_is_overdue_for_more_than_14_local_days(
    oldest_due, zone, blocked
):
    assert account(time_zone=zone).is_blocked(oldest_due, AT, 14) is blocked


@pytest.mark.parametrize(
    ("found", "amount", "alone", "verdict"),
    [
        (hold(), 50, False, Verdict(captures=True)),
        (hold(), 1, False, Verdict(captures=True)),
        (hold(), 51, False, Verdict(captures=True, mark=Mark.OVER_HOLD, excess=1)),
        (hold(State.EXPIRED), 50, False, Verdict(mark=Mark.LATE, excess=50)),
        (hold(State.VOIDED), 50, False, Verdict(mark=Mark.VOIDED_THEN_SOLD, excess=50)),
        (hold(State.DECLINED), 50, False, Verdict(mark=Mark.UNAUTHORISED, excess=50)),
        (replace(hold(State.CAPTURED), captured=40), 40, True, Verdict(links=True)),
        (replace(hold(State.CAPTURED), captured=40), 1, True, Verdict(links=True)),
        (
            replace(hold(State.CAPTURED), captured=40),
            50,
            True,
            Verdict(links=True, mark=Mark.OVER_HOLD, excess=10),
        ),
        (hold(State.CAPTURED), 50, False, Verdict(mark=Mark.UNAUTHORISED, excess=50)),
        (hold(customer="other"), 50, False, Verdict(mark=Mark.UNAUTHORISED, excess=50)),
        (None, 50, False, Verdict(mark=Mark.UNAUTHORISED, excess=50)),
    ],
)
def test_a_finished_sale_is_never_refused(found, amount, alone, verdict):
    assert judge(found, "customer", amount, alone) == verdict


@pytest.mark.parametrize(
    ("state", "now", "heard", "parked", "lapses"),
    [
        (State.PENDING, 15, 15, False, True),
        (State.PENDING, 20, 20, False, True),
        (State.PENDING, 14, 20, False, False),  # not over by the clock
        (State.PENDING, 20, 14, False, False),  # a sale of its lifetime may be on its way
        (State.PENDING, 20, 20, True, False),  # or is here and cannot be applied
        (State.CAPTURED, 20, 20, False, False),
        (State.VOIDED, 20, 20, False, False),
        (State.DECLINED, 20, 20, False, False),
        (State.EXPIRED, 20, 20, False, False),
    ],
)
def test_a_hold_lapses_when_it_is_over_and_no_sale_of_its_lifetime_can_come(
    state, now, heard, parked, lapses
):
    minutes = timedelta(minutes=1)
    kept = replace(hold(state), expires_at=AT + 15 * minutes)
    after = lapse(kept, AT + now * minutes, AT + heard * minutes, parked)
    assert after == (replace(kept, state=State.EXPIRED) if lapses else None)


def test_a_hold_without_an_end_never_lapses():
    assert lapse(hold(State.VOIDED), AT, AT, False) is None


def test_every_state_of_a_hold_has_a_verdict():
    for state in State:
        assert isinstance(judge(hold(state), "customer", 1, False), Verdict)


@pytest.mark.parametrize(
    ("zone", "days", "due"),
    [
        ("Asia/Jakarta", 30, date(2026, 5, 31)),
        ("America/Los_Angeles", 30, date(2026, 5, 30)),
        ("Pacific/Auckland", 0, date(2026, 5, 1)),
        ("Asia/Jayapura", 365, date(2027, 5, 1)),
    ],
)
def test_due_dates_count_local_days(zone, days, due):
    assert account(time_zone=zone, net_days=days).due_on(AT) == due


def test_a_sale_opens_an_account_that_approves_nothing():
    opened = suspended(Account(*KEY), "IDR", 0, "Asia/Makassar", AT)
    assert (opened.status, opened.limit, opened.available_at(AT)) == (Status.SUSPENDED, 0, 0)
    assert opened.due_on(AT) == opened.local_date(AT)


def charge(amount, number=1):
    return Charge(KEY, f"i{number}", Cause.PURCHASE, f"p{number}", amount, AT, f"p{number}", "t1")


steps = st.one_of(
    st.tuples(st.just("sale"), st.integers(1, 1_000)),
    st.tuples(st.just("pay"), st.integers(1, 1_500)),
    st.tuples(st.just("return"), st.integers(0, 20), st.integers(1, 1_000)),
    st.tuples(st.just("write off"), st.integers(0, 20)),
)


@given(st.lists(steps, max_size=30))
def test_random_histories_add_up(history):
    """What was sold, less what was returned, paid and given up, is what is owed less what the shop owes."""
    of, invoices, left = account(limit=0), [], {}
    sold = paid = refunded = 0
    for step in history:
        if step[0] == "sale":
            moved = issue(of, charge(step[1], len(invoices)))
            of = book(of, moved.entries)
            left[len(invoices)] = step[1]
            invoices.append(moved.invoice)
            sold += step[1]
        elif step[0] == "pay":
            parts, rest = allocate(
                step[1], [(str(n), i.outstanding) for n, i in enumerate(invoices) if i.outstanding]
            )
            for place, part in parts:
                moved = pay(invoices[int(place)], "x", part, AT)
                invoices[int(place)] = moved.invoice
                of = book(of, moved.entries)
            of = book(of, [Entry(KEY, Cause.PAYMENT, "x", "", Effect.CREDIT_ADDED, None, 0, rest, AT)])
            paid += step[1]
        elif step[0] == "write off":
            for invoice in invoices[step[1] : step[1] + 1]:
                if invoice.outstanding:
                    moved = write_off(invoice, "w", AT)
                    invoices[step[1]] = moved.invoice
                    of = book(of, moved.entries)
        elif invoices:
            place = step[1] % len(invoices)
            amount = min(step[2], left[place])
            refund = Refund(TenderKey("toko", "p", "t1"), KEY, "r", amount, AT)
            moved, surplus = take_back(invoices[place], refund)
            assert surplus == 0
            invoices[place] = moved.invoice
            of = book(of, moved.entries)
            left[place] -= amount
            refunded += amount
        assert of.posted == sum(i.outstanding for i in invoices)
        assert all((i.outstanding == 0) == (i.settled_at is not None) for i in invoices)
    given_up = sum(i.written_off for i in invoices)
    assert of.posted - of.credit_balance == sold - paid - refunded - given_up
    assert all(i.returned == i.amount - left[n] for n, i in enumerate(invoices))


@given(st.integers(1, 10_000), st.lists(st.integers(1, 3_000), max_size=12))
def test_a_payment_fills_invoices_in_order_and_loses_nothing(amount, owed):
    parts, rest = allocate(amount, [(str(n), o) for n, o in enumerate(owed)])
    assert sum(p for _, p in parts) + rest == amount
    assert [n for n, _ in parts] == [str(n) for n in range(len(parts))]
    assert all(p == owed[int(n)] for n, p in parts[:-1])
    assert rest == max(0, amount - sum(owed))


def test_a_refund_beyond_the_invoice_is_surplus():
    invoice = replace(issue(account(), charge(100)).invoice, paid=30)
    moved, surplus = take_back(invoice, Refund(TenderKey("toko", "p", "t1"), KEY, "r", 150, AT))
    assert surplus == 50
    assert (moved.invoice.outstanding, moved.invoice.paid, moved.invoice.returned) == (0, 0, 100)
    assert [(e.effect, e.posted, e.credit) for e in moved.entries] == [
        (Effect.RETURNED, -70, 0),
        (Effect.CREDIT_ADDED, 0, 30),
    ]


@pytest.mark.parametrize(
    ("occurred", "believed"),
    [
        (timedelta(0), True),
        (timedelta(days=-30), True),
        (timedelta(days=-30, seconds=-1), False),
        (timedelta(minutes=5), True),
        (timedelta(minutes=5, seconds=1), False),
        (None, False),
    ],
)
def test_which_time_a_payment_has(occurred, believed):
    when = None if occurred is None else AT + occurred
    assert effective(when, AT) == (when if believed else AT)


@pytest.mark.parametrize(
    ("minor", "code", "digits", "language", "text"),
    [
        (1_250_000, "IDR", 0, "id", "Rp1.250.000"),
        (1_250_000, "IDR", 0, "en", "Rp1,250,000"),
        (125_050, "IDR", 2, "id", "Rp1.250,50"),
        (5, "SGD", 2, "en", "SGD 0.05"),
        (0, "IDR", 0, "id", "Rp0"),
    ],
)
def test_amounts_are_said_as_people_write_them(minor, code, digits, language, text):
    assert say.amount(minor, code, digits, language) == text


@pytest.mark.parametrize("language", ["id", "en"])
def test_every_decline_has_a_sentence(language):
    for reason in Reason:
        assert "{" not in say.sentence(reason, "Rp1", language)


@pytest.mark.parametrize(
    ("day", "due_day", "due"),
    [
        (date(2026, 5, 1), 10, date(2026, 5, 10)),
        (date(2026, 5, 10), 10, date(2026, 6, 10)),
        (date(2026, 5, 11), 10, date(2026, 6, 10)),
        (date(2026, 12, 11), 10, date(2027, 1, 10)),
        (date(2026, 1, 31), 31, date(2026, 2, 28)),
        (date(2028, 1, 31), 31, date(2028, 2, 29)),
        (date(2026, 2, 28), 31, date(2026, 3, 31)),
        (date(2026, 4, 29), 31, date(2026, 4, 30)),
    ],
)
def test_a_fixed_day_of_the_month_is_the_next_one_after_the_sale(day, due_day, due):
    assert next_on(day, due_day) == due
    at = datetime.combine(day, datetime.min.time(), UTC)
    assert account(due_day=due_day).due_on(at) == due


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.integers(1, 31))
def test_a_fixed_day_of_the_month_comes_within_a_month_and_never_at_once(day, due_day):
    assert day < next_on(day, due_day) <= day + timedelta(days=31)
