"""What the till did and which ids it used: all that the oracle learns of a run besides the raw baskets."""

from __future__ import annotations

from dataclasses import dataclass, field

POINTS, ON_ACCOUNT, VOUCHER = "POINTS", "ON_ACCOUNT", "VOUCHER"


@dataclass(slots=True)
class Tendered:
    """One tender as it was sent; `points` and `reference` (reservation or hold) where its kind has them."""

    tender_id: str
    kind: str
    amount: int
    points: int = 0
    reference: str = ""


@dataclass(slots=True)
class SaleDone:
    """A recorded purchase; customer_id is empty for an anonymous one. `at` is in seconds since 1970."""

    basket: int
    purchase_id: str
    customer_id: str
    at: int
    tenders: tuple[Tendered, ...]


@dataclass(slots=True)
class ReturnDone:
    """A recorded return; parts are (line, thousandths, amount), none: all that is left."""

    basket: int
    return_id: str
    purchase_id: str
    customer_id: str
    at: int
    reason: str
    parts: tuple[tuple[str, int, int], ...]


@dataclass(slots=True)
class CreditAsked:
    """An authorisation and its answer; `voided` when the customer changed their mind.

    `reason` is why it was declined. One that is neither voided nor sold is left to expire.
    """

    hold_id: str
    customer_id: str
    amount: int
    approved: bool
    voided: bool
    reason: str = ""


@dataclass(slots=True)
class PointsAsked:
    """A reservation and its answer: the points held and their worth; `released` when not used.

    `active` is what the service said was active just before. One that is neither released nor sold is
    left to expire.
    """

    reservation_id: str
    customer_id: str
    active: int
    points: int
    value: int
    approved: bool
    released: bool


@dataclass(slots=True)
class Charged:
    """A charge without a purchase: what was captured of a hold, whose rest is released."""

    hold_id: str
    customer_id: str
    at: int
    amount: int


@dataclass(slots=True)
class Paid:
    """A payment on account that was sent; `owed` is what the service said was owed just before."""

    payment_id: str
    customer_id: str
    at: int
    amount: int
    owed: int


Fact = SaleDone | ReturnDone | CreditAsked | Charged | PointsAsked | Paid


@dataclass
class Journal:
    """The stops of a run, and the facts at each, in every customer's own order; anonymous sales apart.

    A stop is an instant at which the clock stood, seconds since 1970. Its sweeps came before its facts.
    """

    customers: dict[int, str] = field(default_factory=dict)
    stops: list[int] = field(default_factory=list)
    facts: dict[str, list[tuple[int, Fact]]] = field(default_factory=dict)
    anonymous: list[SaleDone] = field(default_factory=list)
    surprises: list[str] = field(default_factory=list)

    def stop(self, at: int) -> None:
        """Note that the clock was moved to an instant."""
        self.stops.append(at)

    def note(self, customer_id: str, fact: Fact) -> None:
        """Add a fact of a customer at the present stop."""
        self.facts.setdefault(customer_id, []).append((self.stops[-1], fact))
