"""What a tier plugin is, and the built-in one. Pure and synchronous: integers in, a tier out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict, Field

CONTRACT = 1
GROUP = "langganan.loyalty.tiers"


@dataclass(frozen=True, slots=True)
class TierFacts:
    """What a customer did inside the plugin's window: spend in minor units, visits."""

    spend: int = 0
    visits: int = 0


class TierPlugin(Protocol):
    """The tier. Prove yours with loyalty.contract.check_tier_plugin."""

    name: ClassVar[str]
    contract: ClassVar[int]
    Config: ClassVar[type[BaseModel]]

    def __init__(self, config: Any) -> None: ...

    @property
    def window_days(self) -> int:
        """How far back the facts reach, in days of 24 hours."""
        ...

    def problem(self, tiers: Sequence[str]) -> str:
        """Say what is wrong with the configuration for these tiers, lowest first; "" when nothing is."""
        ...

    def decide(self, facts: TierFacts, tiers: Sequence[str]) -> str:
        """Return the tier for the facts; `tiers` are the program's, lowest first, never empty."""
        ...

    def counted(self, facts: TierFacts) -> int:
        """Return what counts, in the plugin's unit."""
        ...

    def missing(self, facts: TierFacts, tier: str) -> int:
        """Return what is missing to `tier` in the same unit, 0 when it is reached."""
        ...


class RollingSpend:
    """The highest tier whose threshold the spend of the last days reaches."""

    name: ClassVar[str] = "rolling_spend"
    contract: ClassVar[int] = CONTRACT

    class Config(BaseModel):
        """Configuration of rolling_spend."""

        model_config = ConfigDict(extra="forbid", strict=True)
        window_days: int = Field(default=365, gt=0, le=3660, description="days of 24 hours that count")
        thresholds: dict[str, int] = Field(
            description="tier → least spend in minor units; the lowest tier needs none"
        )

    def __init__(self, config: Config) -> None:
        self._days = config.window_days
        self._thresholds = config.thresholds

    @property
    def window_days(self) -> int:
        """How far back the facts reach, in days of 24 hours."""
        return self._days

    def problem(self, tiers: Sequence[str]) -> str:
        """Thresholds name known tiers, all but the lowest, and rise with them."""
        unknown = sorted(set(self._thresholds) - set(tiers))
        if unknown:
            return f"thresholds name {', '.join(unknown)}, which the program's tiers do not"
        missing = [tier for tier in tiers[1:] if tier not in self._thresholds]
        if missing:
            return f"thresholds do not name {', '.join(missing)}"
        steps = [self._thresholds.get(tier, 0) for tier in tiers]
        if any(step < 0 for step in steps) or any(a >= b for a, b in pairwise(steps)):
            return "thresholds must rise from tier to tier, from 0 or more"
        return ""

    def decide(self, facts: TierFacts, tiers: Sequence[str]) -> str:
        """Return the highest tier that is reached; below every threshold it is the lowest."""
        reached = [tier for tier in tiers if not self.missing(facts, tier)]
        return reached[-1] if reached else tiers[0]

    def counted(self, facts: TierFacts) -> int:
        """Return the spend, minor units."""
        return facts.spend

    def missing(self, facts: TierFacts, tier: str) -> int:
        """Return the spend that is missing to `tier`, minor units."""
        return max(self._thresholds.get(tier, 0) - facts.spend, 0)
