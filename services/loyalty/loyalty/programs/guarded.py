"""The plugins of a program, guarded: what one raises, or answers against its contract, is its shop's alone.

Sales of that shop wait as NOT_YET until the plugin is mended, and nobody else's do.
"""

from __future__ import annotations

from collections.abc import Sequence

from kit.plugins import Guarded, is_count
from loyalty import metrics
from loyalty.programs.plugins import Earned, EarningLine
from loyalty.tiers.plugins import TierFacts


class GuardedEarning(Guarded):
    """An earning plugin."""

    kind = "earning"
    seconds = metrics.PLUGIN_SECONDS

    def earn(self, lines: Sequence[EarningLine]) -> Earned:
        """Return what the lines earn."""

        def sound(earned: Earned) -> bool:
            numbers = (*earned.numerators, earned.denominator)
            return (
                all(is_count(number) for number in numbers)
                and earned.denominator > 0
                and len(earned.numerators) == len(lines)
            )

        earned: Earned = self._ask(lambda: self._plugin.earn(lines), sound, len(lines))
        return earned


class GuardedTier(Guarded):
    """A tier plugin."""

    kind = "tier"
    seconds = metrics.PLUGIN_SECONDS

    @property
    def window_days(self) -> int:
        """How far back the facts reach."""
        answer: int = self._ask(lambda: self._plugin.window_days, is_count)
        return answer

    def problem(self, tiers: Sequence[str]) -> str:
        """Say what is wrong with the configuration for these tiers."""
        answer: str = self._ask(lambda: self._plugin.problem(tiers), lambda said: isinstance(said, str))
        return answer

    def decide(self, facts: TierFacts, tiers: Sequence[str]) -> str:
        """Return the tier for the facts, one of `tiers`."""
        answer: str = self._ask(lambda: self._plugin.decide(facts, tiers), lambda tier: tier in tiers)
        return answer

    def counted(self, facts: TierFacts) -> int:
        """Return what counts."""
        answer: int = self._ask(lambda: self._plugin.counted(facts), is_count)
        return answer

    def missing(self, facts: TierFacts, tier: str) -> int:
        """Return what is missing to `tier`."""
        answer: int = self._ask(lambda: self._plugin.missing(facts, tier), is_count)
        return answer
