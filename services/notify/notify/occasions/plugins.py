"""What an occasion implements (entry-point group `langganan.notify.occasions`, contract 1), and `birthday`.

An occasion says whose birthdays are celebrated on a local date, and within which period a customer is
greeted once. It is pure: no I/O, no clock. Whom it finds, consent, hours and the text are notify's.
"""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from datetime import date
from typing import ClassVar, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

GROUP = "langganan.notify.occasions"
CONTRACT = 1

# A month and a day of birth.
MonthDay = tuple[int, int]
LEAP_DAY: MonthDay = (2, 29)


class Occasion(Protocol):
    """An occasion; constructed as `Plugin(Plugin.Config(...))`."""

    name: ClassVar[str]
    contract: ClassVar[int]
    Config: ClassVar[type[BaseModel]]
    # The template of the greeting, which is the kind of its messages.
    kind: ClassVar[str]

    def born_on(self, day: date) -> Sequence[MonthDay]:
        """Return the days of birth that are celebrated on the local date `day`; none twice, 31 at most."""

    def period(self, day: date) -> str:
        """Return the period of `day` within which a customer is greeted once, for example "2028"."""


class BirthdayConfig(BaseModel):
    """What may be set of the occasion `birthday`."""

    model_config = ConfigDict(extra="forbid")

    leap_day: Literal["28 February", "1 March"] = Field(
        "28 February", description="when who is born on 29 February is greeted in common years"
    )


class Birthday:
    """The birthday, once a local year."""

    name: ClassVar[str] = "birthday"
    contract: ClassVar[int] = CONTRACT
    Config: ClassVar[type[BaseModel]] = BirthdayConfig
    kind: ClassVar[str] = "birthday"

    def __init__(self, config: BirthdayConfig) -> None:
        self._instead: MonthDay = (2, 28) if config.leap_day == "28 February" else (3, 1)

    def born_on(self, day: date) -> Sequence[MonthDay]:
        """Return the day itself, and in common years the leap day with the day that stands in for it."""
        own = (day.month, day.day)
        if own == self._instead and not calendar.isleap(day.year):
            return (own, LEAP_DAY)
        return (own,)

    def period(self, day: date) -> str:
        """Return the year."""
        return f"{day.year:04}"
