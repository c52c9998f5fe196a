"""The plan leaves nothing to chance that decides outcomes, and spans what the demo is to show."""

from collections import Counter

from local.demo import baskets
from local.demo.people import Directory
from local.demo.script import DAY, Stages, Visit, plan

MADE = baskets.load(3_000, seed=5)
HOUSEHOLDS = sorted(set(MADE.households.tolist()))


def played(stages: Stages | None = None) -> dict[int, dict[int, Visit]]:
    directory = Directory(5)
    people = {household: directory.person(household) for household in HOUSEHOLDS}
    return plan(MADE, people, 5, stages or Stages())


def test_the_same_seed_plans_the_same_run() -> None:
    assert played() == played()


def test_every_basket_is_sold_once_on_its_day() -> None:
    sold = Counter(
        sale.basket
        for day, visits in played().items()
        for household, visit in visits.items()
        for sale in visit.sales
        if MADE.at[sale.basket] // DAY == day and MADE.households[sale.basket] == household
    )
    assert sold == Counter(range(len(MADE)))


def test_only_the_first_sale_of_a_customer_and_day_uses_points() -> None:
    later = [sale for visits in played().values() for visit in visits.values() for sale in visit.sales[1:]]
    assert later
    assert not [sale for sale in later if sale.redeem]


def test_a_return_comes_on_a_later_day_than_its_sale() -> None:
    returns = [(day, back) for day, visits in played().items() for v in visits.values() for back in v.returns]
    assert {back.reason for _, back in returns} == {"VOID", "RETURN", "PRICE_CORRECTION"}
    assert all(day > MADE.at[back.basket] // DAY for day, back in returns)
    assert all(day == back.at // DAY for day, back in returns)


def test_the_first_stage_is_cash_sales_alone() -> None:
    visits = [visit for day in played(Stages(False, False, False, False)).values() for visit in day.values()]
    sales = [sale for visit in visits for sale in visit.sales]
    assert not any(sale.redeem or sale.on_account for sale in sales)
    assert not any(visit.pays or visit.returns for visit in visits)


def test_a_fifth_of_the_customers_have_credit_and_contacts_are_unique() -> None:
    directory = Directory(1)
    people = [directory.person(household) for household in range(500)]
    assert sum(person.credit_limit > 0 for person in people) == 100
    assert len({person.phone for person in people}) == 500
    emails = [person.email for person in people if person.email]
    assert len(set(emails)) == len(emails) > 400
