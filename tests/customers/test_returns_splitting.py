"""However a purchase is returned, in whatever parts, the parts add up to what was paid."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customers.purchases import errors
from customers.purchases.left import Decision, Left, LineLeft, TenderLeft
from customers.purchases.splitting import Item, Reason, decide
from kit.errors import DomainError


def bought(
    lines: list[tuple[int, int]], tenders: list[int], *, roundings: Sequence[int] = (), account: int = -1
) -> Left:
    rows = [LineLeft(str(i), net, q, net, q) for i, (net, q) in enumerate(lines)]
    rows += [LineLeft(f"r{i}", net, 0, net, 0, rounding=True) for i, net in enumerate(roundings)]
    return Left(
        tuple(rows), tuple(TenderLeft(f"t{i}", amount, i == account) for i, amount in enumerate(tenders))
    )


def amounts(decision: Decision) -> dict[str, int]:
    return {f"t{p.index}": p.amount for p in decision.refunds}


def a_purchase(pick: random.Random) -> Left:
    """Up to six lines, some free, some without a quantity, up to three roundings, up to four tenders."""
    size = pick.choice([3, 200, 100_000])
    lines = [
        (pick.choice([0, pick.randint(0, size)]), pick.choice([0, 1000, pick.randint(1, 9_000)]))
        for _ in range(pick.randint(1, 6))
    ]
    goods = sum(net for net, _ in lines)
    left, parts, roundings = goods, list[int](), list[int]()
    for _ in range(pick.randint(0, 3)):
        roundings.append(pick.randint(-min(left, 99), 99))
        left += roundings[-1]
    for _ in range(pick.randint(0, 3)):
        parts.append(pick.randint(0, left))
        left -= parts[-1]
    return bought(lines, [part for part in [*parts, left] if part], roundings=roundings)


def some_of(pick: random.Random, left: Left) -> list[Item]:
    items = []
    for line in left.lines:
        if line.rounding or pick.randint(0, 2) == 0:
            continue
        if line.quantity and pick.randint(0, 1):
            items.append(Item(line.line_id, pick.randint(1, line.quantity), 0))
        elif line.amount:
            items.append(Item(line.line_id, 0, pick.randint(1, line.amount)))
    return items


def holds(left: Left) -> None:
    assert sum(line.amount for line in left.lines) == sum(t.amount for t in left.tenders)
    assert all(line.quantity >= 0 and (line.amount >= 0 or line.rounding) for line in left.lines)
    assert all(abs(line.amount) <= abs(line.net) for line in left.lines)
    assert all(tender.amount >= 0 for tender in left.tenders)


def play(pick: random.Random) -> None:
    """Return a purchase in parts, then void the rest, and check that it all adds up."""
    whole = left = a_purchase(pick)
    taken: list[Decision] = []
    ended = 0
    for _ in range(pick.randint(0, 4)):
        items = some_of(pick, left)
        if items:
            was_gone = left.gone
            taken.append(decide(left, Reason.RETURN, items))
            assert 0 <= taken[-1].total == sum(p.amount for p in taken[-1].refunds)
            left = left.without(taken[-1])
            holds(left)
            assert (taken[-1].total_left, taken[-1].exhausts) == (left.total, left.gone)
            ended += left.gone and not was_gone
    if left.gone:
        with pytest.raises(errors.NothingLeft):
            decide(left, Reason.VOID, [])
    else:
        taken.append(decide(left, Reason.VOID, []))
        left = left.without(taken[-1], void=True)
        holds(left)
        assert taken[-1].exhausts
        assert all(line.quantity == 0 for line in left.lines)
        ended += 1
    assert ended == 1
    assert left.total == sum(line.amount for line in left.lines) == 0
    assert sum(d.total for d in taken) == sum(p.amount for d in taken for p in d.lines) == whole.total


# 200 examples of 100 histories: drawing 20,000 histories step by step takes hypothesis minutes.
@settings(max_examples=200, deadline=None, database=None)
@given(st.integers(0, 2**32))
def test_every_history_of_partial_returns_adds_up(seed: int) -> None:
    for number in range(100):
        play(random.Random(f"{seed}/{number}"))


def test_a_refund_is_split_by_what_is_left_and_spare_units_go_in_tender_order() -> None:
    left = bought([(100, 3000)], [33, 33, 34])
    first = decide(left, Reason.RETURN, [Item("0", 1000, 0)])
    assert (first.total, amounts(first)) == (33, {"t0": 11, "t1": 11, "t2": 11})
    left = left.without(first)
    second = decide(left, Reason.RETURN, [Item("0", 1000, 0)])
    assert (second.total, amounts(second)) == (33, {"t0": 11, "t1": 11, "t2": 11})
    third = decide(left.without(second), Reason.RETURN, [Item("0", 1000, 0)])
    assert (third.total, amounts(third)) == (34, {"t0": 11, "t1": 11, "t2": 12})
    assert third.exhausts
    assert third.lines[0].exhausts


def test_a_rounding_follows_the_goods() -> None:
    left = bought([(10_050, 2000)], [10_000], roundings=[-50])
    half = decide(left, Reason.RETURN, [Item("0", 1000, 0)])
    assert [p.amount for p in half.lines] == [5_025, -25]
    rest = decide(left.without(half), Reason.RETURN, [Item("0", 1000, 0)])
    assert rest.total == 5_000
    assert rest.exhausts
    with pytest.raises(errors.ReturnRefused, match="rounding"):
        decide(left, Reason.RETURN, [Item("r0", 0, 1)])


@pytest.mark.parametrize(
    ("net", "roundings", "part", "total"), [(100, [-49, -50], 51, 1), (2, [1, 1, 1, -5], 1, 0)]
)
def test_several_roundings_never_make_a_refund_of_more_or_less_than_was_paid(
    net: int, roundings: list[int], part: int, total: int
) -> None:
    paid = net + sum(roundings)
    left = bought([(net, 1000)], [paid] if paid else [], roundings=roundings)
    some = decide(left, Reason.RETURN, [Item("0", 0, part)])
    assert (some.total, sum(p.amount for p in some.refunds)) == (total, total)
    holds(left.without(some))


def test_a_price_correction_leaves_the_goods() -> None:
    left = bought([(300, 3000)], [300])
    left = left.without(decide(left, Reason.PRICE_CORRECTION, [Item("0", 0, 30)]))
    assert left.lines[0].quantity == 3000
    assert decide(left, Reason.RETURN, [Item("0", 1000, 0)]).total == 90


def test_a_line_of_quantity_0_is_returned_by_amount_only() -> None:
    left = bought([(500, 0)], [500])
    assert decide(left, Reason.RETURN, [Item("0", 0, 500)]).exhausts
    with pytest.raises(errors.MoreReturnedThanBought):
        decide(left, Reason.RETURN, [Item("0", 1000, 0)])


@pytest.mark.parametrize("quantity", [0, 2000])
def test_a_purchase_worth_0_is_voided_once(quantity: int) -> None:
    left = bought([(0, quantity)], [])
    void = decide(left, Reason.VOID, [])
    assert (void.total, void.exhausts) == (0, True)
    with pytest.raises(errors.NothingLeft):
        decide(left.without(void, void=True), Reason.VOID, [])


def test_a_till_may_name_the_refunds() -> None:
    left = bought([(100, 1000)], [60, 40])
    named = decide(left, Reason.RETURN, [Item("0", 0, 50)], {"t0": 50, "t1": 0})
    assert amounts(named) == {"t0": 50}
    assert (named.refunds[0].left_before, named.total_left) == (60, 50)


@pytest.mark.parametrize(
    ("reason", "items", "named", "refusal"),
    [
        (Reason.VOID, [Item("0", 1000, 0)], None, "LINES_NOT_ALLOWED"),
        (Reason.RETURN, [], None, "LINES_REQUIRED"),
        (Reason.PRICE_CORRECTION, [Item("0", 1000, 0)], None, "QUANTITY_NOT_ALLOWED"),
        (Reason.RETURN, [Item("9", 1000, 0)], None, "LINE_NOT_FOUND"),
        (Reason.RETURN, [Item("0", 500, 0), Item("0", 500, 0)], None, "DUPLICATE_LINE"),
        (Reason.RETURN, [Item("0", 1001, 0)], None, "MORE_RETURNED_THAN_BOUGHT"),
        (Reason.RETURN, [Item("0", 0, 101)], None, "MORE_RETURNED_THAN_BOUGHT"),
        (Reason.RETURN, [Item("0", 0, 50)], {"t0": 49}, "REFUND_MISMATCH"),
        (Reason.RETURN, [Item("0", 0, 50)], {"t7": 50}, "TENDER_NOT_FOUND"),
        (Reason.RETURN, [Item("0", 0, 70)], {"t0": 61, "t1": 9}, "REFUND_EXCEEDS_TENDER"),
        (Reason.RETURN, [Item("0", 0, 50)], {"t0": 31, "t1": 19}, "REFUND_OVERRIDE_REQUIRED"),
    ],
)
def test_what_cannot_be_is_refused_with_its_reason(
    reason: Reason, items: list[Item], named: dict[str, int] | None, refusal: str
) -> None:
    left = bought([(100, 1000)], [60, 40], account=1)
    with pytest.raises(DomainError) as refused:
        decide(left, reason, items, named)
    assert refused.value.reason == refusal


def test_the_override_lets_an_on_account_tender_get_less() -> None:
    left = bought([(100, 1000)], [60, 40], account=1)
    decision = decide(left, Reason.RETURN, [Item("0", 0, 50)], {"t0": 50}, override=True)
    assert amounts(decision) == {"t0": 50}
