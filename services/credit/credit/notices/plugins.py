"""What a dunning plugin is, and the built-in one.

A dunning plugin is pure and synchronous: whole numbers in and out, no I/O, no clock. It says on which days
around a due date customers are reminded, and from when on nothing more is approved. What is said, to whom
and once a day, is not its business; nor is lifting a block: an invoice that is settled is not asked about.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict, Field

CONTRACT = 1
GROUP = "langganan.credit.dunning"
FURTHEST_DAYS = 365
"""How far from a due date a reminder may be."""


@dataclass(frozen=True, slots=True)
class Overdue:
    """A customer who is late: for how many local days, from 1, by the longest due open invoice; owed in all,
    minor units.
    """

    days: int
    owed: int


class DunningPlugin(Protocol):
    """When to remind and when to block. Prove yours with credit.contract.check_dunning_plugin."""

    name: ClassVar[str]
    contract: ClassVar[int]
    Config: ClassVar[type[BaseModel]]

    def __init__(self, config: Any) -> None: ...

    @property
    def reminders(self) -> Sequence[int]:
        """The local days, counted from a due date, on which its invoice is spoken of: -3 before, 0 on it.

        None is further than FURTHEST_DAYS. The same configuration always has the same days.
        """
        ...

    def blocks(self, overdue: Overdue) -> bool:
        """Tell whether new holds are declined. Who is late for longer, or owes more, is never freed by it."""
        ...


class Ladder:
    """Reminders on fixed days around the due date, and a block once an invoice is overdue for too long."""

    name: ClassVar[str] = "ladder"
    contract: ClassVar[int] = CONTRACT

    class Config(BaseModel):
        """Configuration of ladder."""

        model_config = ConfigDict(extra="forbid", strict=True)
        reminders: list[Annotated[int, Field(ge=-FURTHEST_DAYS, le=FURTHEST_DAYS)]] = Field(
            default=[-3, 0, 1, 7, 14],
            max_length=50,
            description="days from the due date on which customers are reminded: -3 before, 0 on, 7 after it",
        )
        block_after_days: int | None = Field(
            default=14,
            ge=0,
            le=3_650,
            description="new holds are declined once an invoice is overdue for longer; null: never",
        )

    def __init__(self, config: Config) -> None:
        self._reminders = tuple(sorted(set(config.reminders)))
        self._after = config.block_after_days

    @property
    def reminders(self) -> Sequence[int]:
        """The configured days, each once."""
        return self._reminders

    def blocks(self, overdue: Overdue) -> bool:
        """Tell whether the longest due invoice is overdue for more than the configured days."""
        return self._after is not None and overdue.days > self._after
