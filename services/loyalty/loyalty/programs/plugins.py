"""What an earning plugin is, and the built-in ones.

An earning plugin is pure and synchronous: integers in and out, no I/O, no clock. It gives each line an
exact fraction of a point; adding up, the tier's multiplier and the one rounding are not its business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict, Field

CONTRACT = 1
GROUP = "langganan.loyalty.earning"
ONCE = 10_000
"""Basis points of a multiplier that changes nothing."""


@dataclass(frozen=True, slots=True)
class EarningLine:
    """A line as a plugin sees it; `net` and `base` in minor units, base what may earn points."""

    product_id: str
    categories: tuple[str, ...]
    thousandths: int
    net: int
    base: int


@dataclass(frozen=True, slots=True)
class Earned:
    """Points of each line before any rounding: numerators ≥ 0, in the order of the lines, ÷ denominator."""

    numerators: tuple[int, ...]
    denominator: int


class EarningPlugin(Protocol):
    """Points for a purchase. Prove yours with loyalty.contract.check_earning_plugin."""

    name: ClassVar[str]
    contract: ClassVar[int]
    Config: ClassVar[type[BaseModel]]

    def __init__(self, config: Any) -> None: ...

    def earn(self, lines: Sequence[EarningLine]) -> Earned:
        """Return what each line earns; never raises for a validated configuration."""
        ...


class PerAmount:
    """One point for each step of base."""

    name: ClassVar[str] = "per_amount"
    contract: ClassVar[int] = CONTRACT

    class Config(BaseModel):
        """Configuration of per_amount."""

        model_config = ConfigDict(extra="forbid", strict=True)
        step: int = Field(gt=0, le=10**12, description="minor units of base for one point")

    def __init__(self, config: Config) -> None:
        self._step = config.step

    def earn(self, lines: Sequence[EarningLine]) -> Earned:
        """Return base ÷ step for each line."""
        return Earned(tuple(line.base for line in lines), self._step)


class Rule(BaseModel):
    """Products or categories, and how their base is weighed."""

    model_config = ConfigDict(extra="forbid", strict=True)
    products: list[str] = Field(default=[], max_length=1000, description="product ids")
    categories: list[str] = Field(default=[], max_length=200, description="categories, at any level")
    basis_points: int = Field(ge=0, le=1_000_000, description="10000: once, 20000: twice")


class ProductMultiplier:
    """One point for each step of base, weighed by the highest rule that names the product or a category."""

    name: ClassVar[str] = "product_multiplier"
    contract: ClassVar[int] = CONTRACT

    class Config(BaseModel):
        """Configuration of product_multiplier."""

        model_config = ConfigDict(extra="forbid", strict=True)
        step: int = Field(gt=0, le=10**12, description="minor units of base for one point")
        default_basis_points: int = Field(
            default=ONCE, ge=0, le=1_000_000, description="weight of lines that no rule names"
        )
        rules: list[Rule] = Field(default=[], max_length=200, description="the highest match wins")

    def __init__(self, config: Config) -> None:
        self._denominator = config.step * ONCE
        self._default = config.default_basis_points
        self._products: dict[str, int] = {}
        self._categories: dict[str, int] = {}
        for rule in config.rules:
            for names, table in ((rule.products, self._products), (rule.categories, self._categories)):
                for name in names:
                    table[name] = max(table.get(name, 0), rule.basis_points)

    def earn(self, lines: Sequence[EarningLine]) -> Earned:
        """Return base × weight ÷ (step × 10,000) for each line."""
        return Earned(tuple(line.base * self._weight(line) for line in lines), self._denominator)

    def _weight(self, line: EarningLine) -> int:
        matches = [self._categories[c] for c in line.categories if c in self._categories]
        if line.product_id in self._products:
            matches.append(self._products[line.product_id])
        return max(matches, default=self._default)
