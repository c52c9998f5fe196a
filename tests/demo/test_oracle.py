"""The oracle's own arithmetic, worked out by hand: a wrong judge would pass wrong books."""

import datetime

from local.demo.baskets import Line, Product
from local.demo.journal import Charged, CreditAsked, Paid, SaleDone, Tendered
from local.demo.oracle.credit import CreditBook
from local.demo.oracle.earning import largest_remainder, points_of
from local.demo.oracle.lots import Lot
from local.demo.oracle.points import PointsBook
from local.demo.oracle.returns import LineLeft, Remainder, shares

ZONE = "Asia/Jakarta"
GOODS = Product("P1", "GULA", ("GROCERY",), "GOODS", False)
GIFT_CARD = Product("P2", "GIFT CARD", (), "STORED_VALUE", False)


def line(number: int, net: int, thousandths: int = 1000, product: Product = GOODS) -> Line:
    return Line(str(number), product, thousandths, "pcs", net, 0, 0)


def sale(purchase_id: str, at: int, *tenders: Tendered) -> SaleDone:
    return SaleDone(0, purchase_id, "C", at, tenders)


def test_the_largest_remainder_gets_the_spare_unit_and_ties_go_by_order() -> None:
    assert largest_remainder(10, [1, 1, 1]) == [4, 3, 3]
    assert largest_remainder(7, [50, 30, 20]) == [4, 2, 1]
    assert largest_remainder(5, [0, 0]) == [0, 0]


def test_points_come_once_a_purchase_and_gift_cards_earn_none() -> None:
    lines = [line(1, 1_500), line(2, 1_500), line(3, 50_000, product=GIFT_CARD)]
    assert points_of(lines, 0, 10_000) == {"1": 2, "2": 1, "3": 0}


def test_what_a_voucher_paid_earns_nothing() -> None:
    assert sum(points_of([line(1, 10_000), line(2, 10_000)], 5_000, 10_000).values()) == 15


def test_the_multiplier_is_that_of_the_tier_before_the_purchase() -> None:
    book = PointsBook(ZONE)
    book.sell(sale("one", 0), [line(1, 2_000_000)], ZONE)
    book.sell(sale("two", 1), [line(1, 100_000)], ZONE)
    assert [entry.points for entry in book.entries] == [2_000, 110]
    assert [change.now for change in book.standing.changes] == ["Regular"]


def test_a_return_takes_points_back_in_proportion_and_gives_used_ones_back() -> None:
    book = PointsBook(ZONE)
    book.purse.lots.append(Lot(500, None))
    tenders = (Tendered("1", "POINTS", 5_000, 500, "R"), Tendered("2", "CASH", 5_000))
    left = Remainder({"1": LineLeft(2_000, 10_000)}, {"1": 5_000, "2": 5_000})
    book.sell(sale("one", 0, *tenders), [line(1, 10_000, 2_000)], ZONE)
    book.give_back("one", left.give_back("back", [("1", 1_000, 0)]), 60, ZONE)
    assert [(entry.effect, entry.points) for entry in book.entries] == [
        ("REDEEM", -500),
        ("EARN", 5),
        ("TAKE_BACK", -2),
        ("RESTORE", 250),
    ]


def test_a_return_takes_back_what_exceeds_what_has_expired() -> None:
    book = PointsBook(ZONE)
    left = Remainder({"1": LineLeft(4_000, 100_000)}, {"1": 100_000})
    book.sell(sale("one", 0), [line(1, 100_000, 4_000)], ZONE)
    book.purse.redeem(40)
    book.sweep(100 * 86_400)
    for turn, amount in enumerate((50_000, 25_000, 25_000)):
        book.give_back("one", left.give_back(str(turn), [("1", 0, amount)]), 100 * 86_400, ZONE)
    assert [(entry.effect, entry.cause_id, entry.points) for entry in book.entries] == [
        ("EARN", "one", 100),
        ("EXPIRE", "", -60),
        ("EXPIRE", "0", 50),
        ("TAKE_BACK", "0", -50),
        ("EXPIRE", "1", 10),
        ("TAKE_BACK", "1", -25),
        ("TAKE_BACK", "2", -25),
    ]
    assert book.purse.balance == -40


def test_a_refund_is_shared_over_what_is_left_with_spare_units_in_order() -> None:
    assert shares([100, 100, 100], 100) == [34, 33, 33]
    assert shares([0, 10], 10) == [0, 10]
    assert shares([], 0) == []


def test_parts_of_a_line_add_up_to_the_line() -> None:
    left = Remainder({"1": LineLeft(3_000, 10_000)}, {"1": 10_000})
    amounts = [left.give_back(str(turn), [("1", 1_000, 0)]).total for turn in range(3)]
    assert amounts == [3_333, 3_333, 3_334]
    assert left.tenders == {"1": 0}


def test_a_void_takes_what_is_left() -> None:
    left = Remainder({"1": LineLeft(2_000, 9_000), "2": LineLeft(0, 500)}, {"1": 9_500})
    left.give_back("first", [("1", 0, 4_000)])
    assert left.give_back("void", []).total == 5_500
    assert left.total == 0


def test_a_payment_goes_to_the_oldest_invoice_first_and_due_dates_are_local() -> None:
    book = CreditBook(limit=100_000, terms_days=7, zone="Asia/Jakarta")
    evening = int(datetime.datetime(2017, 3, 1, 20, tzinfo=datetime.UTC).timestamp())
    for number, amount in (("one", 30_000), ("two", 20_000)):
        book.sell(sale(number, evening, Tendered("1", "ON_ACCOUNT", amount)))
    book.pay(Paid("pay", "C", evening, 40_000, 50_000))
    assert [invoice.outstanding for invoice in book.invoices] == [0, 10_000]
    assert book.invoices[0].due_on == datetime.date(2017, 3, 9)
    assert book.objections(90_000, evening) == set()
    assert book.objections(90_001, evening) == {"OVER_LIMIT"}


def test_a_charge_without_a_purchase_frees_the_rest_of_its_hold_and_is_owed() -> None:
    book = CreditBook(limit=100_000, terms_days=7, zone="Asia/Jakarta")
    book.hold(CreditAsked("hold", "C", 20_000, approved=True, voided=False), 0)
    book.charge(Charged("hold", "C", 0, 15_000))
    assert (book.owed, book.used, book.holds) == (15_000, 15_000, {"hold": "CAPTURED"})
    book.pay(Paid("pay", "C", 0, 15_000, 15_000))
    assert book.payments == {"pay": {"hold": 15_000}}


def test_a_refund_beyond_what_is_owed_becomes_balance() -> None:
    book = CreditBook(limit=100_000, terms_days=7, zone="Asia/Jakarta")
    book.sell(sale("one", 0, Tendered("1", "ON_ACCOUNT", 30_000)))
    book.pay(Paid("pay", "C", 0, 20_000, 30_000))
    left = Remainder({"1": LineLeft(1_000, 30_000)}, {"1": 30_000})
    book.give_back("one", left.give_back("back", []))
    assert (book.owed, book.balance) == (0, 20_000)
