"""Folds a run's journal over the raw baskets into what every customer's books must say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from local.demo.baskets import Baskets
from local.demo.journal import CreditAsked, Journal, Paid, PointsAsked, ReturnDone, SaleDone
from local.demo.oracle.credit import CreditBook
from local.demo.oracle.points import POINT_WORTH, PointsBook
from local.demo.oracle.returns import LineLeft, Remainder
from local.demo.people import Person


@dataclass(slots=True)
class Purchase:
    """What a purchase must be, and what must be left of it."""

    sale: SaleDone
    store: int
    total: int
    left: Remainder


@dataclass(slots=True)
class Books:
    """What the books of one customer must say; `complaints` are wrong answers that the till was given."""

    customer_id: str
    person: Person
    purchases: dict[str, Purchase] = field(default_factory=dict)
    points: PointsBook = field(default_factory=PointsBook)
    credit: CreditBook | None = None
    confirmations: dict[str, bool] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)


class Oracle:
    """Knows the raw baskets and who the customers are."""

    def __init__(self, baskets: Baskets, people: Mapping[int, Person], *, credit: bool) -> None:
        self._credit = credit
        self._baskets = baskets
        self._people = people

    def books(self, household: int, customer_id: str, zone: str, journal: Journal) -> Books:
        """Fold the facts of one customer in order; `zone` is that of the home store."""
        person = self._people[household]
        books = Books(customer_id, person)
        if self._credit and person.credit_limit:
            books.credit = CreditBook(person.credit_limit, person.terms_days, zone)
        for fact in journal.facts.get(customer_id, ()):
            match fact:
                case SaleDone():
                    self._sell(books, fact)
                case ReturnDone():
                    self._give_back(books, fact)
                case CreditAsked():
                    _ask_credit(books, fact)
                case PointsAsked():
                    _ask_points(books, fact)
                case Paid():
                    _pay(books, fact)
        return books

    def purchase(self, sale: SaleDone) -> Purchase:
        """Say what a sale must have become, before any return."""
        basket = self._baskets[sale.basket]
        left = Remainder(
            {line.line_id: LineLeft(line.thousandths, line.net) for line in basket.lines},
            {tender.tender_id: tender.amount for tender in sale.tenders},
        )
        return Purchase(sale, basket.store, basket.total, left)

    def _sell(self, books: Books, sale: SaleDone) -> None:
        purchase = self.purchase(sale)
        books.purchases[sale.purchase_id] = purchase
        tendered = sum(tender.amount for tender in sale.tenders)
        if tendered != purchase.total:
            books.complaints.append(f"the till sent {tendered} for a basket worth {purchase.total}")
        books.points.sell(sale, self._baskets[sale.basket].lines)
        if books.credit:
            books.credit.sell(sale)
        if purchase.total:
            books.confirmations[sale.purchase_id] = bool(books.person.email)

    def _give_back(self, books: Books, fact: ReturnDone) -> None:
        purchase = books.purchases[fact.purchase_id]
        split = purchase.left.give_back(fact.return_id, fact.parts)
        books.points.give_back(fact.purchase_id, split)
        if books.credit:
            books.credit.give_back(fact.purchase_id, split)


def _ask_credit(books: Books, asked: CreditAsked) -> None:
    must = books.credit is not None and books.credit.approves(asked.amount)
    if must != asked.approved:
        wrong = "approved" if asked.approved else "declined"
        books.complaints.append(f"hold {asked.hold_id} of {asked.amount} was {wrong} against the rules")


def _ask_points(books: Books, asked: PointsAsked) -> None:
    if asked.active != max(0, books.points.balance):
        books.complaints.append(f"{asked.active} points were said to be active, not {books.points.balance}")
    must = asked.points <= books.points.balance
    if must != asked.approved:
        wrong = "approved" if asked.approved else "declined"
        books.complaints.append(f"reservation {asked.reservation_id} was {wrong} against the rules")
    if asked.approved and asked.value != asked.points * POINT_WORTH:
        books.complaints.append(f"{asked.points} points were said to be worth {asked.value}")


def _pay(books: Books, paid: Paid) -> None:
    if books.credit is None:
        books.complaints.append(f"payment {paid.payment_id} without an account")
        return
    if paid.owed != books.credit.owed:
        books.complaints.append(f"{paid.owed} was said to be owed, not {books.credit.owed}")
    books.credit.pay(paid)
