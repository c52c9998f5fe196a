"""What a policy decides: who is reminded, who is blocked, what limits are made of. Pure, as plugins are."""

from __future__ import annotations

from dataclasses import dataclass

from credit.notices.plugins import Overdue
from credit.policies.guarded import GuardedDunning, GuardedLimit
from kit.errors import DomainError


@dataclass(frozen=True, slots=True)
class Policy:
    """One immutable version, 0 the default; an absent or failing plugin is the error that its use raises."""

    version: int
    dunning: GuardedDunning | DomainError
    limits: GuardedLimit | DomainError | None = None

    def require(self) -> None:
        """Raise what is wrong with its plugins."""
        for plugin in (self.dunning, self.limits):
            if isinstance(plugin, DomainError):
                raise plugin

    @property
    def reminders(self) -> frozenset[int] | None:
        """The days around a due date on which customers are reminded; None: its plugin cannot say."""
        return None if isinstance(self.dunning, DomainError) else self.dunning.reminders

    @property
    def months(self) -> int:
        """How many complete months its limits plugin looks at; 0 without one that could say."""
        return self.limits.months if isinstance(self.limits, GuardedLimit) else 0

    def limiter(self) -> GuardedLimit | None:
        """Return its limits plugin, None where it has none; raise what is wrong with it."""
        if isinstance(self.limits, DomainError):
            raise self.limits
        return self.limits

    def blocks(self, overdue_days: int, owed: int) -> bool:
        """Tell whether new holds of a customer are declined, whose longest due invoice is so many days late.

        `owed` on all invoices, minor units. Who is not late is not blocked, whatever the plugin would say and
        even without one. Raises PLUGIN_MISSING or PLUGIN_FAILED where the answer depends on it.
        """
        if overdue_days < 1:
            return False
        if isinstance(self.dunning, DomainError):
            raise self.dunning
        return self.dunning.blocks(Overdue(overdue_days, owed))
