"""Tiers rise with purchases and are decided anew at the beginning of each local day."""

from local.demo.baskets import Line, Product
from local.demo.journal import SaleDone
from local.demo.oracle.days import DAY, beginning, local_date
from local.demo.oracle.points import PointsBook

ZONE = "Asia/Jakarta"
GOODS = Product("P1", "GULA", ("GROCERY",), "GOODS", False)
NOON = 1_500_000_000 // DAY * DAY + DAY // 2  # in UTC; 19:00 in Jakarta


def sold(book: PointsBook, name: str, at: int, amount: int) -> int:
    """Sell; give the points that it earned."""
    book.sell(SaleDone(0, name, "C", at, ()), [Line("1", GOODS, 1000, "pcs", amount, 0, 0)], ZONE)
    return sum(book.purchases[name].lines.values())


def evening(number: int) -> int:
    """The end of a day of the run, by UTC."""
    return (NOON // DAY + number + 1) * DAY


def fallen(book: PointsBook) -> int:
    """Let days pass until the tier changes; give the instant from which it does."""
    changes = (book.sweep(evening(number))[1] for number in range(100))
    return next(change for change in changes if change).since


def test_a_tier_falls_at_the_beginning_of_the_day_on_which_the_spend_has_left_the_window() -> None:
    book = PointsBook(ZONE)
    sold(book, "one", NOON, 2_000_000)
    for number in range(100):
        book.sweep(evening(number))
    # 90 days after 19:00 of a day the sale still counts at that day's midnight, not at the next.
    fell = local_date(NOON + 91 * DAY, ZONE)
    assert [(change.now, change.cause_id, change.since) for change in book.standing.changes] == [
        ("Regular", "one", NOON),
        ("New", fell.isoformat(), beginning(fell, ZONE)),
    ]


def test_a_sale_from_before_the_fall_is_in_the_tier_from_before_it() -> None:
    book = PointsBook(ZONE)
    sold(book, "one", NOON, 2_000_000)
    begun = fallen(book)
    assert sold(book, "before", begun - 1, 1_000_000) == 1_100
    assert sold(book, "after", begun, 900_000) == 900
    assert book.standing.now == "New"
    assert sold(book, "more", begun + 60, 100_000) == 100
    assert book.standing.now == "Regular"


def test_a_rise_by_a_sale_from_before_the_fall_lies_not_before_it() -> None:
    book = PointsBook(ZONE)
    sold(book, "one", NOON, 2_000_000)
    begun = fallen(book)
    sold(book, "late", begun - 3600, 2_000_000)
    assert [(change.now, change.since) for change in book.standing.changes] == [
        ("Regular", NOON),
        ("New", begun),
        ("Regular", begun),
    ]


def test_what_came_back_counts_no_more_at_the_next_morning() -> None:
    book = PointsBook(ZONE)
    sold(book, "one", NOON, 2_000_000)
    book.purchases["one"].spend -= 1
    assert book.standing.now == "Regular"
    book.sweep(evening(1))
    assert book.standing.now == "New"
