"""What is left of a purchase after its returns. Money in minor units, quantities in thousandths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class LineLeft:
    """A line: what was sold (net, bought) and what is left of it (amount, quantity)."""

    line_id: str
    net: int
    bought: int
    amount: int
    quantity: int
    rounding: bool = False

    @property
    def gone(self) -> bool:
        """Nothing is left: no money, or no quantity of what was worth nothing."""
        return self.amount == 0 if self.net else self.quantity == 0


@dataclass(frozen=True, slots=True)
class TenderLeft:
    """A tender and what was not yet refunded of it."""

    tender_id: str
    amount: int
    on_account: bool = False


@dataclass(frozen=True, slots=True)
class LinePart:
    """What a return takes of the line at `index`; `left_before` is the line's money before it."""

    index: int
    quantity: int
    amount: int
    left_before: int
    exhausts: bool


@dataclass(frozen=True, slots=True)
class RefundPart:
    """What a return refunds through the tender at `index`, of which `left_before` was left."""

    index: int
    amount: int
    left_before: int


@dataclass(frozen=True, slots=True)
class Decision:
    """A return as decided: Σ refunds = Σ line amounts = total."""

    lines: tuple[LinePart, ...]
    refunds: tuple[RefundPart, ...]
    total: int
    total_left: int
    exhausts: bool


@dataclass(frozen=True, slots=True)
class Left:
    """What is left of a purchase: Σ line amounts = Σ tender amounts, always."""

    lines: tuple[LineLeft, ...]
    tenders: tuple[TenderLeft, ...]
    voided: bool = False

    @property
    def total(self) -> int:
        """The money left."""
        return sum(t.amount for t in self.tenders)

    @property
    def gone(self) -> bool:
        """Nothing is left to undo: no money, or of a purchase worth 0 no quantity."""
        if self.voided:
            return True
        if sum(line.net for line in self.lines):
            return self.total == 0
        return any(line.bought for line in self.lines) and not any(line.quantity for line in self.lines)

    def without(self, decision: Decision, *, void: bool = False) -> Left:
        """Return what is left after a return."""
        return self.less(
            [(p.index, p.quantity, p.amount) for p in decision.lines],
            [(p.index, p.amount) for p in decision.refunds],
            void=void,
        )

    def less(
        self, parts: Sequence[tuple[int, int, int]], refunds: Sequence[tuple[int, int]], *, void: bool = False
    ) -> Left:
        """Return what is left after (line, quantity, amount) and (tender, amount) were taken."""
        lines, tenders = list(self.lines), list(self.tenders)
        for index, quantity, amount in parts:
            line = lines[index]
            lines[index] = replace(line, quantity=line.quantity - quantity, amount=line.amount - amount)
        for index, amount in refunds:
            tenders[index] = replace(tenders[index], amount=tenders[index].amount - amount)
        return Left(tuple(lines), tuple(tenders), self.voided or void)
