"""What credit says becomes: reminders of what is due or overdue, and word of what was paid, or was not."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from google.type import date_pb2

from kit.events import Received
from kit.ids import derived_uuid
from kit.money import Currency
from langganan.events.v1 import credit_pb2
from notify.messages import reminder
from notify.messages.hours import latest_end_of
from notify.messages.model import OpenInvoice
from notify.messages.records import NewMessage
from notify.templates.catalogue import (
    PAYMENT_DUE,
    PAYMENT_OVERDUE,
    PAYMENT_RECEIVED,
    PAYMENT_REVERSED,
    Template,
)
from notify.templates.values import Amount, Value

# A reminder is of use on its own local date and on the next.
_LASTS = timedelta(days=1)


def payment_due(event: Received) -> NewMessage | None:
    """Remind of what is due soon."""
    return _reminder(event, PAYMENT_DUE, event.payload.due)


def payment_overdue(event: Received) -> NewMessage | None:
    """Remind of what is overdue, and of what is due soon with it."""
    return _reminder(event, PAYMENT_OVERDUE, [*event.payload.overdue, *event.payload.due])


def _reminder(
    event: Received, template: Template, invoices: Sequence[credit_pb2.OpenInvoice]
) -> NewMessage | None:
    if not invoices:
        return None
    said, today = event.payload, day(event.payload.local_date)
    cause = f"{said.customer_id}/{today.isoformat()}"
    if said.request_id:  # staff say it again on purpose
        cause += f"/{said.request_id}"
    owed = [OpenInvoice(i.outstanding, day(i.due_on)) for i in invoices]
    until = today + _LASTS
    return NewMessage(
        merchant_id=event.merchant_id,
        message_id=derived_uuid("message", event.merchant_id, template.name, cause),
        customer_id=said.customer_id,
        kind=template.name,
        cause=cause,
        template=template.name,
        variables=reminder.shown(owed, today, Currency(said.currency_code, said.minor_digits)),
        created_at=event.time,
        not_after=latest_end_of(until),
        family=template.family,
        until=until,
        invoices=[i.invoice_id for i in invoices],
    )


def payment_received(event: Received) -> NewMessage:
    """Thank for a payment; of use for six hours, at whatever hour."""
    said, template = event.payload, PAYMENT_RECEIVED
    values: dict[str, Value] = {"amount": Amount(said.amount, said.currency_code, said.minor_digits)}
    if said.allocations:
        values["invoices"] = len({a.invoice_id for a in said.allocations})
    for name, minor in (("credit_balance", said.unapplied), ("still_owed", said.outstanding)):
        if minor > 0:
            values[name] = Amount(minor, said.currency_code, said.minor_digits)
    return NewMessage(
        merchant_id=event.merchant_id,
        message_id=derived_uuid("message", event.merchant_id, template.name, said.payment_id),
        customer_id=said.customer_id,
        kind=template.name,
        cause=said.payment_id,
        template=template.name,
        variables=values,
        created_at=event.time,
        not_after=event.time + template.useful_for,
    )


def payment_reversed(event: Received) -> NewMessage | None:
    """Say that a payment was none; of use for a day, at whatever hour, as the receipt that it takes back.

    Nothing is said of what was recorded by mistake and booked nowhere: nobody had been told of it.
    """
    said, template = event.payload, PAYMENT_REVERSED
    mistake = said.reason == "MISTAKE"
    if mistake and not said.allocations and not said.taken_from_credit:
        return None
    values: dict[str, Value] = {"amount": Amount(said.amount, said.currency_code, said.minor_digits)}
    if said.allocations:
        values["invoices"] = len({a.invoice_id for a in said.allocations})
    for name, minor in (("credit_taken", said.taken_from_credit), ("still_owed", said.outstanding)):
        if minor > 0:
            values[name] = Amount(minor, said.currency_code, said.minor_digits)
    if mistake:
        values["mistake"] = 1
    cause = f"{said.payment_id}/reversal"
    return NewMessage(
        merchant_id=event.merchant_id,
        message_id=derived_uuid("message", event.merchant_id, template.name, cause),
        customer_id=said.customer_id,
        kind=template.name,
        cause=cause,
        template=template.name,
        variables=values,
        created_at=event.time,
        not_after=event.time + template.useful_for,
    )


def day(value: date_pb2.Date) -> date:
    """Read a local date; raises ValueError for none of the calendar."""
    return date(value.year, value.month, value.day)
