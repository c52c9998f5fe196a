"""The ledger of one customer: entries, lots, holds and the account agree, whatever happens over the days."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty.accounts.expiry import expire, lapsed, notice
from loyalty.accounts.merge import transfer
from loyalty.accounts.model import Account, Book, Cause
from loyalty.days import begins, turned
from tests.loyalty.books import AT, TODAY, check

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["give", "take", "hold", "free", "settle", "sleep"]),
        st.integers(1, 100),
        st.sampled_from([None, TODAY, TODAY + timedelta(days=40), TODAY + timedelta(days=400)]),
    ),
    max_size=40,
)


@settings(max_examples=300)
@given(STEPS)
def test_a_ledger_its_lots_and_its_account_always_agree(steps):
    """Days go by: what lapsed is offered to nobody, expires at the next turn, and no hold loses a point."""
    book, held, day = Book(Account("m", "c", time_zone="Asia/Jakarta")), dict[str, int](), TODAY
    for number, (step, amount, last) in enumerate(steps):
        cause, free = Cause("ADJUSTMENT", str(number)), sum(lapsed(book, day).values())
        if step == "give":
            book.give("ADJUST", amount, cause, last, 0, AT)
        elif step == "take":
            taken = book.take("ADJUST", amount, cause, 0, AT, day=day)
            assert sum(source.left for source in taken) == amount
        elif step == "hold" and amount <= book.account.active - free:
            book.hold(amount, str(number), day)
            held[str(number)] = amount
            assert sum(lapsed(book, day).values()) == free
        elif step == "free" and held:
            by, points = held.popitem()
            book.unhold(points, by)
        elif step == "sleep":
            day += timedelta(days=amount)
            gone, before = sum(lapsed(book, day).values()), book.account.balance
            assert expire(book, day) == gone
            assert book.account.balance == before - gone
            assert lapsed(book, day) == {}
            past = sum(lot.left for lot in book.lots.values() if lot.is_past(day))
            assert past <= book.account.reserved
        check(book)
        assert book.account.reserved == sum(held.values())


@settings(max_examples=150)
@given(STEPS, st.lists(st.integers(1, 60), min_size=1, max_size=6))
def test_restored_points_bring_the_balance_back_and_never_more(steps, parts):
    book = Book(Account("m", "c"))
    for number, (step, amount, day) in enumerate(steps):
        if step == "give":
            book.give("ADJUST", amount, Cause("ADJUSTMENT", str(number)), day, 0, AT)
    before = book.account.balance
    sources = book.take("REDEEM", sum(parts), Cause("PURCHASE", "p"), 0, AT)
    for number, part in enumerate(parts):
        cause = Cause("RETURN", str(number))
        book.restore(part, sources, cause, None, 0, AT, TODAY)
        check(book)
    assert book.account.balance == before
    assert all(source.left == 0 for source in sources)


def test_points_are_spent_soonest_expiry_first_and_non_expiring_last():
    book = Book(Account("m", "c"))
    for number, day in enumerate([None, TODAY + timedelta(days=9), TODAY, TODAY], start=1):
        book.give("ADJUST", 10, Cause("ADJUSTMENT", str(number)), day, 0, AT)
    taken = book.take("REDEEM", 35, Cause("PURCHASE", "p"), 0, AT)
    assert [(source.entry_no, source.left) for source in taken] == [(3, 10), (4, 10), (2, 10), (1, 5)]


def test_restored_points_keep_their_expiry_but_live_thirty_days():
    book = Book(Account("m", "c"))
    far, near = TODAY + timedelta(days=100), TODAY + timedelta(days=5)
    book.give("ADJUST", 10, Cause("ADJUSTMENT", "1"), far, 0, AT)
    book.give("ADJUST", 10, Cause("ADJUSTMENT", "2"), near, 0, AT)
    sources = book.take("REDEEM", 20, Cause("PURCHASE", "p"), 0, AT)
    book.restore(20, sources, Cause("RETURN", "r"), None, 0, AT, TODAY)
    left = {(lot.expires_on, lot.left) for lot in book.lots.values() if lot.left}
    assert left == {(far, 10), (TODAY + timedelta(days=30), 10)}


def test_what_is_owed_is_repaid_before_a_new_lot_is_made():
    book = Book(Account("m", "c"))
    book.take("TAKE_BACK", 30, Cause("RETURN", "r", "1"), 0, AT)
    assert (book.account.balance, book.account.active, book.account.negative) == (-30, 0, 30)
    book.give("EARN", 50, Cause("PURCHASE", "p"), None, 0, AT)
    assert (book.account.balance, book.account.active, book.account.negative) == (20, 20, 0)
    assert [lot.left for lot in book.lots.values()] == [20]


@given(STEPS, STEPS)
def test_a_merge_moves_every_point_and_every_debt(ours, theirs):
    books = [Book(Account("m", "a")), Book(Account("m", "b"))]
    for book, steps in zip(books, (ours, theirs), strict=True):
        for number, (step, amount, day) in enumerate(steps):
            cause = Cause("ADJUSTMENT", str(number))
            if step == "give":
                book.give("ADJUST", amount, cause, day, 0, AT)
            elif step == "take":
                book.take("ADJUST", amount, cause, 0, AT)
            elif step == "hold" and amount <= book.account.active:
                book.hold(amount, str(number), TODAY)
    absorbed, survivor = books
    total = absorbed.account.balance + survivor.account.balance
    reserved = absorbed.account.reserved + survivor.account.reserved
    transfer(absorbed, survivor, AT)
    check(absorbed)
    check(survivor)
    assert (absorbed.account.balance, absorbed.account.reserved) == (0, 0)
    assert (survivor.account.balance, survivor.account.reserved) == (total, reserved)


# Expiry


def a_book(*lots: tuple[int, int | None], holds: tuple[tuple[int, int], ...] = ()) -> Book:
    """Lots of (points, days until the last one), holds of (points, days since)."""
    book = Book(Account("m", "c", time_zone="Asia/Jakarta"))
    for number, (points, days) in enumerate(lots):
        last = None if days is None else TODAY + timedelta(days=days)
        book.give("ADJUST", points, Cause("ADJUSTMENT", str(number)), last, 0, AT)
    for number, (points, days) in enumerate(holds):
        book.hold(points, str(number), TODAY - timedelta(days=days))
    return book


@pytest.mark.parametrize(
    ("lots", "holds", "free"),
    [
        ([(10, -1)], (), {1: 10}),
        ([(10, 0), (10, None)], (), {}),
        ([(10, -1), (5, -3)], (), {1: 10, 2: 5}),
        ([(10, -1), (50, 9)], ((10, 1),), {}),
        ([(10, -1), (50, 9)], ((4, 1),), {1: 6}),
        ([(10, -1), (50, 9)], ((10, 0),), {1: 10}),
        ([(10, -3), (10, -1), (50, 9)], ((15, 2),), {1: 10}),
        ([(10, -1), (50, 9)], ((6, 1), (50, 0)), {1: 4}),
        ([(10, -1)], ((10, 0),), {}),
    ],
    ids=[
        "after its last day a lot lapses",
        "on its last day, or without one, it does not",
        "each lot by itself",
        "a hold made on the last day keeps it",
        "and no more than it holds",
        "a hold made after it keeps others",
        "the soonest of those that could be used",
        "each hold for itself",
        "a hold that finds no other points keeps what there is",
    ],
)
def test_what_no_reservation_keeps_lapses(lots, holds, free):
    book = a_book(*lots, holds=holds)
    assert lapsed(book, TODAY) == free
    assert expire(book, TODAY) == sum(free.values())
    check(book)


@pytest.mark.parametrize(
    ("zone", "now", "last", "day"),
    [
        ("Asia/Jakarta", "2026-03-02T16:59:59Z", None, date(2026, 3, 2)),
        ("Asia/Jakarta", "2026-03-02T17:00:00Z", date(2026, 3, 2), date(2026, 3, 3)),
        ("Asia/Jakarta", "2026-03-09T17:00:00Z", date(2026, 3, 2), date(2026, 3, 10)),
        ("", "2026-03-03T00:00:00Z", date(2026, 3, 2), date(2026, 3, 3)),
        # In St John's of 2010 clocks went from 00:01 on the 7th back to 23:01 on the 6th.
        ("America/St_Johns", "2010-11-07T02:45:00Z", date(2010, 11, 6), date(2010, 11, 7)),
    ],
)
def test_a_day_turns_at_its_own_midnight_and_never_comes_back(zone, now, last, day):
    at = datetime.fromisoformat(now)
    assert turned(at, zone, last) == day
    assert last is None or begins(last + timedelta(days=1), zone) <= at


def test_an_expiry_is_an_entry_of_the_lot_as_its_last_day_ended():
    book = a_book((10, None), (10, -1))
    expire(book, TODAY)
    entry = book.entries[-1]
    assert (entry.kind, entry.points, entry.balance_after) == ("EXPIRE", -10, 10)
    assert entry.cause == Cause("EXPIRY", "2", "2026-03-02")
    assert entry.effective_at.isoformat() == "2026-03-01T17:00:00+00:00"


def test_a_redemption_of_an_earlier_day_uses_the_points_of_that_day():
    book = a_book((10, -1), (10, 9))
    taken = book.take("REDEEM", 10, Cause("PURCHASE", "p"), 0, AT, day=TODAY - timedelta(days=1))
    assert [source.entry_no for source in taken] == [1]
    book = a_book((10, -1), (10, 9))
    taken = book.take("REDEEM", 15, Cause("PURCHASE", "p"), 0, AT, day=TODAY)
    assert [(source.entry_no, source.left) for source in taken] == [(2, 10), (1, 5)]


@pytest.mark.parametrize(("days", "told"), [(0, []), (1, [0, 1]), (7, [0, 1, 7]), (366, [0, 1, 7, 8])])
def test_lots_are_told_of_once_from_so_many_days_before_their_last(days, told):
    book = a_book((5, -1), (10, 0), (20, 7), (30, 8), (40, None), (50, 1))
    found = notice(book, TODAY, days)
    assert [(lot.expires_on or date.max) - TODAY for lot in found] == [timedelta(days=n) for n in told]
    assert notice(book, TODAY, days) == []


def test_a_merge_takes_along_what_was_told_and_nobody_hears_of_an_erased_customers_points():
    absorbed, survivor = a_book((10, 3)), Book(Account("m", "b"))
    assert len(notice(absorbed, TODAY, 7)) == 1
    transfer(absorbed, survivor, AT)
    assert notice(survivor, TODAY, 7) == []
    gone = a_book((10, 3), (5, -1))
    gone.account.erased_at = AT
    assert notice(gone, TODAY, 7) == []
    assert expire(gone, TODAY) == 5


def test_what_is_restored_after_its_last_day_lives_thirty_days_from_the_return():
    book = a_book((10, -1), holds=((10, 1),))
    book.unhold(10, "0")
    sources = book.take("REDEEM", 10, Cause("PURCHASE", "p"), 0, AT, day=TODAY - timedelta(days=1))
    book.restore(10, sources, Cause("RETURN", "r", "t"), None, 0, AT, TODAY)
    assert lapsed(book, TODAY + timedelta(days=30)) == {}
    assert sum(lapsed(book, TODAY + timedelta(days=31)).values()) == 10
    check(book)
