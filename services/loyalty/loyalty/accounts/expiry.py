"""Points past their last day: which are free to expire, booking that, and telling of it before. Pure.

A reservation holds a number of points, not those of certain lots. Which it keeps is worked out when it
matters: in the order in which they were made, each keeps the soonest expiring of the lots that could be
used on its day. So it keeps points whose last day passes after it was made, and never those of a lot that
was past its last day by then.
"""

from __future__ import annotations

from datetime import date, timedelta

from loyalty.accounts.model import Book, Cause, Lot
from loyalty.days import begins


def lapsed(book: Book, day: date) -> dict[int, int]:
    """Return the points of each lot, by its entry_no, that no hold keeps though their last day is past.

    Needs the open lots and, where one of them is past its last day, the holds; `day` is the local one.
    """
    past = [lot for lot in book.lots.values() if lot.left and lot.is_past(day)]
    if not past:
        return {}
    free = {lot.entry_no: lot.left for lot in book.lots.values()}
    for hold in book.holds.values():
        rest = hold.points
        for lot in sorted(book.lots.values(), key=lambda lot: lot.turn(hold.day)):
            kept = min(rest, free[lot.entry_no])
            free[lot.entry_no] -= kept
            rest -= kept
    return {lot.entry_no: free[lot.entry_no] for lot in past if free[lot.entry_no]}


def expire(book: Book, day: date, by: str = "") -> int:
    """Book what has lapsed by a local day, an entry a lot; return the points.

    `by` is the return before which it is booked, so that it finds the same as after the sweep; "" of the
    sweep itself, whose day is in its place.
    """
    free = lapsed(book, day)
    for lot in sorted((book.lots[no] for no in free), key=lambda lot: lot.turn(None)):
        assert lot.expires_on is not None, "what does not expire is never past its last day"
        ended = begins(lot.expires_on + timedelta(days=1), book.account.time_zone)
        book.expire(lot, free[lot.entry_no], Cause("EXPIRY", str(lot.entry_no), by or day.isoformat()), ended)
    return sum(free.values())


def expired_here(book: Book, entry_no: int) -> int:
    """Return the points of a lot whose expiry this fold of the book has booked."""
    causes = ("EXPIRY", str(entry_no))
    return -sum(entry.points for entry in book.entries if (entry.cause.kind, entry.cause.id) == causes)


def notice(book: Book, day: date, notice_days: int) -> list[Lot]:
    """Mark the lots that expire within `notice_days` as told of, and return them, soonest first.

    Each lot once ever; nobody is told of an erased customer's points.
    """
    if not notice_days or book.account.erased_at is not None:
        return []
    until = day + timedelta(days=notice_days)
    found = [
        lot
        for lot in sorted(book.lots.values(), key=lambda lot: lot.turn(None))
        if lot.left and lot.noticed_on is None and lot.expires_on and day <= lot.expires_on <= until
    ]
    for lot in found:
        book.mark_noticed(lot, day)
    return found
