"""Points by their expiry, worked out by hand."""

import datetime

from local.demo.oracle.lots import Lot, Purse

JUNE = datetime.date(2017, 6, 1)


def day(number: int) -> datetime.date:
    return JUNE + datetime.timedelta(days=number)


def purse(*lots: tuple[int, datetime.date | None]) -> Purse:
    return Purse([Lot(points, last) for points, last in lots])


def test_what_expires_soonest_is_spent_first_and_what_never_does_last() -> None:
    mine = purse((10, None), (10, day(60)), (10, day(40)), (10, day(60)))
    drawn = mine.redeem(25)
    assert [(one.points, one.lot.expires_on) for one in drawn] == [(10, day(40)), (10, day(60)), (5, day(60))]
    assert [lot.left for lot in mine.lots] == [10, 0, 0, 5]


def test_points_taken_back_come_from_their_own_purchase_first() -> None:
    mine = purse((10, day(40)))
    own = mine.give(8, day(90))
    mine.take(12, own)
    assert [lot.left for lot in mine.lots] == [6, 0]


def test_what_is_missing_is_owed_and_repaid_before_new_points_count() -> None:
    mine = purse((10, day(40)))
    mine.take(25, None)
    assert (mine.active, mine.owed, mine.balance) == (0, 15, -15)
    mine.give(20, day(90))
    assert (mine.active, mine.owed, mine.by_expiry()) == (5, 0, {day(90): 5})


def test_reserved_points_are_not_taken_but_owed_until_they_are_free() -> None:
    mine = purse((10, day(40)))
    mine.reserved = 10
    mine.take(4, None)
    assert (mine.active, mine.owed, mine.total) == (0, 4, 10)
    mine.free(10)
    assert (mine.active, mine.owed, mine.total) == (6, 0, 6)


def test_restored_points_keep_their_expiry_but_live_thirty_days() -> None:
    mine = purse((10, day(10)), (10, day(50)))
    drawn = mine.redeem(20)
    mine.restore(15, drawn, today=day(5))
    assert mine.by_expiry() == {day(50): 10, day(35): 5}
    mine.restore(5, drawn, today=day(6))
    assert mine.by_expiry() == {day(50): 10, day(35): 5, day(36): 5}


def test_what_is_owed_is_repaid_from_restored_points() -> None:
    mine = purse((10, day(50)))
    drawn = mine.redeem(10)
    mine.take(4, None)
    mine.restore(10, drawn, today=JUNE)
    assert (mine.owed, mine.by_expiry()) == (0, {day(50): 6})


def test_a_lot_is_usable_through_its_last_day_and_gone_the_day_after() -> None:
    mine = purse((10, day(3)), (5, day(4)))
    assert mine.expire(day(3)) == []
    assert mine.expire(day(4)) == [(10, day(3))]
    assert mine.expire(day(4)) == []
    assert mine.active == 5


def test_reserved_points_do_not_expire() -> None:
    mine = purse((10, day(3)), (5, day(30)))
    mine.reserved = 7
    assert mine.expire(day(4)) == [(3, day(3))]


def test_a_lot_is_noticed_once_ever() -> None:
    mine = purse((10, day(14)), (5, day(14)), (7, day(15)), (3, None))
    drawn = mine.redeem(3)
    assert mine.notice(day(-1), 14) == {}
    assert mine.notice(day(0), 14) == {day(14): 12}
    mine.restore(3, drawn, today=day(-20))
    assert mine.notice(day(1), 14) == {day(15): 7}


def test_a_lot_that_is_empty_on_its_day_is_noticed_once_it_is_not() -> None:
    mine = purse((10, day(40)))
    drawn = mine.redeem(10)
    assert mine.notice(day(30), 14) == {}
    mine.restore(10, drawn, today=day(9))
    assert mine.notice(day(31), 14) == {day(40): 10}
