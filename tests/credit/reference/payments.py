"""What customers pay on account, and what becomes of it."""

from __future__ import annotations

from datetime import datetime, timedelta

from tests.credit.reference.books import Answer, Books, Payment, Refused


def believed(occurred_at: datetime | None, now: datetime) -> datetime:
    """The caller's time if it lies between 30 days ago and in 5 minutes, else ours."""
    if occurred_at and now - timedelta(days=30) <= occurred_at <= now + timedelta(minutes=5):
        return occurred_at
    return now


def record(
    books: Books, customer: str, payment_id: str, amount: int, method: str, reference: str,
    named: tuple[str, ...], occurred_at: datetime | None, *, allow: bool,
) -> Answer:  # fmt: skip
    """Book a payment; a giro is only noted until it clears."""
    asked = (customer, amount, method, reference, named, allow)
    customer, before = books.who(customer), books.payments.get(payment_id)
    if before is not None and before.asked != asked:
        raise Refused("IDEMPOTENCY_CONFLICT")
    account, owed = books.opened(customer), books.owed(customer)
    if before is None:
        if amount <= 0:
            raise Refused("INVALID_MONEY")
        if method != "GIRO" and amount > owed and not allow:
            raise Refused("OVERPAYMENT", owed=owed, excess=amount - owed)
        for invoice_id in named:
            if invoice_id not in books.invoices or books.invoices[invoice_id].customer != customer:
                raise Refused("INVOICE_NOT_FOUND")
        at = believed(occurred_at, books.now)
        kept = "" if account.erased else reference
        payment = Payment(customer, asked, amount, method, kept, named, at, books.now, owed)
        if method != "GIRO":
            _book(books, payment_id, payment, at)
        books.payments[payment_id] = payment
    return {"payment": show(payment_id, books.payments[payment_id])}


def _book(books: Books, payment_id: str, payment: Payment, at: datetime) -> None:
    """Pay the named invoices, then the oldest; what is left becomes credit balance."""
    customer, left = payment.customer, payment.amount
    payment.state, payment.cleared_at, payment.booked = "RECEIVED", at, len(books.entries)
    oldest = [i.invoice_id for i in books.invoices_of(customer)]
    said = len(books.facts)
    for invoice_id in dict.fromkeys((*payment.named, *oldest)):
        invoice = books.invoices[invoice_id]
        part = min(left, invoice.owed)
        if part:
            left -= part
            invoice.paid += part
            payment.allocations.append((invoice_id, part))
            books.enter(customer, "PAYMENT", payment_id, "PAID", invoice_id, -part, 0, at)
            books.settle(invoice, payment_id, at)
    books.enter(customer, "PAYMENT", payment_id, "CREDIT_ADDED", "", 0, left, at)
    payment.unapplied, payment.outstanding_after = left, books.owed(customer)
    books.say(
        "payment-received", customer, payment_id=payment_id, amount=payment.amount,
        allocations=parts(payment.allocations), unapplied=left, outstanding=payment.outstanding_after,
        received_at=at,
    )  # fmt: skip
    books.facts.insert(said, books.facts.pop())  # the payment is said before what it settles


def confirm(
    books: Books, customer: str, request_id: str, payment_id: str, occurred_at: datetime | None
) -> Answer:
    """Book a giro that cleared; the money is there, whatever is owed by now."""
    again = books.repeats("payment", request_id, "CONFIRM", customer, payment_id)
    payment = _find(books, customer, payment_id)
    if not again:
        if payment.state != "PENDING":
            raise Refused(f"ALREADY_{payment.state}")
        _book(books, payment_id, payment, believed(occurred_at, books.now))
        books.requests["payment", request_id] = ("CONFIRM", customer, payment_id)
    return {"payment": show(payment_id, payment)}


def reverse(books: Books, customer: str, request_id: str, payment_id: str, reason: str) -> Answer:
    """Undo a payment that turned out to be none."""
    again = books.repeats("payment", request_id, "REVERSE", customer, payment_id, reason)
    payment = _find(books, customer, payment_id)
    if not again:
        if payment.state == "REVERSED":
            raise Refused("ALREADY_REVERSED")
        said = len(books.facts)
        if payment.state == "RECEIVED":
            _undo(books, payment_id, payment)
        payment.state, payment.reversed_at, payment.reason = "REVERSED", books.now, reason
        books.say(
            "payment-reversed", payment.customer, payment_id=payment_id, amount=payment.amount,
            allocations=parts(payment.owed_again), reason=reason, reversed_at=books.now,
            taken_from_credit=payment.taken, outstanding=books.owed(payment.customer),
        )  # fmt: skip
        books.facts.insert(said, books.facts.pop())  # said before what it charges anew
        books.requests["payment", request_id] = ("REVERSE", customer, payment_id, reason)
    return {
        "payment": show(payment_id, payment), "owed_again": parts(payment.owed_again),
        "taken_from_credit": payment.taken, "outstanding": books.owed(payment.customer),
    }  # fmt: skip


