"""Which templates there are, what each is for, and which values each shows.

A version never changes once released: messages that are stored name it. A new wording is a new folder
and a new Template here; an old one goes when no message of it can still be pending.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from notify.errors import TemplateUnknown, VariableMissing, VariableUnknown, VariableWrongType
from notify.templates.values import TYPE_NAMES, Amount, Moment, Value

LANGUAGES = ("id", "en")
DEFAULT_LANGUAGE = "id"


@dataclass(frozen=True, slots=True)
class Template:
    """One version of a text. `purpose` is what customers is asked for: consent and channels follow it."""

    name: str
    version: int
    purpose: str
    useful_for: timedelta
    needs: Mapping[str, type]
    may_have: Mapping[str, type] = field(default_factory=dict)

    def check(self, values: Mapping[str, Value]) -> None:
        """Raise VARIABLE_MISSING, _UNKNOWN or _WRONG_TYPE unless the values fit."""
        for name in self.needs:
            if name not in values:
                raise VariableMissing(f"template {self.name} needs the variable {name}", field=name)
        for name, value in values.items():
            wanted = self.needs.get(name) or self.may_have.get(name)
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
)

_ALL = {(t.name, t.version): t for t in (PURCHASE_CONFIRMATION,)}


def newest(name: str) -> Template:
    """Return the newest version of a template; raise TEMPLATE_UNKNOWN."""
    versions = [t for t in _ALL.values() if t.name == name]
    if not versions:
        known = ", ".join(sorted({t.name for t in _ALL.values()}))
        raise TemplateUnknown(f"there is no template {name}; there are: {known}")
    return max(versions, key=lambda t: t.version)


def exactly(name: str, version: int) -> Template | None:
    """Return this version, or None when this build has it not (any more)."""
    return _ALL.get((name, version))


def all_templates() -> list[Template]:
    """Return every version of every template."""
    return list(_ALL.values())
