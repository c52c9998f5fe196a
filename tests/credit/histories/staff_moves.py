"""What staff do: payments, accounts, write-offs, reminders and exceptions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from langganan.credit.v1 import accounts_pb2, invoices_pb2, payments_pb2
from tests.credit.conftest import TILL, instant, rupiah
from tests.credit.histories.move import Move
from tests.credit.histories.plain import answer
from tests.credit.histories.steps import Thing
from tests.credit.reference import payments, staff

if TYPE_CHECKING:
    from tests.credit.histories.play import Play


def _invoice(play: Play, named: tuple[Any, ...]) -> str:
    """The id of an invoice by what it came of, whether it exists or not."""
    kind, thing, *tender = named
    name = play.worlds[0].name
    if kind == "sale":
        return name(play.credit.merchant, play.id("purchase", *thing), *tender)
    return name(play.credit.merchant, kind, play.id("hold" if kind == "hold" else "payment", *thing))


def pay(
    play: Play, who: int, payment: Thing, amount: int, named: Sequence[Any], ago: int | None, method: str,
    allow: bool, reference: str,
) -> Move:  # fmt: skip
    customer, payment_id = play.customers[who], play.id("payment", *payment)
    invoice_ids = tuple(_invoice(play, each) for each in named)
    at = None if ago is None else play.now - timedelta(minutes=ago)
    request = payments_pb2.RecordPaymentRequest(
        payment_id=payment_id, customer_id=customer, origin=TILL, amount=rupiah(amount),
        invoice_ids=invoice_ids,
        method=payments_pb2.PaymentMethod.Value(f"PAYMENT_METHOD_{method}"), allow_credit_balance=allow,
        occurred_at=None if at is None else instant(at), reference=reference,
    )  # fmt: skip
    return Move(
        lambda books: payments.record(
            books, customer, payment_id, amount, method, reference, invoice_ids, at, allow=allow
        ),
        lambda: answer(play.credit.payments.RecordPayment(request)),
    )


def confirm(play: Play, who: int, request: int, payment: Thing, ago: int | None) -> Move:
    customer, payment_id, request_id = (
        play.customers[who],
        play.id("payment", *payment),
        play.id("request", request),
    )
    at = None if ago is None else play.now - timedelta(minutes=ago)
    asked = payments_pb2.ConfirmPaymentRequest(
        request_id=request_id, payment_id=payment_id, customer_id=customer,
        occurred_at=None if at is None else instant(at),
    )  # fmt: skip
    return Move(
        lambda books: payments.confirm(books, customer, request_id, payment_id, at),
        lambda: answer(play.credit.payments.ConfirmPayment(asked)),
    )


def reverse(play: Play, who: int, request: int, payment: Thing, reason: str) -> Move:
    customer, payment_id, request_id = (
        play.customers[who],
        play.id("payment", *payment),
        play.id("request", request),
    )
    asked = payments_pb2.ReversePaymentRequest(
        request_id=request_id, payment_id=payment_id, customer_id=customer,
        reason=payments_pb2.ReversalReason.Value(f"REVERSAL_REASON_{reason}"),
    )  # fmt: skip
    return Move(
        lambda books: payments.reverse(books, customer, request_id, payment_id, reason),
        lambda: answer(play.credit.payments.ReversePayment(asked)),
    )


def pay_out(play: Play, who: int, payout: int, amount: int, reference: str) -> Move:
    customer, payout_id = play.customers[who], play.id("payout", payout)
    request = payments_pb2.PayOutRequest(
        payout_id=payout_id, customer_id=customer, amount=rupiah(amount), reference=reference, origin=TILL,
        method=payments_pb2.PAYMENT_METHOD_CASH,
    )  # fmt: skip
    return Move(
        lambda books: payments.pay_out(books, customer, payout_id, amount, reference),
        lambda: answer(play.credit.payments.PayOut(request)),
    )


def open(play: Play, who: int, request: int, limit: int, net_days: int, due_day: int, zone: str) -> Move:
    net_days = 0 if due_day else net_days
    customer, request_id = play.customers[who], play.id("request", request)
    asked = accounts_pb2.OpenAccountRequest(
        request_id=request_id, customer_id=customer, currency_code="IDR", time_zone=zone, limit=rupiah(limit),
        net_days=net_days, due_day=due_day,
    )  # fmt: skip
    return Move(
        lambda books: staff.open_account(books, customer, request_id, limit, net_days, due_day, zone),
        lambda: answer(play.credit.accounts.OpenAccount(asked)),
    )


def _change(play: Play, kind: str, request: Any, **told: Any) -> Move:
    method = {
        "LIMIT": "SetLimit", "TERMS": "SetTerms", "OVERRIDE": "OverrideLimit", "SUSPEND": "SuspendAccount",
        "RESUME": "ResumeAccount", "CLOSE": "CloseAccount",
    }[kind]  # fmt: skip
    return Move(
        lambda books: staff.change(
            books, request.customer_id, kind, request.request_id, request.reason, **told
        ),
        lambda: answer(getattr(play.credit.accounts, method)(request)),
    )


def limit(play: Play, who: int, request: int, limit: int, reason: str) -> Move:
    asked = accounts_pb2.SetLimitRequest(**_who(play, who, request), limit=rupiah(limit), reason=reason)
    return _change(play, "LIMIT", asked, limit=limit)


def terms(play: Play, who: int, request: int, net_days: int, due_day: int, reason: str) -> Move:
    told = {"net_days": 0 if due_day else net_days, "due_day": due_day}
    return _change(
        play, "TERMS", accounts_pb2.SetTermsRequest(**_who(play, who, request), **told, reason=reason), **told
    )


def override(play: Play, who: int, request: int, limit: int, minutes: int | None, reason: str) -> Move:
    """Another limit for so long; without an end none is wished any more."""
    asked = accounts_pb2.OverrideLimitRequest(**_who(play, who, request), reason=reason)
    if minutes is None:
        return _change(play, "OVERRIDE", asked)
    until = play.now + timedelta(minutes=minutes)
    asked.limit.CopyFrom(rupiah(limit))
    asked.until.CopyFrom(instant(until))
    return _change(play, "OVERRIDE", asked, limit=limit, until=until)


def suspend(play: Play, who: int, request: int, reason: str) -> Move:
    return _change(
        play, "SUSPEND", accounts_pb2.SuspendAccountRequest(**_who(play, who, request), reason=reason)
    )


def resume(play: Play, who: int, request: int, reason: str) -> Move:
    return _change(
        play, "RESUME", accounts_pb2.ResumeAccountRequest(**_who(play, who, request), reason=reason)
    )


def close(play: Play, who: int, request: int, reason: str) -> Move:
    return _change(play, "CLOSE", accounts_pb2.CloseAccountRequest(**_who(play, who, request), reason=reason))


def _who(play: Play, who: int, request: int) -> dict[str, str]:
    return {"request_id": play.id("request", request), "customer_id": play.customers[who]}


def write_off(play: Play, who: int, request: int, invoice: tuple[Any, ...], reason: str) -> Move:
    told, invoice_id = _who(play, who, request), _invoice(play, invoice)
    asked = invoices_pb2.WriteOffRequest(**told, invoice_id=invoice_id, reason=reason)
    return Move(
        lambda books: staff.write_off(books, told["customer_id"], told["request_id"], invoice_id, reason),
        lambda: answer(play.credit.invoices.WriteOff(asked)),
    )


def remind(play: Play, who: int, request: int) -> Move:
    told = _who(play, who, request)
    return Move(
        lambda books: staff.remind(books, told["customer_id"], told["request_id"]),
        lambda: answer(play.credit.invoices.SendReminder(invoices_pb2.SendReminderRequest(**told))),
    )


def resolve(play: Play, who: int, request: int, exception: int, text: str) -> Move:
    """Deal with the nth exception of the shop; where there are not so many, with none that exists."""
    request_id = play.id("request", request)
    listed = list(play.worlds[0].exceptions.values())
    exception_id, customer = play.id("exception", exception), play.customers[who]
    if exception < len(listed):
        exception_id, customer = listed[exception]["exception_id"], listed[exception]["customer_id"]
    asked = invoices_pb2.ResolveExceptionRequest(
        request_id=request_id, exception_id=exception_id, customer_id=customer, note=text
    )
    return Move(
        lambda books: staff.resolve(books, customer, request_id, exception_id, text),
        lambda: answer(play.credit.invoices.ResolveException(asked)),
    )
