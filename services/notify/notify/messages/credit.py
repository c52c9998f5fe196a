"""Asks credit, at the moment of an attempt, what is still owed of a reminder's invoices. Keeps nothing."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from kit.money import Currency, to_minor
from kit.rpc.line import Line
from langganan.credit.v1 import invoices_pb2, invoices_pb2_grpc
from notify import metrics
from notify.calls import FAILURES, why
from notify.messages.model import OpenInvoice

_ASKED_AT_ONCE = 200


class CreditUnavailable(Exception):
    """Credit did not answer, or not usably; the message is the gRPC code."""


class Credit:
    """A client of credit.InvoiceService."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._stub: invoices_pb2_grpc.InvoiceServiceAsyncStub = invoices_pb2_grpc.InvoiceServiceStub(
            line.channel
        )

    async def still_open(
        self, merchant_id: str, invoice_ids: Collection[str]
    ) -> dict[str, invoices_pb2.Invoice]:
        """Return those of the invoices on which something is owed; raise CreditUnavailable.

        An invoice that credit does not know is not open.
        """
        wanted = sorted(set(invoice_ids))
        found: dict[str, invoices_pb2.Invoice] = {}
        for start in range(0, len(wanted), _ASKED_AT_ONCE):
            request = invoices_pb2.GetInvoicesRequest(invoice_ids=wanted[start : start + _ASKED_AT_ONCE])
            try:
                with metrics.CREDIT_SECONDS.time():
                    answer = await self._stub.GetInvoices(
                        request, timeout=self._line.timeout_s, metadata=self._line.metadata(merchant_id)
                    )
            except FAILURES as error:
                raise CreditUnavailable(why(error)) from error
            for invoice in answer.invoices:
                if invoice.outstanding.units > 0 or invoice.outstanding.nanos > 0:
                    found[invoice.invoice_id] = invoice
        return found


def open_invoice(invoice: invoices_pb2.Invoice, currency: Currency) -> OpenInvoice:
    """Read what a reminder shows of an invoice; raises ValueError or INVALID_MONEY for another currency."""
    due = invoice.due_on
    return OpenInvoice(to_minor(invoice.outstanding, currency), date(due.year, due.month, due.day))
