"""The tier by rolling spend: purchases only raise it, the day's beginning decides it anew."""

from __future__ import annotations

from dataclasses import dataclass, field

from local.demo.oracle.days import DAY

WINDOW = 90 * DAY
# name, least spend in the window (rupiah), multiplier (basis points); by rising threshold
TIERS = (
    ("New", 0, 10_000),
    ("Regular", 2_000_000, 11_000),
    ("VIP", 6_000_000, 12_500),
    ("Premium", 12_000_000, 15_000),
)
NAMES = [name for name, _, _ in TIERS]


@dataclass(frozen=True, slots=True)
class TierChange:
    """One change; `cause_id` is the purchase, or the local date that decided; `since` an instant."""

    before: str
    now: str
    cause_id: str
    since: int


@dataclass(slots=True)
class Standing:
    """The tiers of one customer, who begins in the lowest."""

    changes: list[TierChange] = field(default_factory=list)

    @property
    def now(self) -> str:
        """The tier after all that has been heard."""
        return self.changes[-1].now if self.changes else NAMES[0]

    def in_force(self, at: int) -> str:
        """The tier just before a sale at an instant, which may lie before the last changes."""
        return next((one.now for one in reversed(self.changes) if one.since <= at), NAMES[0])

    def rise(self, spent: int, purchase_id: str, at: int) -> TierChange | None:
        """Look at what was spent in the window up to a purchase."""
        name = deserved(spent)
        return self._move(name, purchase_id, at) if NAMES.index(name) > NAMES.index(self.now) else None

    def decide(self, spent: int, day: str, at: int) -> TierChange | None:
        """Decide anew at the beginning of a local date, up or down."""
        return self._move(deserved(spent), day, at)

    def _move(self, name: str, cause_id: str, at: int) -> TierChange | None:
        if name == self.now:
            return None
        # A change never lies before another that was made earlier.
        since = max(at, self.changes[-1].since) if self.changes else at
        self.changes.append(TierChange(self.now, name, cause_id, since))
        return self.changes[-1]


def deserved(spent: int) -> str:
    """Give the highest tier whose threshold is reached."""
    return [name for name, least, _ in TIERS if spent >= least][-1]


def multiplier(tier: str) -> int:
    """Give a tier's multiplier in basis points."""
    return TIERS[NAMES.index(tier)][2]