def _undo(books: Books, payment_id: str, payment: Payment) -> None:
    """Take all back: from invoices, credit balance, invoices that used that; the rest is charged anew."""
    customer, needed = payment.customer, payment.unapplied
    unpaid: list[tuple[str, int]] = []
    still = {i: books.invoices[i].paid for i in books.invoices}
    for invoice_id, amount in reversed(payment.allocations):
        part = min(amount, still[invoice_id])  # a return may have turned the rest into credit balance
        needed += amount - part
        still[invoice_id] -= part
        unpaid += [(invoice_id, part)] if part else []
    payment.taken = min(needed, books.credit(customer))
    needed -= payment.taken
    later = [e.invoice_id for e in books.entries[payment.booked :] if e.effect == "CREDIT_USED"]
    unused: list[tuple[str, int]] = []
    for invoice_id in reversed([i for i in later if books.invoices[i].customer == customer]):
        part = min(needed, books.invoices[invoice_id].by_credit, still[invoice_id])
        needed -= part
        unused += [(invoice_id, part)] if part else []
    for effect, undone in (("CREDIT_UNUSED", unused), ("UNPAID", unpaid)):
        for invoice_id, part in undone:
            invoice, given_back = books.invoices[invoice_id], part if effect == "CREDIT_UNUSED" else 0
            invoice.paid -= part
            invoice.by_credit -= given_back
            invoice.settled_at = None
            books.enter(customer, "REVERSAL", payment_id, effect, invoice_id, part, given_back, books.now)
    payment.taken += sum(part for _, part in unused)
    books.enter(customer, "REVERSAL", payment_id, "CREDIT_TAKEN", "", 0, -payment.taken, books.now)
    payment.owed_again = unused + unpaid
    if needed:  # it was paid out in money
        invoice_id = books.name(books.merchant, "reversal", payment_id)
        books.charge(
            customer, "REVERSAL", payment_id, needed, books.now, invoice_id=invoice_id, due_at_once=True
        )
        payment.owed_again.append((invoice_id, needed))


def pay_out(books: Books, customer: str, payout_id: str, amount: int, reference: str) -> Answer:
    """Return credit balance in money."""
    asked, customer = (customer, amount, reference), books.who(customer)
    again = books.repeats("payout", payout_id, *asked)
    account = books.opened(customer)
    if not again:
        if amount <= 0:
            raise Refused("INVALID_MONEY")
        payable, credit = books.payable(customer), books.credit(customer)
        if amount > payable:
            raise Refused("CREDIT_BALANCE_EXCEEDED", credit_balance=credit, payable=payable)
        books.enter(customer, "PAYOUT", payout_id, "PAID_OUT", "", 0, -amount, books.now)
        left = books.credit(customer)
        books.say(
            "credit-paid-out", customer, payout_id=payout_id, amount=amount, credit_balance=left,
            paid_out_at=books.now,
        )  # fmt: skip
        books.answers[payout_id] = {
            "payout_id": payout_id, "customer_id": customer, "amount": amount,
            "reference": "" if account.erased else reference, "credit_balance_after": left,
            "paid_out_at": books.now,
        }  # fmt: skip
        books.requests["payout", payout_id] = asked
    return {"payout": books.answers[payout_id]}


def _find(books: Books, customer: str, payment_id: str) -> Payment:
    payment = books.payments.get(payment_id)
    if payment is None or payment.customer != books.who(customer):
        raise Refused("PAYMENT_NOT_FOUND")
    return payment


def parts(allocations: list[tuple[str, int]]) -> list[Answer]:
    """Allocations as the contract tells them."""
    return [{"invoice_id": invoice_id, "amount": amount} for invoice_id, amount in allocations]


def show(payment_id: str, payment: Payment) -> Answer:
    """A payment as the contract tells it."""
    return {
        "payment_id": payment_id, "customer_id": payment.customer, "amount": payment.amount,
        "method": payment.method, "reference": payment.reference, "allocations": parts(payment.allocations),
        "unapplied": payment.unapplied, "outstanding_after": payment.outstanding_after,
        "effective_at": payment.effective_at, "received_at": payment.received_at, "state": payment.state,
        "invoice_ids": list(payment.named), "cleared_at": payment.cleared_at,
        "reversed_at": payment.reversed_at, "reversal_reason": payment.reason,
    }  # fmt: skip
