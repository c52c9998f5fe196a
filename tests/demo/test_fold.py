"""The judge is awake: a wrong answer to a till is a complaint, a right one is none."""

from dataclasses import replace

import pytest

from local.demo import baskets
from local.demo.journal import CreditAsked, Fact, Journal, Paid, PointsAsked, ReturnDone, SaleDone, Tendered
from local.demo.oracle.fold import Books, Oracle
from local.demo.people import Directory, Person

MADE = baskets.load(20, seed=4)
HOUSEHOLD = int(MADE.households[0])
FIRST = next(index for index, total in enumerate(MADE.totals) if total >= 50_000)
TOTAL = int(MADE.totals[FIRST])
PERSON: Person = replace(Directory(4).person(HOUSEHOLD), credit_limit=TOTAL, email="sari@example.com")


def judged(*facts: Fact) -> Books:
    journal = Journal(customers={HOUSEHOLD: "C"})
    for fact in facts:
        journal.note("C", fact)
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
    assert books.points.balance == 0
    assert books.confirmations == {"P": True}
    assert books.purchases["P"].left.total == 0
