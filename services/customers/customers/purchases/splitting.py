"""How a return is split over lines and tenders, against what is left. Pure; minor units, thousandths.

share = floor(left × returned ÷ total left); units to spare go out one each in tender order, never above
what is left. So however a purchase is returned, in whatever parts, the parts add up to it.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from customers.purchases.errors import (
    Duplicate,
    MoreReturnedThanBought,
    NothingLeft,
    NotOfThisPurchase,
    RefundExceedsTender,
    RefundOverrideRequired,
    ReturnRefused,
)
from customers.purchases.left import Decision, Left, LineLeft, LinePart, RefundPart
from kit.money import share


class Reason(enum.IntEnum):
    """Why something is taken back; the numbers are those of ReturnReason in returns.proto."""

    RETURN = 1
    VOID = 2
    PRICE_CORRECTION = 3


@dataclass(frozen=True, slots=True)
class Item:
    """A part of a line to take back: a quantity, or an amount; the other one is 0."""

    line_id: str
    quantity: int
    amount: int


def decide(
    left: Left,
    reason: Reason,
    items: Sequence[Item],
    named: Mapping[str, int] | None = None,
    *,
    override: bool = False,
) -> Decision:
    """Return what a return takes and refunds.

    `named` are the refunds that the till names itself, by tender; `override` lets an on-account tender
    get less than its share. Raises the errors that RecordReturn documents.
    """
    parts = _all(left, items) if reason is Reason.VOID else _some(left, reason, items)
    total = sum(part.amount for part in parts)
    refunds = _split(left, total) if named is None else _named(left, total, named, override)
    decision = Decision(tuple(parts), tuple(refunds), total, left.total - total, False)
    after = left.without(decision, void=reason is Reason.VOID)
    return Decision(decision.lines, decision.refunds, total, decision.total_left, after.gone)


def _all(left: Left, items: Sequence[Item]) -> list[LinePart]:
    if items:
        raise ReturnRefused(
            "a VOID takes back all that is left; send it without lines", reason="LINES_NOT_ALLOWED"
        )
    if left.gone:
        raise NothingLeft("all of this purchase was taken back before; there is nothing to void")
    return [
        LinePart(i, line.quantity, line.amount, line.amount, True)
        for i, line in enumerate(left.lines)
        if line.quantity or line.amount
    ]


def _some(left: Left, reason: Reason, items: Sequence[Item]) -> list[LinePart]:
    if not items:
        raise ReturnRefused("name the lines that are taken back", reason="LINES_REQUIRED")
    places = {line.line_id: i for i, line in enumerate(left.lines)}
    parts: dict[int, LinePart] = {}
    for item in items:
        index = places.get(item.line_id)
        if index is None:
            raise NotOfThisPurchase("line", item.line_id)
        if index in parts:
            raise Duplicate("line", item.line_id)
        if item.quantity and reason is Reason.PRICE_CORRECTION:
            raise ReturnRefused(
                "a PRICE_CORRECTION leaves the goods with the customer; send amounts",
                reason="QUANTITY_NOT_ALLOWED",
            )
        parts[index] = _part(index, left.lines[index], item)
    roundings = _roundings(left, sum(part.amount for part in parts.values()))
    return [*parts.values(), *roundings]


def _part(index: int, line: LineLeft, item: Item) -> LinePart:
    if line.rounding:
        raise ReturnRefused(
            f"line {line.line_id!r} is a rounding, which follows the other lines by itself; leave it out",
            reason="LINE_NOT_RETURNABLE",
        )
    if item.quantity > line.quantity or item.amount > line.amount:
        raise MoreReturnedThanBought(
            f"line {line.line_id!r} has only {line.quantity} thousandths and {line.amount} minor units left",
            line_id=line.line_id,
            quantity_left=str(line.quantity),
            amount_left=str(line.amount),
        )
    amount = share(line.amount, item.quantity, line.quantity) if item.quantity else item.amount
    quantity_left, amount_left = line.quantity - item.quantity, line.amount - amount
    exhausts = amount_left == 0 if line.net else quantity_left == 0
    return LinePart(index, item.quantity, amount, line.amount, exhausts)


def _roundings(left: Left, amount: int) -> list[LinePart]:
    """The roundings go with the other lines, so that what is refunded never passes what was paid.

    Their sum is shared, not each alone: floors of several would add up to more than what is left.
    """
    others = sum(line.amount for line in left.lines if not line.rounding)
    found = []
    before = shared = 0
    for index, line in enumerate(left.lines):
        if line.rounding and line.amount:
            before += line.amount
            upto = share(abs(before), amount, others) * (1 if before > 0 else -1)
            part, shared = upto - shared, upto
            if part:
                found.append(LinePart(index, 0, part, line.amount, part == line.amount))
    return found


def _split(left: Left, total: int) -> list[RefundPart]:
    whole = left.total
    parts = [share(tender.amount, total, whole) for tender in left.tenders]
    spare = total - sum(parts)
    for i, tender in enumerate(left.tenders):
        if spare and parts[i] < tender.amount:
            parts[i] += 1
            spare -= 1
    assert spare == 0, "fewer units are to spare than tenders have a fraction"
    return _refunds(left, parts)


def _named(left: Left, total: int, named: Mapping[str, int], override: bool) -> list[RefundPart]:
    known = {tender.tender_id for tender in left.tenders}
    for tender_id in named:
        if tender_id not in known:
            raise NotOfThisPurchase("tender", tender_id)
    if sum(named.values()) != total:
        raise ReturnRefused(
            f"the refunds add up to {sum(named.values())}, the lines taken back to {total} (minor units)",
            reason="REFUND_MISMATCH",
            refunds=str(sum(named.values())),
            lines=str(total),
        )
    for tender in left.tenders:
        asked = named.get(tender.tender_id, 0)
        if asked > tender.amount:
            raise RefundExceedsTender(
                f"of tender {tender.tender_id!r} only {tender.amount} minor units are left to refund",
                tender_id=tender.tender_id,
                amount_left=str(tender.amount),
            )
        due = share(tender.amount, total, left.total)
        if tender.on_account and asked < due and not override:
            raise RefundOverrideRequired(
                f"on-account tender {tender.tender_id!r} must get at least {due} minor units of this refund, "
                "or the caller needs the scope purchases.refund_override",
                tender_id=tender.tender_id,
                share=str(due),
            )
    return _refunds(left, [named.get(tender.tender_id, 0) for tender in left.tenders])


def _refunds(left: Left, amounts: Sequence[int]) -> list[RefundPart]:
    return [
        RefundPart(i, amount, tender.amount)
        for i, (tender, amount) in enumerate(zip(left.tenders, amounts, strict=True))
        if amount
    ]
