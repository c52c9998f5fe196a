"""What tests do with payments: giros, confirmations, reversals, payouts and write-offs."""

from __future__ import annotations

from datetime import timedelta

from kit.ids import new_uuid
from langganan.credit.v1 import invoices_pb2, payments_pb2
from tests.credit.conftest import TILL, rupiah

BOUNCED = payments_pb2.REVERSAL_REASON_BOUNCED


async def owing(credit, *amounts, days=20, **terms):
    """A customer with an invoice a day, and the invoices' ids, oldest first."""
    customer = await credit.open(**terms)
    now = credit.run.clock.now()
    for n, amount in enumerate(amounts):
        await credit.deliver(credit.sale(customer, (amount, None), at=now - timedelta(days=days - n)))
    return customer, [i.invoice_id for i in reversed(await credit.invoices_of(customer))]


async def giro(credit, customer, amount, **fields):
    request = payments_pb2.RecordPaymentRequest(
        payment_id=new_uuid(),
        customer_id=customer,
        amount=rupiah(amount),
        method=payments_pb2.PAYMENT_METHOD_GIRO,
        origin=TILL,
        **fields,
    )
    return (await credit.payments.RecordPayment(request)).payment


def confirming(payment, **fields):
    fields = {"request_id": new_uuid(), "customer_id": payment.customer_id} | fields
    return payments_pb2.ConfirmPaymentRequest(payment_id=payment.payment_id, **fields)


def reversing(payment, **fields):
    fields = {"request_id": new_uuid(), "reason": BOUNCED} | fields
    return payments_pb2.ReversePaymentRequest(
        payment_id=payment.payment_id, **({"customer_id": payment.customer_id} | fields)
    )


async def reverse(credit, payment):
    return await credit.payments.ReversePayment(reversing(payment))


def paying_out(customer, amount, **fields):
    fields = {"payout_id": new_uuid()} | fields
    return payments_pb2.PayOutRequest(
        customer_id=customer,
        amount=rupiah(amount),
        method=payments_pb2.PAYMENT_METHOD_CASH,
        origin=TILL,
        **fields,
    )


def giving_up(customer, invoice_id, **fields):
    fields = {"request_id": new_uuid(), "reason": "moved away"} | fields
    return invoices_pb2.WriteOffRequest(customer_id=customer, invoice_id=invoice_id, **fields)


def transferring(customer, amount=1, **fields):
    return payments_pb2.RecordPaymentRequest(
        payment_id=new_uuid(),
        customer_id=customer,
        amount=rupiah(amount),
        method=payments_pb2.PAYMENT_METHOD_TRANSFER,
        origin=TILL,
        **fields,
    )


def resolving(customer, exception_id, **fields):
    return invoices_pb2.ResolveExceptionRequest(
        request_id=new_uuid(), customer_id=customer, exception_id=exception_id, **fields
    )


def method_of(credit, name):
    """The client's method of a name that one service alone has."""
    for clients in (credit.accounts, credit.invoices, credit.payments):
        if hasattr(clients, name):
            return getattr(clients, name)
    raise LookupError(name)
