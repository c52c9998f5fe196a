"""What is asked of the service beside its answers, and what counts as an outcome."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from langganan.credit.v1 import accounts_pb2, holds_pb2, invoices_pb2, payments_pb2, statements_pb2
from tests.credit.conftest import NOON
from tests.credit.histories.plain import answer
from tests.credit.reference import payments, reports, tills
from tests.credit.reference.books import Books

if TYPE_CHECKING:
    from tests.credit.histories.play import Play

Seen = list[tuple[Any, Callable[[Books], Any]]]
Question = tuple[Awaitable[Any], Callable[[Books], Any]]
_FIRST = NOON.date() - timedelta(days=3)


async def at_balances(play: Play, whose: Iterable[int]) -> Seen:
    """The accounts of these customers, and all that was published."""
    seen = await _ask([_account(play, play.customers[who]) for who in whose])
    said = await play.said()
    return [*seen, (said, lambda books: {c: [f for f in books.facts if f["customer_id"] == c] for c in said})]


async def at_all(play: Play) -> Seen:
    """Everything that can be asked: lists, ageing, statements, explanations, exceptions, histories."""
    questions = [*_of_shop(play), *_of_holds(play)]
    for customer in play.customers:
        questions.append(_account(play, customer))
        questions += _of_customer(play, customer)
    return await _ask(questions)


async def _ask(questions: list[Question]) -> Seen:
    told = await asyncio.gather(*(question for question, _ in questions))
    return [(one, expect) for one, (_, expect) in zip(told, questions, strict=True)]


def _account(play: Play, customer: str) -> Question:
    request = accounts_pb2.GetAccountRequest(customer_id=customer)
    return answer(play.credit.accounts.GetAccount(request)), lambda books: reports.account(books, customer)


def _of_holds(play: Play) -> Iterator[Question]:
    for hold_id, hold in play.worlds[0].holds.items():
        request = holds_pb2.GetHoldRequest(hold_id=hold_id, customer_id=hold.customer)
        yield (
            answer(play.credit.holds.GetHold(request)),
            lambda books, hold_id=hold_id: {"hold": tills.show(hold_id, books.holds[hold_id])},
        )


def _of_shop(play: Play) -> Iterator[Question]:
    invoices = play.credit.invoices
    yield (
        answer(invoices.ListInvoices(invoices_pb2.ListInvoicesRequest(page_size=200))),
        reports.invoices,
    )
    yield (
        answer(invoices.ListInvoices(invoices_pb2.ListInvoicesRequest(page_size=200, min_days_overdue=8))),
        lambda books: reports.invoices(books, min_days_overdue=8),
    )
    yield answer(invoices.GetAgeing(invoices_pb2.GetAgeingRequest())), reports.ageing
    for resolved in (False, True):
        request = invoices_pb2.ListExceptionsRequest(page_size=200, include_resolved=resolved)
        yield (
            answer(invoices.ListExceptions(request)),
            lambda books, resolved=resolved: reports.exceptions(books, resolved=resolved),
        )


def _of_customer(play: Play, customer: str) -> Iterator[Question]:
    credit = play.credit
    listing = invoices_pb2.ListInvoicesRequest(customer_id=customer, page_size=200)
    yield answer(credit.invoices.ListInvoices(listing)), lambda books: reports.invoices(books, customer)
    age = invoices_pb2.GetAgeingRequest(customer_id=customer)
    yield answer(credit.invoices.GetAgeing(age)), lambda books: reports.ageing(books, customer)
    paid = payments_pb2.ListPaymentsRequest(customer_id=customer, page_size=200)
    yield (
        answer(credit.payments.ListPayments(paid)),
        lambda books: reports.payments(
            payments.show(n, p) for n, p in books.payments.items() if p.customer == books.who(customer)
        ),
    )
    history = accounts_pb2.ListChangesRequest(customer_id=customer, page_size=200)
    yield answer(credit.accounts.ListChanges(history)), lambda books: reports.changes(books, customer)
    for name, number in statements_pb2.BalanceKind.items():
        if not number:
            continue
        balance = name.removeprefix("BALANCE_KIND_")
        why = statements_pb2.ExplainBalanceRequest(customer_id=customer, balance=number, page_size=200)
        yield (
            answer(credit.statements.ExplainBalance(why)),
            lambda books, balance=balance: reports.explain(books, customer, balance),
        )
    for last in (_FIRST + timedelta(days=10), play.now.date()):
        period = statements_pb2.GetStatementRequest(customer_id=customer, page_size=200)
        for day, at in ((period.first_day, _FIRST), (period.last_day, last)):
            day.year, day.month, day.day = at.year, at.month, at.day
        yield (
            answer(credit.statements.GetStatement(period)),
            lambda books, last=last: reports.statement(books, customer, _FIRST, last),
        )
