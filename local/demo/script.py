"""What the tills do with each basket: a pure plan, decided by the seed alone.

A customer's day has an order that keeps asynchronous effects from deciding anything: first a payment, then
the sales, of which only the first may use points, then returns of earlier days' purchases. What time does
(sweeps, reminders, greetings) is done and settled before the day's first visit. What a till leaves behind
unused, reserved points or a hold, is freed by a sweep before the customer comes again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from local.demo.baskets import Basket, Baskets
from local.demo.people import Person

DAY = 86_400
ONCE, TWICE, LOST = "ONCE", "TWICE", "LOST"
MEANS = ("CASH", "CARD", "QRIS", "E_WALLET", "TRANSFER")
MEANS_SHARES = (45, 20, 20, 12, 3)
RECOGNISED = ("PHONE_SPOKEN", "MEMBER_CODE", "CARD_SCAN", "STAFF")
RECOGNISED_SHARES = (60, 20, 15, 5)


@dataclass(slots=True)
class Sale:
    """Ring up a basket; shares are percent of what is left to pay, 0: not at all.

    Regret gives back what was reserved or held, forgetting leaves it behind; other means pay then.
    """

    basket: int
    at: int
    means: str
    recognised_by: str
    delivery: str
    anonymous: bool = False
    redeem: int = 0
    regret_points: bool = False
    forget_points: bool = False
    on_account: int = 0
    regret_credit: bool = False
    forget_credit: bool = False


@dataclass(slots=True)
class Part:
    """A part of a line to give back: thousandths, or an amount in rupiah."""

    line_id: str
    thousandths: int
    amount: int


@dataclass(slots=True)
class Return:
    """Give back parts of an earlier basket; no parts: all that is left."""

    basket: int
    at: int
    reason: str
    parts: tuple[Part, ...]
    delivery: str
    number: int


@dataclass(slots=True)
class Pay:
    """Pay a percentage of what is owed."""

    at: int
    percent: int
    means: str
    delivery: str


@dataclass(slots=True)
class Charge:
    """Charge without a purchase, for a delivery say: hold the most that it may be, capture what it is."""

    at: int
    most: int
    amount: int
    delivery: str


@dataclass(slots=True)
class Visit:
    """What one customer does on one day, in order."""

    pays: list[Pay] = field(default_factory=list)
    sales: list[Sale] = field(default_factory=list)
    returns: list[Return] = field(default_factory=list)

    @property
    def length(self) -> int:
        """About how many calls it takes."""
        sales = sum(2 + 2 * bool(sale.redeem) + bool(sale.on_account) for sale in self.sales)
        return sales + 2 * len(self.pays) + 2 * len(self.returns)


Days = defaultdict[int, defaultdict[int, Visit]]
Plan = dict[int, dict[int, Visit]]


@dataclass(frozen=True)
class Stages:
    """Which parts of the product the run uses; the first stage is cash sales alone."""

    credit: bool = True
    points: bool = True
    returns: bool = True
    mishaps: bool = True


def plan(baskets: Baskets, people: Mapping[int, Person], seed: int, stages: Stages) -> Plan:
    """Lay out the run: day number → household → its visit."""
    days: Days = defaultdict(lambda: defaultdict(Visit))
    chances = {household: Random(f"{seed} {household}") for household in people}
    owing: dict[int, int] = {}
    last_day = int(baskets.at[-1]) // DAY
    for index, (household, at) in enumerate(
        zip(baskets.households.tolist(), baskets.at.tolist(), strict=True)
    ):
        person, chance = people[household], chances[household]
        visit = days[at // DAY][household]
        sale = _sale(index, at, person, chance, stages, first=not visit.sales)
        visit.sales.append(sale)
        if sale.on_account and household not in owing:
            owing[household] = at // DAY
        if stages.returns and not sale.anonymous and chance.random() * 100 < person.returns:
            _plan_returns(days, baskets[index], chance, stages, last_day)
    for household, since in owing.items():
        _plan_payments(days, household, people[household], since, last_day, chances[household], stages)
    return {day: dict(sorted(days[day].items())) for day in sorted(days)}


def _sale(index: int, at: int, person: Person, chance: Random, stages: Stages, first: bool) -> Sale:
    sale = Sale(
        basket=index,
        at=at,
        means=chance.choices(MEANS, MEANS_SHARES)[0],
        recognised_by=chance.choices(RECOGNISED, RECOGNISED_SHARES)[0],
        delivery=_delivery(chance, stages),
        anonymous=chance.random() < 0.05,
    )
    if sale.anonymous:
        sale.recognised_by = ""
        return sale
    if stages.points and first and chance.random() * 100 < person.redeems:
        sale.redeem = chance.choice((25, 50, 100))
        sale.regret_points, sale.forget_points = _second_thoughts(chance)
    if stages.credit and person.credit_limit and chance.random() < 0.4:
        sale.on_account = chance.choice((100, 100, 50))
        sale.regret_credit, sale.forget_credit = _second_thoughts(chance)
    return sale


def _second_thoughts(chance: Random) -> tuple[bool, bool]:
    """Say whether what was kept aside is given back, or forgotten."""
    share = chance.random()
    return share < 0.05, 0.05 <= share < 0.1


def _delivery(chance: Random, stages: Stages) -> str:
    delivery = chance.choices((ONCE, TWICE, LOST), (94, 3, 3))[0]
    return delivery if stages.mishaps else ONCE


def _plan_returns(days: Days, basket: Basket, chance: Random, stages: Stages, last_day: int) -> None:
    """Plan one to three returns of a basket, on different later days, that are valid in this order."""
    way = chance.choices(("VOID", "PARTS", "AMOUNT"), (25, 50, 25))[0]
    steps: list[tuple[str, tuple[Part, ...]]] = []
    if way == "PARTS":
        steps = _in_parts(basket, chance)
    elif way == "AMOUNT":
        steps = _by_amount(basket, chance)
    touched = {part.line_id for _, parts in steps for part in parts}
    untouched = sum(line.net for line in basket.lines if line.line_id not in touched)
    if way == "VOID" or (untouched and chance.random() < 0.2):
        steps.append(("VOID", ()))
    day = basket.at // DAY
    for number, (reason, parts) in enumerate(steps):
        day += chance.randint(1, 12)
        if day > last_day or not basket.total:
            return
        visit = days[day][basket.household]
        at = (day + 1) * DAY - 60 + len(visit.returns)
        visit.returns.append(Return(basket.index, at, reason, parts, _delivery(chance, stages), number))


def _in_parts(basket: Basket, chance: Random) -> list[tuple[str, tuple[Part, ...]]]:
    """Give back one piece of a line of several, or a whole line; then the rest of it with another line."""
    lines = [line for line in basket.lines if line.net and line.thousandths]
    if not lines:
        return []
    line = chance.choice(lines)
    if line.unit == "pcs" and line.thousandths >= 2000:
        piece, rest = 1000, line.thousandths - 1000
    else:
        piece, rest = line.thousandths, 0
    steps: list[tuple[str, tuple[Part, ...]]] = [("RETURN", (Part(line.line_id, piece, 0),))]
    others = [other for other in lines if other.line_id != line.line_id]
    more = [Part(line.line_id, rest, 0)] if rest else []
    more += [Part(other.line_id, other.thousandths, 0) for other in others[:1]]
    if more:
        steps.append(("RETURN", tuple(more)))
    return steps


def _by_amount(basket: Basket, chance: Random) -> list[tuple[str, tuple[Part, ...]]]:
    """Give back a third of a line's money, twice; a line of quantity 0 can be given back only so."""
    lines = [line for line in basket.lines if line.net >= 3]
    if not lines:
        return []
    without_quantity = [line for line in lines if not line.thousandths]
    line = chance.choice(without_quantity or lines)
    part = Part(line.line_id, 0, line.net // 3)
    return [("PRICE_CORRECTION", (part,)), ("RETURN", (part,))]


def _plan_payments(
    days: Days, household: int, person: Person, since: int, last_day: int, chance: Random, stages: Stages
) -> None:
    every, percent = person.pays
    if not every:
        return
    for day in range(since + every, last_day + 1, every):
        visit = days[day][household]
        means = chance.choice(("CASH", "TRANSFER"))
        visit.pays.append(Pay(day * DAY + 1, percent, means, _delivery(chance, stages)))
