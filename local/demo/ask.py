"""Reads of the services for the comparison: every page, in plain values."""

from __future__ import annotations

import datetime
from collections.abc import Awaitable, Callable, Iterable
from typing import NamedTuple, Protocol, TypeVar

from google.type.date_pb2 import Date

from langganan.credit.v1 import accounts_pb2 as credit_pb2
from langganan.credit.v1 import holds_pb2, invoices_pb2, payments_pb2
from langganan.customers.v1 import profiles_pb2, purchases_pb2
from langganan.loyalty.v1 import accounts_pb2 as loyalty_pb2
from langganan.loyalty.v1 import redemptions_pb2
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


def date(day: Date) -> datetime.date | None:
    """A date; None where it is unset."""
    return datetime.date(day.year, day.month, day.day) if day.year else None


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


async def points_account(
    gateway: Gateway, customer_id: str
) -> tuple[loyalty_pb2.Account, dict[datetime.date | None, int]]:
    """The points account, and the points in its lots by their last day."""
    request = loyalty_pb2.GetAccountRequest(customer_id=customer_id)
    account = (await gateway.call("GetPoints", gateway.points.GetAccount, request)).account
    why = loyalty_pb2.ExplainBalanceRequest(customer_id=customer_id)
    explained = await gateway.call("ExplainBalance", gateway.points.ExplainBalance, why)
    lots: dict[datetime.date | None, int] = {}
    for lot in explained.lots:
        last = date(lot.expires_on)
        lots[last] = lots.get(last, 0) + lot.points_left
    return account, lots


class EntryFound(NamedTuple):
    """A movement of points: kind, purchase or return, line or tender, points, instant."""

    effect: str
    cause_id: str
    about: str
    points: int
    at: int


async def entries(gateway: Gateway, customer_id: str) -> list[EntryFound]:
    """The ledger; what expires has neither purchase nor return, and its instant tells the lot's last day."""

    async def fetch(token: str) -> loyalty_pb2.ListEntriesResponse:
        request = loyalty_pb2.ListEntriesRequest(customer_id=customer_id, page_size=PAGE, page_token=token)
        return await gateway.call("ListEntries", gateway.points.ListEntries, request)

    return [
        EntryFound(
            loyalty_pb2.EntryKind.Name(entry.kind).removeprefix("ENTRY_KIND_"),
            *(("", "") if entry.cause == loyalty_pb2.CAUSE_KIND_EXPIRY else (entry.cause_id, entry.line_id)),
            entry.points,
            entry.effective_at.seconds,
        )
        for page in await _pages(fetch)
        for entry in page.entries
    ]


async def reservation(gateway: Gateway, customer_id: str, reservation_id: str) -> str:
    """Where a reservation stands."""
    request = redemptions_pb2.GetReservationRequest(reservation_id=reservation_id, customer_id=customer_id)
    answer = await gateway.call("GetReservation", gateway.redemptions.GetReservation, request)
    state = answer.reservation.state
    return redemptions_pb2.ReservationState.Name(state).removeprefix("RESERVATION_STATE_")


async def hold(gateway: Gateway, customer_id: str, hold_id: str) -> str:
    """Where a hold stands."""
    request = holds_pb2.GetHoldRequest(hold_id=hold_id, customer_id=customer_id)
    answer = await gateway.call("GetHold", gateway.holds.GetHold, request)
    return holds_pb2.HoldState.Name(answer.hold.state).removeprefix("HOLD_STATE_")


async def credit_account(gateway: Gateway, customer_id: str) -> credit_pb2.Account:
    """The credit account."""
    request = credit_pb2.GetAccountRequest(customer_id=customer_id)
    return (await gateway.call("GetAccount", gateway.credit.GetAccount, request)).account


class InvoiceFound(NamedTuple):
    """An invoice's id, and its amount, what is owed, and its dates."""

    invoice_id: str
    facts: tuple[int, int, datetime.date | None, datetime.date | None]


async def invoices(gateway: Gateway, customer_id: str) -> dict[tuple[str, str], InvoiceFound]:
    """The invoices by purchase (the hold, of a charge without one) and tender."""

    async def fetch(token: str) -> invoices_pb2.ListInvoicesResponse:
        request = invoices_pb2.ListInvoicesRequest(customer_id=customer_id, page_size=PAGE, page_token=token)
        return await gateway.call("ListInvoices", gateway.invoices.ListInvoices, request)

    return {
        (one.purchase_id or one.hold_id, one.tender_id): InvoiceFound(
            one.invoice_id,
            (one.amount.units, one.outstanding.units, date(one.issued_on), date(one.due_on)),
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


class MessageFound(NamedTuple):
    """What became of a message."""

    state: str
    reason: str
    channel: str


async def messages(gateway: Gateway, customer_id: str) -> dict[tuple[str, str], MessageFound]:
    """The messages by kind and cause, which names the customer no more; a second one is called so."""

    async def fetch(token: str) -> messages_pb2.ListMessagesResponse:
        request = messages_pb2.ListMessagesRequest(customer_id=customer_id, page_size=PAGE, page_token=token)
        return await gateway.call("ListMessages", gateway.messages.ListMessages, request)

    found: dict[tuple[str, str], MessageFound] = {}
    for page in await _pages(fetch):
        for message in page.messages:
            cause = message.cause.replace(customer_id, "").strip("/:# ")
            again = " again" if (message.kind, cause) in found else ""
            found[message.kind, cause + again] = MessageFound(
                messages_pb2.MessageState.Name(message.state).removeprefix("MESSAGE_STATE_"),
                messages_pb2.MessageReason.Name(message.reason).removeprefix("MESSAGE_REASON_"),
                message.channel,
            )
    return found
