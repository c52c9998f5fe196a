"""Reads of the services for the comparison: every page, in plain values."""

from __future__ import annotations

import datetime
from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple, Protocol, TypeVar

from google.type.date_pb2 import Date

from langganan.credit.v1 import accounts_pb2 as credit_pb2
from langganan.credit.v1 import invoices_pb2, payments_pb2
from langganan.customers.v1 import profiles_pb2, purchases_pb2
from langganan.loyalty.v1 import accounts_pb2 as loyalty_pb2
from langganan.notify.v1 import messages_pb2
from local.demo.gateway import Gateway

PAGE = 200


class Page(Protocol):
    """The part of a list's answer that every one has."""

    next_page_token: str


PageReply = TypeVar("PageReply", bound=Page)


async def _pages(fetch: Callable[[str], Awaitable[PageReply]]) -> list[PageReply]:
    pages, token = [], ""
    while True:
        page = await fetch(token)
        pages.append(page)
        token = page.next_page_token
        if not token:
            return pages


def _date(date: Date) -> datetime.date:
    return datetime.date(date.year, date.month, date.day)


async def purchases(gateway: Gateway, customer_id: str) -> Iterable[purchases_pb2.Purchase]:
    """All purchases of a customer, without their lines."""

    async def fetch(token: str) -> purchases_pb2.ListPurchasesResponse:
        request = purchases_pb2.ListPurchasesRequest(
            customer_id=customer_id, page_size=PAGE, page_token=token
        )
        return await gateway.call("ListPurchases", gateway.purchases.ListPurchases, request)

    return [purchase for page in await _pages(fetch) for purchase in page.purchases]


async def purchase(gateway: Gateway, customer_id: str, purchase_id: str) -> purchases_pb2.Purchase:
    """A purchase with lines, tenders and returns."""
    request = purchases_pb2.GetPurchaseRequest(purchase_id=purchase_id, customer_id=customer_id)
    return (await gateway.call("GetPurchase", gateway.purchases.GetPurchase, request)).purchase


async def category(gateway: Gateway, customer_id: str) -> str:
    """The customer's category as customers has heard of it."""
    request = profiles_pb2.GetCustomerRequest(customer_id=customer_id, reason="demo")
    return (await gateway.call("GetCustomer", gateway.profiles.GetCustomer, request)).customer.category


async def points_account(gateway: Gateway, customer_id: str) -> loyalty_pb2.Account:
    """The points account."""
    request = loyalty_pb2.GetAccountRequest(customer_id=customer_id)
    return (await gateway.call("GetPoints", gateway.points.GetAccount, request)).account


async def entries(gateway: Gateway, customer_id: str) -> list[tuple[str, str, str, int]]:
    """The ledger: kind, cause, line or tender, points."""

    async def fetch(token: str) -> loyalty_pb2.ListEntriesResponse:
        request = loyalty_pb2.ListEntriesRequest(customer_id=customer_id, page_size=PAGE, page_token=token)
        return await gateway.call("ListEntries", gateway.points.ListEntries, request)

    return [
        (
            loyalty_pb2.EntryKind.Name(entry.kind).removeprefix("ENTRY_KIND_"),
            entry.cause_id,
            entry.line_id,
            entry.points,
        )
        for page in await _pages(fetch)
        for entry in page.entries
    ]


async def credit_account(gateway: Gateway, customer_id: str) -> credit_pb2.Account:
    """The credit account."""
    request = credit_pb2.GetAccountRequest(customer_id=customer_id)
    return (await gateway.call("GetAccount", gateway.credit.GetAccount, request)).account


class InvoiceFound(NamedTuple):
    """An invoice's id, and its amount, what is owed, and its dates."""

    invoice_id: str
    facts: tuple[int, int, datetime.date, datetime.date]


async def invoices(gateway: Gateway, customer_id: str) -> dict[tuple[str, str], InvoiceFound]:
    """The invoices by purchase and tender."""

    async def fetch(token: str) -> invoices_pb2.ListInvoicesResponse:
        request = invoices_pb2.ListInvoicesRequest(customer_id=customer_id, page_size=PAGE, page_token=token)
        return await gateway.call("ListInvoices", gateway.invoices.ListInvoices, request)

    return {
        (one.purchase_id, one.tender_id): InvoiceFound(
            one.invoice_id,
            (one.amount.units, one.outstanding.units, _date(one.issued_on), _date(one.due_on)),
        )
        for page in await _pages(fetch)
        for one in page.invoices
    }


async def payments(gateway: Gateway, customer_id: str) -> list[payments_pb2.Payment]:
    """The payments."""

    async def fetch(token: str) -> payments_pb2.ListPaymentsResponse:
        request = payments_pb2.ListPaymentsRequest(customer_id=customer_id, page_size=PAGE, page_token=token)
        return await gateway.call("ListPayments", gateway.payments.ListPayments, request)

    return [payment for page in await _pages(fetch) for payment in page.payments]


async def confirmations(gateway: Gateway, customer_id: str) -> dict[str, tuple[str, str]]:
    """Purchase → state and channel of its confirmation; a second one of a purchase is called so."""

    async def fetch(token: str) -> messages_pb2.ListMessagesResponse:
        request = messages_pb2.ListMessagesRequest(
            customer_id=customer_id, kind="purchase-confirmation", page_size=PAGE, page_token=token
        )
        return await gateway.call("ListMessages", gateway.messages.ListMessages, request)

    found: dict[str, tuple[str, str]] = {}
    for page in await _pages(fetch):
        for message in page.messages:
            key = message.cause if message.cause not in found else f"{message.cause} again"
            state = messages_pb2.MessageState.Name(message.state).removeprefix("MESSAGE_STATE_")
            found[key] = (state, message.channel)
    return found
