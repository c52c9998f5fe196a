"""The judge is awake: a wrong answer to a till is a complaint, a right one is none."""

import datetime
from dataclasses import replace

import pytest

from local.demo import baskets
from local.demo.journal import CreditAsked, Fact, Journal, Paid, PointsAsked, ReturnDone, SaleDone, Tendered
from local.demo.oracle.books import Books
from local.demo.oracle.days import local_date
from local.demo.oracle.fold import Oracle
from local.demo.people import Directory, Person
from local.demo.script import DAY

MADE = baskets.load(20, seed=4)
HOUSEHOLD = int(MADE.households[0])
FIRST = next(index for index, total in enumerate(MADE.totals) if total >= 50_000)
TOTAL = int(MADE.totals[FIRST])
PERSON: Person = replace(
    Directory(4).person(HOUSEHOLD), credit_limit=TOTAL, terms_days=7, email="sari@example.com", born=None
)
EVENING = (int(MADE.at[FIRST]) // DAY + 1) * DAY  # when that day's baskets are played
MORNING = EVENING + 3 * 3600


def judged(*facts: Fact, mornings: int = 0) -> Books:
    """Judge facts of the first evening, after which so many days pass."""
    journal = Journal(customers={HOUSEHOLD: "C"})
    journal.stop(EVENING)
    for fact in facts:
        journal.note("C", fact)
    for day in range(mornings):
        journal.stop(MORNING + day * DAY)
    return Oracle(MADE, {HOUSEHOLD: PERSON}, credit=True).books(HOUSEHOLD, "C", "Asia/Jakarta", journal)


def sale(kind: str = "CASH", amount: int = TOTAL) -> SaleDone:
    return SaleDone(FIRST, "P", "C", int(MADE.at[FIRST]), (Tendered("1", kind, amount, 0, "H"),))


@pytest.mark.parametrize(
    "facts",
    [
        (sale(amount=TOTAL - 100),),
        (CreditAsked("H", "C", TOTAL + 1, True, False),),
        (CreditAsked("H", "C", TOTAL, False, False),),
        (sale("ON_ACCOUNT"), CreditAsked("H2", "C", 1, True, False)),
        (PointsAsked("R", "C", 0, 10, 100, True, False),),
        (PointsAsked("R", "C", 5, 0, 0, True, False),),
        (sale(), PointsAsked("R", "C", 0, 1, 10, True, False)),
        (sale("ON_ACCOUNT"), Paid("Y", "C", 0, 100, TOTAL - 1)),
    ],
)
def test_an_answer_against_the_rules_is_a_complaint(facts: tuple[Fact, ...]) -> None:
    assert judged(*facts).complaints


def test_right_answers_bring_no_complaint_and_the_books_follow() -> None:
    books = judged(
        CreditAsked("H", "C", TOTAL, True, False),
        sale("ON_ACCOUNT"),
        Paid("Y", "C", int(MADE.at[FIRST]), TOTAL // 2, TOTAL),
        ReturnDone(FIRST, "B", "P", "C", int(MADE.at[FIRST]), "VOID", ()),
    )
    assert books.complaints == []
    assert books.credit is not None
    assert (books.credit.owed, books.credit.balance) == (0, TOTAL // 2)
    assert books.points.purse.balance == 0
    assert {key: letter.state for key, letter in books.post.letters.items()} == {
        ("purchase-confirmation", "P"): "SENT",
        ("payment-received", "Y"): "SENT",
    }
    assert books.purchases["P"].left.total == 0


def test_what_a_till_forgets_counts_until_the_next_morning() -> None:
    hold = CreditAsked("H", "C", TOTAL, True, False)
    again = CreditAsked("H2", "C", TOTAL, False, False, "OVER_LIMIT")
    that_evening = judged(hold, again)
    assert that_evening.complaints == []
    assert that_evening.credit is not None
    assert that_evening.credit.holds == {"H": "PENDING", "H2": "DECLINED"}
    next_day = judged(hold, again, mornings=1)
    assert next_day.credit is not None
    assert (next_day.credit.holds["H"], next_day.credit.used) == ("EXPIRED", 0)


def test_points_that_a_till_forgets_are_reserved_until_the_next_morning() -> None:
    earned = judged(sale()).points.purse.active
    asked = PointsAsked("R", "C", earned, earned, earned * 10, True, False)
    assert judged(sale(), asked).points.purse.active == 0
    later = judged(sale(), asked, mornings=1)
    assert later.complaints == []
    assert (later.points.purse.active, later.points.reservations) == (earned, {"R": "EXPIRED"})


def test_who_does_not_pay_is_reminded_by_the_calendar_and_then_declined() -> None:
    due = [4, 7]  # days after the sale: three days before the due date, and on it
    overdue = [8, 14, 21]
    books = judged(CreditAsked("H", "C", TOTAL, True, False), sale("ON_ACCOUNT"), mornings=30)
    sold_on = local_date(int(MADE.at[FIRST]), "Asia/Jakarta")
    told = [(letter.kind, letter.cause, letter.state) for letter in books.post.letters.values()]
    wanted = [("payment-due", day) for day in due] + [("payment-overdue", day) for day in overdue]
    assert told[1:] == [
        (kind, (sold_on + datetime.timedelta(days=day)).isoformat(), "SENT") for kind, day in wanted
    ]
    assert books.credit is not None
    at_the_end = EVENING + 30 * DAY
    assert books.credit.objections(0, at_the_end) == {"OVER_LIMIT", "OVERDUE"}
    assert books.credit.overdue(at_the_end) == TOTAL
