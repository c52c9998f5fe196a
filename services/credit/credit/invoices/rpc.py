"""InvoiceService: tells invoices and what is owed by age, reminds, writes off, and lists exceptions."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from credit import pages
from credit.accounts import encode
from credit.accounts import store as accounts
from credit.accounts.model import Account, Key, local_date
from credit.callers import account_key
from credit.invoices import encoding, store
from credit.invoices.model import Invoice, InvoiceKey
from credit.invoices.resolve import Resolution, resolve
from credit.invoices.store import Due
from credit.invoices.write_off import Loss, write_off
from credit.notices.remind import Wish, remind
from kit import batch, db, ids, neutral, paging
from kit.auth import caller
from kit.clock import Clock
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
            invoices=[self._show(found[k], owners[found[k].account_key]) for k in keys if k in found]
        )

    async def ListInvoices(
        self, request: invoices_pb2.ListInvoicesRequest, context: Any
    ) -> invoices_pb2.ListInvoicesResponse:
        """List a customer's invoices, or the open ones of the shop, newest first."""
        merchant = caller().merchant_id
        if request.customer_id:
            account_key(request.customer_id)
        if request.purchase_id:
            ids.canonical_uuid(request.purchase_id, "purchase_id")
        span = Due(
            encode.read_day(request.due_from, "due_from") if request.HasField("due_from") else date.min,
            encode.read_day(request.due_until, "due_until") if request.HasField("due_until") else date.max,
        )
        open_only = request.open_only or request.min_days_overdue > 0
        filter_ = (
            "invoices",
            merchant,
            request.customer_id,
            request.open_only,
            request.purchase_id,
            *((span.first.isoformat(), span.last.isoformat()) if span != Due() else ()),
            *((request.min_days_overdue,) if request.min_days_overdue else ()),
        )
        purchase_id = request.purchase_id
        before = pages.before(request.page_token, *filter_)
        now, size = self._clock.now(), paging.page_size(request.page_size)
        async with self._pool.acquire(timeout=5) as conn:
            if request.customer_id:
                asked = Key(merchant, request.customer_id)
                owner = (await accounts.read(conn, [asked])).get(asked, Account(*asked))
                due = _aged(span, owner.local_date(now), request.min_days_overdue)
                found = await store.page(
                    conn,
                    owner.key,
                    due,
                    open_only=open_only,
                    purchase_id=purchase_id,
                    before=before,
                    size=size + 1,
                )
            else:
                zones = await accounts.zones(conn)
                dues = {z: _aged(span, local_date(z, now), request.min_days_overdue) for z in zones}
                found = await store.page_of_shop(
                    conn, merchant, dues, purchase_id=purchase_id, before=before, size=size + 1
                )
            owners = await accounts.read(conn, {i.account_key for i in found})
        return invoices_pb2.ListInvoicesResponse(
            invoices=[self._show(i, owners[i.account_key]) for i in found[:size]],
            next_page_token=paging.next_token(found, size, lambda i: (i.issued_at, i.invoice_id), *filter_),
        )

    async def GetAgeing(
        self, request: invoices_pb2.GetAgeingRequest, context: Any
    ) -> invoices_pb2.GetAgeingResponse:
        """Tell what is owed by age."""
        now = self._clock.now()
        async with self._pool.acquire(timeout=5) as conn:
            if request.customer_id:
                account = await accounts.read_open(conn, account_key(request.customer_id))
                ages = await store.ageing(conn, account.key, account.local_date(now))
                owed = {encode.currency(account): ages}
            else:
                todays = {zone: local_date(zone, now) for zone in await accounts.zones(conn)}
                owed = await store.ageing_of_shop(conn, caller().merchant_id, todays)
        return invoices_pb2.GetAgeingResponse(ageing=[encoding.ageing(c, ages) for c, ages in owed.items()])

    async def SendReminder(
        self, request: invoices_pb2.SendReminderRequest, context: Any
    ) -> invoices_pb2.SendReminderResponse:
        """Remind a customer now of all that is owed."""
        wish = Wish(
            key=account_key(request.customer_id),
            request_id=ids.canonical_uuid(request.request_id, "request_id"),
            staff_ref=request.staff_ref,
            at=self._clock.now(),
        )
        said = await batch.once(self._pool, remind, wish)
        return invoices_pb2.SendReminderResponse(
            event=f"payment-{said.kind.lower()}",
            local_date=encode.day(said.local_date),
            said_at=encode.stamp(said.said_at),
        )

    async def WriteOff(
        self, request: invoices_pb2.WriteOffRequest, context: Any
    ) -> invoices_pb2.WriteOffResponse:
        """Give up what is still owed on an invoice."""
        neutral.refuse(reason=request.reason)
        loss = Loss(
            key=account_key(request.customer_id),
            request_id=ids.canonical_uuid(request.request_id, "request_id"),
            invoice_id=ids.canonical_uuid(request.invoice_id, "invoice_id"),
            reason=request.reason,
            staff_ref=request.staff_ref,
            at=self._clock.now(),
        )
        invoice, account = await batch.once(self._pool, write_off, loss)
        return invoices_pb2.WriteOffResponse(invoice=self._show(invoice, account))

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
            asked = Key(merchant, request.customer_id)
            owner = (await accounts.read(conn, [asked])).get(asked, Account(*asked))
            found = await store.exceptions_page(
                conn,
                merchant,
                customer_id=owner.customer_id,
                include_resolved=request.include_resolved,
                before=before,
                size=size + 1,
            )
            owners = await accounts.read(conn, {Key(merchant, m.customer_id) for m in found})
        return invoices_pb2.ListExceptionsResponse(
            exceptions=[
                encoding.exception(m, owners.get(Key(merchant, m.customer_id))) for m in found[:size]
            ],
            next_page_token=paging.next_token(found, size, lambda m: (m.at, m.exception_id), *filter_),
        )

    async def ResolveException(
        self, request: invoices_pb2.ResolveExceptionRequest, context: Any
    ) -> invoices_pb2.ResolveExceptionResponse:
        """Record that staff have dealt with an exception."""
        neutral.refuse(note=request.note)
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
        return invoices_pb2.ResolveExceptionResponse(exception=encoding.exception(marked, owner))

    def _show(self, invoice: Invoice, account: Account) -> invoices_pb2.Invoice:
        return encoding.invoice(invoice, account, account.local_date(self._clock.now()))


def _aged(due: Due, today: date, min_days_overdue: int) -> Due:
    """Return which due dates are asked for, where invoices must be overdue for so many days; 0: any."""
    if not min_days_overdue:
        return due
    return Due(due.first, min(due.last, today - timedelta(days=min_days_overdue)))
