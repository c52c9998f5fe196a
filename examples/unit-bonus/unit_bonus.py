"""Points for each unit of chosen products: "five points a bottle", while stocks last or a supplier pays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from loyalty.programs.plugins import Earned, EarningLine

_THOUSANDTHS = 1_000


class UnitBonusConfig(BaseModel):
    """Which products; set in a program over gRPC and checked when it is set."""

    model_config = ConfigDict(extra="forbid", strict=True)
    points: dict[str, Annotated[int, Field(ge=1, le=100_000)]] = Field(
        min_length=1, max_length=500, description="product id → points for one unit"
    )


class UnitBonus:
    """Points for each unit of chosen products."""

    name: ClassVar[str] = "unit_bonus"
    contract: ClassVar[int] = 1
    Config: ClassVar[type[BaseModel]] = UnitBonusConfig

    def __init__(self, config: UnitBonusConfig) -> None:
        self._points = config.points

    def earn(self, lines: Sequence[EarningLine]) -> Earned:
        """Return units × points for each line; thousandths of a unit, so nothing is rounded here.

        A line that may earn nothing (paid with points, or no goods) has no base, and gets no bonus either.
        """
        return Earned(tuple(self._bonus(line) for line in lines), _THOUSANDTHS)

    def _bonus(self, line: EarningLine) -> int:
        return line.thousandths * self._points.get(line.product_id, 0) if line.base > 0 else 0
