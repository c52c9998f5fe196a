"""What is left of a purchase, and how a return is split over its lines and tenders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class LineLeft:
    """What is left of a line: thousandths and rupiah."""

    thousandths: int
    amount: int


@dataclass(slots=True)
class LineBack:
    """What a return takes off a line; `left_before` is the line's rupiah before it."""

    line_id: str
    thousandths: int
    amount: int
    left_before: int


@dataclass(slots=True)
class Refund:
    """What a return gives back through a tender; `left_before` is the tender's rupiah before it."""

    tender_id: str
    amount: int
    left_before: int


@dataclass(slots=True)
class Split:
    """A return, split."""

    return_id: str
    lines: list[LineBack]
    refunds: list[Refund]

    @property
    def total(self) -> int:
        """What is refunded, rupiah."""
        return sum(line.amount for line in self.lines)


@dataclass(slots=True)
class Remainder:
    """What is left of one purchase: lines and tenders in the order of the receipt."""

    lines: dict[str, LineLeft]
    tenders: dict[str, int]
    splits: list[Split] = field(default_factory=list)

    @property
    def total(self) -> int:
        """What is left of the purchase, rupiah."""
        return sum(line.amount for line in self.lines.values())

    def give_back(self, return_id: str, parts: Iterable[tuple[str, int, int]]) -> Split:
        """Split a return of parts (line, thousandths, amount), or of all that is left if none is named."""
        wanted = list(parts) or [(line_id, left.thousandths, 0) for line_id, left in self.lines.items()]
        everything = not list(parts)
        lines = [self._take(*part, everything) for part in wanted]
        if everything:
            lines = [line for line in lines if line.amount or line.thousandths]
        total = sum(line.amount for line in lines)
        before = list(self.tenders.values())
        refunds = [
            Refund(tender_id, amount, left)
            for (tender_id, left), amount in zip(self.tenders.items(), shares(before, total), strict=True)
        ]
        for refund in refunds:
            self.tenders[refund.tender_id] -= refund.amount
        split = Split(return_id, lines, [refund for refund in refunds if refund.amount])
        self.splits.append(split)
        return split

    def _take(self, line_id: str, thousandths: int, amount: int, everything: bool) -> LineBack:
        left = self.lines[line_id]
        before = left.amount
        if everything:
            amount = before
        elif thousandths:
            amount = before * thousandths // left.thousandths
        left.amount -= amount
        left.thousandths -= thousandths
        return LineBack(line_id, thousandths, amount, before)


def shares(left: Sequence[int], refund: int) -> list[int]:
    """Split a refund over what is left of the tenders: floors first, spare units in tender order."""
    whole = sum(left)
    if whole == 0:
        return [0] * len(left)
    parts = [amount * refund // whole for amount in left]
    spare = refund - sum(parts)
    for position, amount in enumerate(left):
        more = min(spare, amount - parts[position])
        more = min(more, 1)
        parts[position] += more
        spare -= more
    return parts
