"""What tills and the sweep do with holds."""

from __future__ import annotations

from datetime import timedelta

from tests.credit.reference.books import Answer, Books, Hold, Refused

TTL = timedelta(minutes=15)


def authorize(
    books: Books, customer: str, hold_id: str, amount: int, ttl: timedelta | None, *, dry_run: bool = False
) -> Answer:
    """Keep an amount aside, or decline for the first reason that applies; asked again, tell the present."""
    if amount <= 0:
        raise Refused("INVALID_MONEY")
    asked, customer = (customer, amount, ttl), books.who(customer)
    account, before = books.account(customer), books.holds.get(hold_id)
    if before is not None and (before.customer != customer or before.asked not in (None, asked)):
        raise Refused("IDEMPOTENCY_CONFLICT")
    hold = before or Hold(customer, "DECLINED", books.now, asked, available=books.available(customer))
    if before is None:
        hold.declined = _declined(books, customer, amount)
        hold.amount = amount if account.is_open else None
        if not hold.declined:
            hold.state, hold.expires_at = "PENDING", books.now + (ttl or TTL)
        books.holds[hold_id] = hold
    answer = {
        "hold": show(hold_id, hold),
        "available": books.available(customer) if account.is_open else None,
    }
    if before is None and dry_run:
        del books.holds[hold_id]
    return answer


def _declined(books: Books, customer: str, amount: int) -> str:
    account = books.account(customer)
    if account.erased:
        return "CUSTOMER_ERASED"
    if not account.is_open:
        return "NO_ACCOUNT"
    if account.status in ("SUSPENDED", "CLOSED"):
        return f"ACCOUNT_{account.status}"
    if books.is_blocked(customer):
        return "OVERDUE"
    return "OVER_LIMIT" if amount > books.available(customer) else ""


def void(books: Books, customer: str, hold_id: str) -> Answer:
    """Give a hold back; one that nobody asked for yet is never to keep anything."""
    customer = books.who(customer)
    hold = books.holds.setdefault(hold_id, Hold(customer, "VOIDED", books.now))
    if hold.customer != customer:
        raise Refused("HOLD_NOT_FOUND")
    if hold.state == "CAPTURED":
        raise Refused("ALREADY_CAPTURED")
    if hold.state == "PENDING":
        hold.state = "VOIDED"
    return {"hold": show(hold_id, hold)}


def capture(books: Books, customer: str, hold_id: str, amount: int | None) -> Answer:
    """Charge a pending hold without a sale, in full or in part, and release the rest."""
    customer = books.who(customer)
    hold = _find(books, customer, hold_id)
    if hold.state not in ("PENDING", "CAPTURED"):
        raise _not_pending(hold)
    wished = hold.amount if amount is None else amount
    assert wished is not None, "what was approved has an amount"
    assert hold.amount is not None, "what was approved has an amount"
    if wished <= 0:
        raise Refused("INVALID_MONEY")
    invoice_id = books.name(books.merchant, "hold", hold_id)
    if hold.state == "CAPTURED":
        if hold.invoice_id != invoice_id:
            raise _not_pending(hold)
        if hold.captured != wished:
            raise Refused("IDEMPOTENCY_CONFLICT")
    elif wished > hold.amount:
        raise Refused("CAPTURE_EXCEEDS_HOLD", held=hold.amount)
    else:
        books.charge(customer, "CAPTURE", hold_id, wished, books.now, invoice_id=invoice_id, hold_id=hold_id)
        hold.state, hold.captured, hold.invoice_id = "CAPTURED", wished, invoice_id
    return {"hold": show(hold_id, hold)}


def extend(books: Books, customer: str, hold_id: str, ttl: timedelta) -> Answer:
    """Keep a pending hold until ttl after it was decided, never for less than before."""
    hold = _find(books, customer, hold_id)
    if hold.state != "PENDING":
        raise _not_pending(hold)
    assert hold.expires_at is not None, "what is pending has an end"
    hold.expires_at = max(hold.expires_at, hold.decided_at + ttl)
    return {"hold": show(hold_id, hold)}


def expire(books: Books) -> None:
    """Give up what nobody used in time, if all that could have used it is heard and nothing of it waits."""
    waiting = [event for events in books.parked.values() for event in events]
    named = {tender[2] for event in waiting for tender in getattr(event, "tenders", ())}
    for hold_id, hold in books.holds.items():
        if hold.state == "PENDING" and not books.parked.get(hold.customer) and hold_id not in named:
            assert hold.expires_at is not None, "what is pending has an end"
            if hold.expires_at <= min(books.now, books.heard):
                hold.state = "EXPIRED"


def _find(books: Books, customer: str, hold_id: str) -> Hold:
    hold = books.holds.get(hold_id)
    if hold is None or hold.customer != books.who(customer):
        raise Refused("HOLD_NOT_FOUND")
    return hold


def _not_pending(hold: Hold) -> Refused:
    return Refused("HOLD_NOT_PENDING" if hold.state == "DECLINED" else f"ALREADY_{hold.state}")


def show(hold_id: str, hold: Hold) -> Answer:
    """A hold as the contract tells it."""
    decline = {"reason": hold.declined, "available": None if hold.amount is None else hold.available}
    return {
        "hold_id": hold_id, "customer_id": hold.customer, "state": hold.state, "amount": hold.amount,
        "captured_amount": hold.captured, "invoice_id": hold.invoice_id,
        "decline": decline if hold.declined else None, "decided_at": hold.decided_at,
        "expires_at": hold.expires_at,
    }  # fmt: skip
