"""What becomes of an invoice, by table, without a database."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from credit.accounts.model import Cause, Effect
from credit.holds.model import State
from credit.invoices.model import (
    Invoice,
    InvoiceKey,
    Mark,
    Refund,
    Standing,
    TenderKey,
    Verdict,
    issue,
    judge,
    pay,
    take_back,
    unpay,
    write_off,
)
from tests.credit.models import AT, KEY, account, charge, entry, hold, owed


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


def test_every_state_of_a_hold_has_a_verdict():
    for state in State:
        assert isinstance(judge(hold(state), "customer", 1, False), Verdict)


def test_a_refund_beyond_the_invoice_is_surplus():
    invoice = replace(issue(account(), charge(100)).invoice, paid=30)
    moved, surplus = take_back(invoice, Refund(TenderKey("toko", "p", "t1"), KEY, "r", 150, AT))
    assert surplus == 50
    assert (moved.invoice.outstanding, moved.invoice.paid, moved.invoice.returned) == (0, 0, 100)
    assert [(e.effect, e.posted, e.credit) for e in moved.entries] == [
        (Effect.RETURNED, -70, 0),
        (Effect.CREDIT_ADDED, 0, 30),
    ]


def test_a_sale_makes_an_invoice_of_its_local_day_and_lines_that_name_sale_tender_and_invoice():
    of = account(net_days=14, time_zone="America/Los_Angeles")  # where it is still 30 April
    made = issue(of, replace(charge(100), hold_id="h1", mark=Mark.LATE, store_id="s1"))
    assert made.invoice == Invoice(
        merchant_id="toko",
        invoice_id="i1",
        customer_id="customer",
        purchase_id="p1",
        tender_id="t1",
        hold_id="h1",
        amount=100,
        issued_on=date(2026, 4, 30),
        due_on=date(2026, 5, 14),
        issued_at=AT,
        mark=Mark.LATE,
        store_id="s1",
    )
    assert made.entries == (entry(Cause.PURCHASE, "p1", "t1", Effect.CHARGED, 100),)


def test_what_was_paid_out_and_is_owed_again_is_due_on_the_day_itself():
    of = account(net_days=14, time_zone="America/Los_Angeles")
    assert issue(of, replace(charge(100), due_at_once=True)).invoice.due_on == date(2026, 4, 30)


@pytest.mark.parametrize(
    ("credit", "used", "settled"), [(0, 0, None), (1, 1, None), (100, 100, AT), (130, 100, AT)]
)
def test_what_the_shop_owes_is_used_by_the_next_invoice(credit, used, settled):
    made = issue(account(credit_balance=credit), charge(100))
    assert (made.invoice.paid, made.invoice.settled_at) == (used, settled)
    line = entry(Cause.PURCHASE, "p1", "t1", Effect.CREDIT_USED, -used, -used)
    assert made.entries[1:] == ((line,) if used else ())


@pytest.mark.parametrize(
    ("of", "standing"),
    [
        (owed(), Standing.OPEN),
        (owed(returned=99), Standing.OPEN),
        (owed(paid=1), Standing.PARTIALLY_PAID),
        (owed(paid=100), Standing.PAID),
        (owed(paid=1, returned=99), Standing.PAID),
        (owed(returned=100), Standing.CANCELLED),
        (owed(written_off=100), Standing.WRITTEN_OFF),
        (owed(paid=60, returned=39, written_off=1), Standing.WRITTEN_OFF),
        (owed(paid=60, written_off=39), Standing.PARTIALLY_PAID),
    ],
)
def test_where_an_invoice_stands_follows_from_its_figures(of, standing):
    assert of.standing is standing
    assert of.outstanding == 100 - of.paid - of.returned - of.written_off


def test_an_invoice_belongs_to_an_account_and_is_named_by_merchant_and_id():
    assert owed().key == InvoiceKey("toko", "i1")
    assert owed().account_key == KEY


@pytest.mark.parametrize(("day", "days"), [(30, 0), (31, 0), (1, 1), (2, 2)])
def test_an_invoice_is_overdue_from_the_day_after_its_due_date_while_anything_is_owed(day, days):
    today = date(2026, 5 if day > 2 else 6, day)
    of = owed(due_on=date(2026, 5, 31), paid=99)
    assert of.days_overdue(today) == days
    assert replace(of, paid=100).days_overdue(today) == 0


# What is refunded of an invoice of 100: owed first, then given up, then paid; the rest is surplus.
@pytest.mark.parametrize(
    ("before", "refunded", "after", "off", "undone", "credit", "surplus"),
    [
        (owed(), 30, owed(returned=30), 30, 0, 0, 0),
        (owed(), 100, owed(returned=100, settled_at=AT), 100, 0, 0, 0),
        (owed(paid=60), 50, owed(paid=50, returned=50, settled_at=AT), 40, 0, 10, 0),
        (owed(written_off=100), 30, owed(written_off=70, returned=30, settled_at=AT), 0, 30, 0, 0),
        # Owed again, by a payment that turned out to be none, after the rest had been given up.
        (owed(written_off=60), 45, owed(written_off=55, returned=45, settled_at=AT), 40, 5, 0, 0),
        (owed(paid=40, written_off=35), 70, owed(paid=30, returned=70, settled_at=AT), 25, 35, 10, 0),
        (owed(paid=100), 101, owed(returned=100, settled_at=AT), 0, 0, 100, 1),
        (owed(returned=100), 7, owed(returned=100, settled_at=AT), 0, 0, 0, 7),
    ],
)
def test_a_refund_is_taken_off_what_is_owed_then_given_up_then_paid(
    before, refunded, after, off, undone, credit, surplus
):
    moved, left = take_back(before, Refund(TenderKey("toko", "p1", "t1"), KEY, "r1", refunded, AT))
    assert (moved.invoice, left) == (after, surplus)
    lines = (
        entry(Cause.RETURN, "r1", "t1", Effect.WRITE_OFF_UNDONE, undone),
        entry(Cause.RETURN, "r1", "t1", Effect.RETURNED, -off - undone),
        entry(Cause.RETURN, "r1", "t1", Effect.CREDIT_ADDED, 0, credit),
    )
    assert moved.entries == tuple(line for line in lines if line.posted or line.credit)


def test_a_settled_invoice_keeps_the_moment_of_its_settling():
    of = owed(paid=100, settled_at=AT - timedelta(days=1))
    moved, _ = take_back(of, Refund(TenderKey("toko", "p1", "t1"), KEY, "r1", 30, AT))
    assert moved.invoice.settled_at == AT - timedelta(days=1)


@pytest.mark.parametrize(("amount", "settled"), [(1, None), (39, None), (40, AT)])
def test_a_payment_pays_its_part_of_an_invoice_and_its_line_names_both(amount, settled):
    of = owed(paid=60)
    moved = pay(of, "pay1", amount, AT)
    assert moved.invoice == replace(of, paid=60 + amount, settled_at=settled)
    assert moved.entries == (entry(Cause.PAYMENT, "pay1", "i1", Effect.PAID, -amount),)


@pytest.mark.parametrize("amount", [0, -1, 41])
def test_no_payment_pays_more_than_is_owed_or_nothing(amount):
    with pytest.raises(AssertionError, match=r"^a payment never pays more than an invoice owes$"):
        pay(owed(paid=60), "pay1", amount, AT)


@pytest.mark.parametrize("amount", [1, 60])
@pytest.mark.parametrize(("effect", "credit"), [(Effect.UNPAID, 0), (Effect.CREDIT_UNUSED, 1)])
def test_what_is_undone_of_a_payment_is_owed_again_and_its_line_mirrors_the_payments(amount, effect, credit):
    of = owed(60, paid=60, settled_at=AT)
    moved = unpay(of, "pay1", effect, amount, AT)
    assert moved.invoice == replace(of, paid=60 - amount, settled_at=None)
    assert moved.entries == (entry(Cause.REVERSAL, "pay1", "i1", effect, amount, credit * amount),)


@pytest.mark.parametrize("amount", [0, -1, 61])
def test_no_more_is_undone_than_was_paid(amount):
    with pytest.raises(AssertionError, match=r"^no more is undone than was paid$"):
        unpay(owed(paid=60), "pay1", Effect.UNPAID, amount, AT)


@pytest.mark.parametrize(
    ("before", "given_up"), [(owed(), 100), (owed(paid=99), 1), (owed(paid=40, written_off=5), 55)]
)
def test_what_is_still_owed_is_given_up_whole_and_its_line_names_the_request(before, given_up):
    moved = write_off(before, "w1", AT)
    assert moved.invoice == replace(before, written_off=before.written_off + given_up, settled_at=AT)
    assert moved.entries == (entry(Cause.WRITE_OFF, "w1", "i1", Effect.WRITTEN_OFF, -given_up),)


def test_nothing_is_given_up_of_what_is_not_owed():
    with pytest.raises(AssertionError, match=r"^only what is owed is given up$"):
        write_off(owed(paid=100), "w1", AT)
