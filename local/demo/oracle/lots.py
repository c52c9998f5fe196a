"""Points by their expiry: what is spent first, what is owed, what is restored, what expires.

Spent soonest expiry first, non-expiring last, of the same day the older first. Points in lots less the
reserved ones are active. What is taken beyond the active ones is owed, and repaid before new points count.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field

RESTORED_LIVE = datetime.timedelta(days=30)


@dataclass(slots=True)
class Lot:
    """Points given together; `expires_on` is the last local day on which they can be used.

    `expired`: how many did, less those that returns have taken back since.
    """

    left: int
    expires_on: datetime.date | None
    noticed: bool = False
    expired: int = 0


@dataclass(slots=True)
class Drawn:
    """Points that a redemption took from a lot and that have not been restored."""

    lot: Lot
    points: int


@dataclass(slots=True)
class Purse:
    """The lots of one customer, oldest first."""

    lots: list[Lot] = field(default_factory=list)
    reserved: int = 0
    owed: int = 0

    @property
    def total(self) -> int:
        """Points in lots, reserved ones included."""
        return sum(lot.left for lot in self.lots)

    @property
    def active(self) -> int:
        """Points that can be reserved."""
        return self.total - self.reserved

    @property
    def balance(self) -> int:
        """What all movements add up to."""
        return self.total - self.owed

    def give(self, points: int, expires_on: datetime.date | None) -> Lot:
        """Add points; what is owed is repaid from them first."""
        lot = Lot(points - self._repay(points), expires_on)
        self.lots.append(lot)
        return lot

    def take(self, points: int, own: Lot | None) -> int:
        """Take points back, those of the purchase's `own` lot first; what is not active is owed.

        Those of it that have expired are gone already: they count first, and their number is returned.
        """
        gone = min(points, own.expired) if own else 0
        if own:
            own.expired -= gone
        points -= gone
        part = min(points, self.active)
        self._draw(part, own)
        self.owed += points - part
        return gone

    def redeem(self, points: int) -> list[Drawn]:
        """Use points, which a reservation has held until now; tell where they came from, in order."""
        return self._draw(points, None)

    def restore(self, points: int, drawn: list[Drawn], today: datetime.date) -> None:
        """Give used points back, those drawn last first; they keep their expiry but live 30 days at least."""
        least, fresh = today + RESTORED_LIVE, 0
        for source in reversed(drawn):
            part = min(points, source.points)
            source.points -= part
            points -= part
            kept = part - self._repay(part)
            if source.lot.expires_on is None or source.lot.expires_on >= least:
                source.lot.left += kept
            else:
                fresh += kept
        if fresh:
            self.lots.append(Lot(fresh, least))

    def free(self, points: int) -> None:
        """End a reservation; what is owed is repaid from its points."""
        self.reserved -= points
        self._draw(self._repay(self.active), None)

    def expire(self, today: datetime.date) -> list[tuple[int, datetime.date]]:
        """Let lots expire whose last day is past: points and that day of each; reserved points stay."""
        gone, held = [], self.reserved
        for lot in self._in_order(None):
            stays = min(held, lot.left)
            held -= stays
            if lot.expires_on is not None and lot.expires_on < today and lot.left > stays:
                gone.append((lot.left - stays, lot.expires_on))
                lot.expired += lot.left - stays
                lot.left = stays
        return gone

    def notice(self, today: datetime.date, days: int) -> dict[datetime.date, int]:
        """Give the points that expire within so many days, by their last day; a lot is named once ever."""
        named: dict[datetime.date, int] = {}
        for lot in self._in_order(None):
            if lot.expires_on is None or lot.noticed:
                continue
            if lot.expires_on - datetime.timedelta(days=days) <= today <= lot.expires_on:
                lot.noticed = True
                named[lot.expires_on] = named.get(lot.expires_on, 0) + lot.left
        return named

    def by_expiry(self) -> dict[datetime.date | None, int]:
        """Give the points that are left by their last day."""
        left: dict[datetime.date | None, int] = {}
        for lot in self._in_order(None):
            left[lot.expires_on] = left.get(lot.expires_on, 0) + lot.left
        return left

    def _repay(self, points: int) -> int:
        repaid = min(points, self.owed)
        self.owed -= repaid
        return repaid

    def _draw(self, points: int, own: Lot | None) -> list[Drawn]:
        drawn = []
        for lot in self._in_order(own):
            part = min(points, lot.left)
            if part:
                lot.left -= part
                points -= part
                drawn.append(Drawn(lot, part))
        return drawn

    def _in_order(self, own: Lot | None) -> list[Lot]:
        """The lots with points left, `own` first; Python's sort keeps the older of equals before."""
        return sorted(
            (lot for lot in self.lots if lot.left),
            key=lambda lot: (lot is not own, lot.expires_on or datetime.date.max),
        )
