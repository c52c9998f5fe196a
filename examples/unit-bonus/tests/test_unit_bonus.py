"""The bonus keeps the contract of langganan.loyalty.earning, and gives what it promises."""

from unit_bonus import UnitBonus, UnitBonusConfig

from kit import plugins
from loyalty.contract import check_earning_plugin
from loyalty.programs.plugins import CONTRACT, GROUP, Earned, EarningLine


def line(product: str, thousandths: int, base: int = 5_000) -> EarningLine:
    return EarningLine(product, (), thousandths, net=5_000, base=base)


def test_it_keeps_the_contract() -> None:
    check_earning_plugin(UnitBonus, {"points": {"p1": 5, "p2": 1}})


def test_three_bottles_earn_fifteen_points_and_other_goods_none() -> None:
    bonus = UnitBonus(UnitBonusConfig(points={"teh-botol": 5}))
    earned = bonus.earn([line("teh-botol", 3_000), line("beras", 1_000), line("teh-botol", 1_000, base=0)])
    assert earned == Earned((15_000, 0, 0), 1_000)


def test_it_is_found_once_it_is_installed() -> None:
    assert plugins.load(GROUP, CONTRACT)["unit_bonus"] is UnitBonus
