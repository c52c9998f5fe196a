"""What must be booked of a sale and its returns, and what differs. Minor units and points, no floats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kit.audit import Difference


@dataclass(frozen=True, slots=True)
class Back:
    """A return: what it refunds through on-account tenders, by tender."""

    return_id: str
    refunds: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class OnAccount:
    """An on-account tender and whose account pays it."""

    tender_id: str
    payer: str
    amount: int


@dataclass(frozen=True, slots=True)
class Sold:
    """A sale with all its returns; customer_id "" for nobody's. Not readable: nothing more is known of it."""

    merchant_id: str
    purchase_id: str
    customer_id: str
    on_account: Sequence[OnAccount]
    returns: Sequence[Back]
    readable: bool = True

    def differs(self, check: str, what: str, must: int | str, found: int | str) -> Difference:
        """What is wrong with this sale."""
        whose = self.customer_id or "nobody"
        return Difference(
            check, self.merchant_id, whose, f"{what} of purchase {self.purchase_id}", str(must), str(found)
        )


@dataclass(frozen=True, slots=True)
class Points:
    """What loyalty noted, and what its entries say."""

    noted: int
    entries: int


@dataclass(frozen=True, slots=True)
class AtLoyalty:
    """What loyalty booked of a sale; by return what it took back and restored."""

    earned: Points
    redeemed: Points
    returns: Mapping[str, tuple[Points, Points]]


@dataclass(frozen=True, slots=True)
class AtCredit:
    """What credit booked of a tender; by return what its entries gave back, and the surplus it listed."""

    amount: int
    charged: int
    exception: str
    returns: Mapping[str, tuple[int, int]]


def compare_here(sold: Sold) -> list[Difference]:
    """Name a sale that cannot be compared: what was told of it, or of a return, is not readable any more."""
    return [] if sold.readable else [sold.differs("customers", "the facts", "readable", "not readable")]


def compare_loyalty(sold: Sold, booked: AtLoyalty | None) -> list[Difference]:
    """Name what loyalty lacks of a customer's sale, and where its entries do not say what it noted."""
    if not sold.customer_id or not sold.readable:
        return []
    if booked is None:
        return [sold.differs("loyalty", "the booking", "once", "missing")]
    found = [
        *_points(sold, "points earned", booked.earned),
        *_points(sold, "points redeemed", booked.redeemed),
    ]
    for back in sold.returns:
        of_return = booked.returns.get(back.return_id)
        if of_return is None:
            found.append(sold.differs("loyalty", f"return {back.return_id}", "once", "missing"))
            continue
        found += _points(sold, f"points taken back by return {back.return_id}", of_return[0])
        found += _points(sold, f"points restored by return {back.return_id}", of_return[1])
    return found


def _points(sold: Sold, what: str, points: Points) -> list[Difference]:
    if points.noted == points.entries:
        return []
    return [sold.differs("loyalty", f"entries of {what}", points.noted, _found(points.noted, points.entries))]


def _found(must: int, found: int) -> str:
    if must and not found:
        return "missing"
    return f"{found}, double" if must and found == 2 * must else str(found)


def compare_credit(sold: Sold, booked: Mapping[str, AtCredit]) -> list[Difference]:
    """Name what credit lacks of a sale's on-account tenders, by tender, and where its entries differ.

    An invoice that staff were told to look at may be about another amount: a hold that a till had captured
    before it recorded the sale.
    """
    found: list[Difference] = []
    for tender in sold.on_account:
        invoice = booked.get(tender.tender_id)
        what = f"tender {tender.tender_id}"
        if invoice is None:
            found.append(sold.differs("credit", f"the invoice of {what}", tender.amount, "missing"))
            continue
        if invoice.amount != tender.amount and not invoice.exception:
            found.append(sold.differs("credit", f"the invoice of {what}", tender.amount, invoice.amount))
        if invoice.charged != invoice.amount:
            told = _found(invoice.amount, invoice.charged)
            found.append(sold.differs("credit", f"entries of {what}", invoice.amount, told))
        for back in sold.returns:
            refund = back.refunds.get(tender.tender_id, 0)
            returned = sum(invoice.returns.get(back.return_id, (0, 0)))
            if returned != refund:
                what_of = f"entries of return {back.return_id} on {what}"
                found.append(sold.differs("credit", what_of, refund, _found(refund, returned)))
    return found
