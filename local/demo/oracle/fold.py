"""Folds a run's journal over the raw baskets into what every customer's books must say.

At each stop of the clock time does its work first, then come the facts that the tills noted there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from local.demo.baskets import Baskets
from local.demo.journal import Charged, CreditAsked, Fact, Journal, Paid, PointsAsked, ReturnDone, SaleDone
from local.demo.oracle.books import Books, Purchase
from local.demo.oracle.credit import CreditBook
from local.demo.oracle.points import POINT_WORTH, PointsBook
from local.demo.oracle.post import QUIET, Hours, Post
from local.demo.oracle.returns import LineLeft, Remainder
from local.demo.people import Person, zone_of


class Oracle:
    """Knows the raw baskets and who the customers are."""

    def __init__(
        self, baskets: Baskets, people: Mapping[int, Person], *, credit: bool, quiet: Hours = QUIET
    ) -> None:
        self._credit, self._quiet = credit, quiet
        self._baskets = baskets
        self._people = people

    def books(self, household: int, customer_id: str, zone: str, journal: Journal) -> Books:
        """Fold stops and facts of one customer in order; `zone` is that of the home store."""
        books = self.begin(household, customer_id, zone)
        facts = journal.facts.get(customer_id, [])
        place = 0
        for stop in journal.stops:
            here = place
            while place < len(facts) and facts[place][0] == stop:
                place += 1
            self.advance(books, stop, [fact for _, fact in facts[here:place]])
        return books

    def begin(self, household: int, customer_id: str, zone: str) -> Books:
        """Open the books of a customer of whom nothing is known but who they are."""
        person = self._people[household]
        post = Post(zone, bool(person.email), person.greets, self._quiet)
        books = Books(customer_id, person, zone, PointsBook(zone), post)
        if self._credit and person.credit_limit:
            books.credit = CreditBook(person.credit_limit, person.terms_days, zone)
        return books

    def advance(self, books: Books, stop: int, facts: Sequence[Fact]) -> None:
        """Go on to a stop, seconds since 1970: what time brings, then the facts that were noted there."""
        books.sweep(stop)
        for fact in facts:
            self._apply(books, fact, stop)
        books.post.attempt(stop)

    def purchase(self, sale: SaleDone) -> Purchase:
        """Say what a sale must have become, before any return."""
        basket = self._baskets[sale.basket]
        left = Remainder(
            {line.line_id: LineLeft(line.thousandths, line.net) for line in basket.lines},
            {tender.tender_id: tender.amount for tender in sale.tenders},
        )
        return Purchase(sale, basket.store, basket.total, left)

    def _apply(self, books: Books, fact: Fact, now: int) -> None:
        match fact:
            case SaleDone():
                self._sell(books, fact, now)
            case ReturnDone():
                self._give_back(books, fact)
            case CreditAsked():
                _ask_credit(books, fact, now)
            case Charged():
                assert books.credit is not None, "only who has an account is charged"
                books.credit.charge(fact)
            case PointsAsked():
                _ask_points(books, fact, now)
            case Paid():
                _pay(books, fact, now)

    def _sell(self, books: Books, sale: SaleDone, now: int) -> None:
        purchase = self.purchase(sale)
        books.purchases[sale.purchase_id] = purchase
        tendered = sum(tender.amount for tender in sale.tenders)
        if tendered != purchase.total:
            books.complaints.append(f"the till sent {tendered} for a basket worth {purchase.total}")
        zone = zone_of(purchase.store)
        change = books.points.sell(sale, self._baskets[sale.basket].lines, zone)
        if books.credit:
            books.credit.sell(sale)
        if purchase.total:
            books.confirm(sale.purchase_id, now)
        books.tell_tier(change, now)

    def _give_back(self, books: Books, fact: ReturnDone) -> None:
        purchase = books.purchases[fact.purchase_id]
        split = purchase.left.give_back(fact.return_id, fact.parts)
        books.points.give_back(fact.purchase_id, split, fact.at, zone_of(purchase.store))
        if books.credit:
            books.credit.give_back(fact.purchase_id, split)


def _ask_credit(books: Books, asked: CreditAsked, now: int) -> None:
    against = books.credit.objections(asked.amount, now) if books.credit else {"NO_ACCOUNT"}
    if asked.approved == bool(against) or (against and asked.reason not in against):
        answer = "approved" if asked.approved else f"declined as {asked.reason}"
        must = " and ".join(sorted(against)) or "nothing"
        books.complaints.append(f"hold {asked.hold_id} was {answer}, and {must} speaks against it")
    if books.credit:
        books.credit.hold(asked, now)


def _ask_points(books: Books, asked: PointsAsked, now: int) -> None:
    active = books.points.purse.active
    if asked.active != active:
        books.complaints.append(f"{asked.active} points were said to be active, not {active}")
    if asked.approved != (asked.points <= active):
        wrong = "approved" if asked.approved else "declined"
        books.complaints.append(f"reservation {asked.reservation_id} was {wrong} against the rules")
    if asked.approved and asked.value != asked.points * POINT_WORTH:
        books.complaints.append(f"{asked.points} points were said to be worth {asked.value}")
    books.points.reserve(asked, now)


def _pay(books: Books, paid: Paid, now: int) -> None:
    if books.credit is None:
        books.complaints.append(f"payment {paid.payment_id} without an account")
        return
    if paid.owed != books.credit.owed:
        books.complaints.append(f"{paid.owed} was said to be owed, not {books.credit.owed}")
    books.credit.pay(paid)
    books.receipt(paid.payment_id, now)
