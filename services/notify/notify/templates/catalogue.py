"""Which templates there are, what each is for, and which values each shows.

A version never changes once released: messages that are stored name it. A new wording is a new folder
and a new Template here; an old one goes when no message of it can still be pending. A merchant's own
wording (templates/store.py) is data; it shows the values of the template here that it was set for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from enum import StrEnum

from notify.errors import TemplateUnknown, VariableMissing, VariableUnknown, VariableWrongType
from notify.templates.values import TYPE_NAMES, Amount, Moment, Value

LANGUAGES = ("id", "en")
DEFAULT_LANGUAGE = "id"


class Leaves(StrEnum):
    """When a message may leave, by the hours that customers tells of its customer."""

    ANY_TIME = "ANY_TIME"
    NOT_QUIET = "NOT_QUIET"
    GREETING = "GREETING"  # within the hours of greeting, and not in quiet ones


@dataclass(frozen=True, slots=True)
class Template:
    """One version of a text. `purpose` is what customers is asked for: consent and channels follow it.

    `family`: a newer message replaces older unsent ones of it; empty: none. `promotes`: its e-mails say how
    to be spared from them. `useful_for` counts where nothing says until when a message is of use.
    """

    name: str
    version: int
    purpose: str
    useful_for: timedelta
    needs: Mapping[str, type]
    may_have: Mapping[str, type] = field(default_factory=dict)
    leaves: Leaves = Leaves.NOT_QUIET
    family: str = ""
    promotes: bool = False

    def has(self, name: str) -> type | None:
        """Return what a variable is; None: there is no such variable."""
        return self.needs.get(name) or self.may_have.get(name)

    def check(self, values: Mapping[str, Value]) -> None:
        """Raise VARIABLE_MISSING, _UNKNOWN or _WRONG_TYPE unless the values fit."""
        for name in self.needs:
            if name not in values:
                raise VariableMissing(f"template {self.name} needs the variable {name}", field=name)
        for name, value in values.items():
            wanted = self.has(name)
            if wanted is None:
                raise VariableUnknown(f"template {self.name} has no variable {name}", field=name)
            if not isinstance(value, wanted):
                raise VariableWrongType(
                    f"variable {name} of template {self.name} must be {TYPE_NAMES[wanted]}", field=name
                )


PAID_BY = (
    "cash",
    "card",
    "qris",
    "transfer",
    "e_wallet",
    "points",
    "on_account",
    "voucher",
    "stored_value",
    "other",
)

PURCHASE_CONFIRMATION = Template(
    name="purchase-confirmation",
    version=1,
    purpose="CONFIRMATION",
    useful_for=timedelta(hours=6),
    needs={"receipt_number": str, "store": str, "time": Moment, "items": int, "total": Amount},
    may_have={f"paid_{means}": Amount for means in PAID_BY},
    leaves=Leaves.ANY_TIME,
)

# How many invoices, their sum, and the oldest or the soonest of their days; a part that is empty is left out.
REMINDED: Mapping[str, type] = {
    "overdue_invoices": int,
    "overdue_amount": Amount,
    "overdue_since": date,
    "due_invoices": int,
    "due_amount": Amount,
    "due_on": date,
}
PAYMENT_DUE = Template(
    name="payment-due",
    version=1,
    purpose="PAYMENT_REMINDER",
    useful_for=timedelta(days=1),
    needs={"total": Amount},
    may_have=REMINDED,
    family="payment-reminder",
)
PAYMENT_OVERDUE = replace(PAYMENT_DUE, name="payment-overdue")

PAYMENT_RECEIVED = Template(
    name="payment-received",
    version=1,
    purpose="PAYMENT_REMINDER",
    useful_for=timedelta(hours=6),
    needs={"amount": Amount},
    may_have={"invoices": int, "credit_balance": Amount, "still_owed": Amount},
    leaves=Leaves.ANY_TIME,
)

# `mistake`: 1 where staff had recorded what nobody paid.
PAYMENT_REVERSED = Template(
    name="payment-reversed",
    version=1,
    purpose="PAYMENT_REMINDER",
    useful_for=timedelta(days=1),
    needs={"amount": Amount},
    may_have={"invoices": int, "credit_taken": Amount, "still_owed": Amount, "mistake": int},
    leaves=Leaves.ANY_TIME,
)

POINTS_EXPIRING = Template(
    name="points-expiring",
    version=1,
    purpose="MEMBERSHIP",
    useful_for=timedelta(days=3),
    needs={"points": int, "expires_on": date},
    may_have={"later_points": int, "last_on": date},
    family="points-expiring",
)

TIER_CHANGED = Template(
    name="tier-changed",
    version=1,
    purpose="MEMBERSHIP",
    useful_for=timedelta(days=3),
    needs={"tier": str, "former_tier": str},
    family="tier-changed",
)

BIRTHDAY = Template(
    name="birthday",
    version=1,
    purpose="GREETING",
    useful_for=timedelta(days=1),
    needs={},
    leaves=Leaves.GREETING,
    promotes=True,
)

_ALL = {
    (t.name, t.version): t
    for t in (
        PURCHASE_CONFIRMATION,
        PAYMENT_DUE,
        PAYMENT_OVERDUE,
        PAYMENT_RECEIVED,
        PAYMENT_REVERSED,
        POINTS_EXPIRING,
        TIER_CHANGED,
        BIRTHDAY,
    )
}


def newest(name: str) -> Template:
    """Return the newest version of a template; raise TEMPLATE_UNKNOWN."""
    versions = [t for t in _ALL.values() if t.name == name]
    if not versions:
        raise TemplateUnknown(f"there is no template {name}; there are: {', '.join(names())}")
    return max(versions, key=lambda t: t.version)


def names() -> list[str]:
    """Return the names of all templates, sorted."""
    return sorted({t.name for t in _ALL.values()})


def exactly(name: str, version: int) -> Template | None:
    """Return this version, or None when this build has it not (any more)."""
    return _ALL.get((name, version))


def all_templates() -> list[Template]:
    """Return every version of every template."""
    return list(_ALL.values())
