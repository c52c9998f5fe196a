"""InvoiceService: tells invoices and what staff must look at."""

from __future__ import annotations

from typing import Any

from credit import pages
from credit.accounts import encode
from credit.accounts import store as accounts
from credit.accounts.model import Account, Key
from credit.callers import account_key
from credit.invoices import store
from credit.invoices.model import Invoice, InvoiceKey, Marked
from credit.invoices.resolve import Resolution, resolve
from kit import batch, db, ids, paging, pan
from kit.auth import caller
from kit.clock import Clock
from kit.money import to_money
from langganan.credit.v1 import invoices_pb2, invoices_pb2_grpc


class InvoiceService(invoices_pb2_grpc.InvoiceServiceServicer):
    """The servicer."""

    def __init__(self, pool: db.Pool, clock: Clock) -> None:
        self._pool, self._clock = pool, clock

    async def GetInvoices(
        self, request: invoices_pb2.GetInvoicesRequest, context: Any
    ) -> invoices_pb2.GetInvoicesResponse:
        """Tell invoices by id, in the order asked."""
        merchant = caller().merchant_id
        keys = [InvoiceKey(merchant, ids.canonical_uuid(i, "invoice_ids")) for i in request.invoice_ids]
        async with self._pool.acquire(timeout=5) as conn:
            found = await store.find(conn, dict.fromkeys(keys))
            owners = await accounts.read(conn, {i.account_key for i in found.values()})
        return invoices_pb2.GetInvoicesResponse(
            invoices=[show(found[k], owners[found[k].account_key]) for k in keys if k in found]
        )

    async def ListInvoices(
        self, request: invoices_pb2.ListInvoicesRequest, context: Any
    ) -> invoices_pb2.ListInvoicesResponse:
        """List a customer's invoices, newest first."""
        key = account_key(request.customer_id)
        if request.purchase_id:
            ids.canonical_uuid(request.purchase_id, "purchase_id")
        filter_ = ("invoices", *key, request.open_only, request.purchase_id)
        before = pages.before(request.page_token, *filter_)
        size = paging.page_size(request.page_size)
        async with self._pool.acquire(timeout=5) as conn:
            found = await store.page(
                conn,
                key,
                open_only=request.open_only,
                purchase_id=request.purchase_id,
                before=before,
                size=size + 1,
            )
            owners = await accounts.read(conn, [key])
        return invoices_pb2.ListInvoicesResponse(
            invoices=[show(i, owners[key]) for i in found[:size]],
            next_page_token=paging.next_token(found, size, lambda i: (i.issued_at, i.invoice_id), *filter_),
        )

    async def ListExceptions(
        self, request: invoices_pb2.ListExceptionsRequest, context: Any
    ) -> invoices_pb2.ListExceptionsResponse:
        """List what staff must look at, newest first."""
        merchant = caller().merchant_id
        if request.customer_id:
            ids.check_customer_id(request.customer_id)
        filter_ = ("exceptions", merchant, request.customer_id, request.include_resolved)
        before = pages.before(request.page_token, *filter_)
        size = paging.page_size(request.page_size)
        async with self._pool.acquire(timeout=5) as conn:
            found = await store.exceptions_page(
                conn,
                merchant,
                customer_id=request.customer_id,
                include_resolved=request.include_resolved,
                before=before,
                size=size + 1,
            )
            owners = await accounts.read(conn, {Key(merchant, m.customer_id) for m in found})
        return invoices_pb2.ListExceptionsResponse(
            exceptions=[_show_marked(m, owners.get(Key(merchant, m.customer_id))) for m in found[:size]],
            next_page_token=paging.next_token(found, size, lambda m: (m.at, m.exception_id), *filter_),
        )

    async def ResolveException(
        self, request: invoices_pb2.ResolveExceptionRequest, context: Any
    ) -> invoices_pb2.ResolveExceptionResponse:
        """Record that staff have dealt with an exception."""
        pan.refuse([request.note])
        key = account_key(request.customer_id) if request.customer_id else Key(caller().merchant_id, "")
        wish = Resolution(
            key=key,
            request_id=ids.canonical_uuid(request.request_id, "request_id"),
            exception_id=ids.canonical_uuid(request.exception_id, "exception_id"),
            note=request.note,
            staff_ref=request.staff_ref,
            at=self._clock.now(),
        )
        marked = await batch.once(self._pool, resolve, wish)
        async with self._pool.acquire(timeout=5) as conn:
            owner = (await accounts.read(conn, [key])).get(key)
        return invoices_pb2.ResolveExceptionResponse(exception=_show_marked(marked, owner))


def show(invoice: Invoice, account: Account) -> invoices_pb2.Invoice:
    """An invoice in the currency of its account."""
    shown = invoices_pb2.Invoice(
        invoice_id=invoice.invoice_id,
        customer_id=invoice.customer_id,
        purchase_id=invoice.purchase_id or "",
        tender_id=invoice.tender_id,
        hold_id=invoice.hold_id or "",
        amount=encode.money(account, invoice.amount),
        paid=encode.money(account, invoice.paid),
        returned=encode.money(account, invoice.returned),
        outstanding=encode.money(account, invoice.outstanding),
        issued_on=encode.day(invoice.issued_on),
        due_on=encode.day(invoice.due_on),
        issued_at=encode.stamp(invoice.issued_at),
    )
    if invoice.settled_at is not None:
        shown.settled_at.CopyFrom(encode.stamp(invoice.settled_at))
    if invoice.mark is not None:
        shown.exception = invoices_pb2.ExceptionKind.Value(f"EXCEPTION_KIND_{invoice.mark}")
    return shown


def _show_marked(marked: Marked, account: Account | None) -> invoices_pb2.InvoiceException:
    currency = marked.currency
    if currency is None:
        assert account is not None, "what a customer's sale marked has the currency of the account"
        currency = encode.currency(account)
    shown = invoices_pb2.InvoiceException(
        exception_id=marked.exception_id,
        customer_id=marked.customer_id,
        invoice_id=marked.invoice.invoice_id if marked.customer_id else "",
        purchase_id=marked.purchase_id or "",
        cause_id=marked.cause_id,
        kind=invoices_pb2.ExceptionKind.Value(f"EXCEPTION_KIND_{marked.mark}"),
        amount=to_money(marked.amount, currency),
        marked_at=encode.stamp(marked.at),
        note=marked.note,
        staff_ref=marked.staff_ref,
    )
    if marked.resolved_at is not None:
        shown.resolved_at.CopyFrom(encode.stamp(marked.resolved_at))
    return shown
