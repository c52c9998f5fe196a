"""What a limit plugin is, and the built-in ones.

A limit plugin is pure and synchronous: whole numbers in and out, no I/O, no clock. It makes a limit of what a
customer bought in the last complete local months; when it is asked is not its business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

CONTRACT = 1
GROUP = "langganan.credit.limits"
MONTHS_MAX = 36
"""How far back a plugin may look."""
LIMIT_MAX = 10**15
"""The highest limit that a plugin may give, minor units."""
ONCE = 10_000
"""Basis points of a share that is the whole."""


@dataclass(frozen=True, slots=True)
class History:
    """What a customer bought and kept in each complete local month, the latest first; minor units, from 0."""

    months: Sequence[int]


class LimitPlugin(Protocol):
    """The limit. Prove yours with credit.contract.check_limit_plugin."""

    name: ClassVar[str]
    contract: ClassVar[int]
    Config: ClassVar[type[BaseModel]]

    def __init__(self, config: Any) -> None: ...

    @property
    def months(self) -> int:
        """How many complete months it looks at, 0 to MONTHS_MAX; the same configuration, the same number."""
        ...

    def limit(self, history: History) -> int:
        """Return the limit, minor units, 0 to LIMIT_MAX, of a history of exactly `months` months."""
        ...


class Fixed:
    """The same limit for every customer."""

    name: ClassVar[str] = "fixed"
    contract: ClassVar[int] = CONTRACT

    class Config(BaseModel):
        """Configuration of fixed."""

        model_config = ConfigDict(extra="forbid", strict=True)
        limit: int = Field(ge=0, le=LIMIT_MAX, description="the limit, minor units")

    def __init__(self, config: Config) -> None:
        self._limit = config.limit

    @property
    def months(self) -> int:
        """None."""
        return 0

    def limit(self, history: History) -> int:
        """Return the configured limit."""
        return self._limit


class PurchaseHistory:
    """A share of what the customer bought in an average month, within bounds."""

    name: ClassVar[str] = "purchase_history"
    contract: ClassVar[int] = CONTRACT

    class Config(BaseModel):
        """Configuration of purchase_history."""

        model_config = ConfigDict(extra="forbid", strict=True)
        months: int = Field(
            default=6,
            ge=1,
            le=MONTHS_MAX,
            description="complete local months that are averaged; one without purchases counts as 0",
        )
        share_basis_points: int = Field(
            ge=1, le=100 * ONCE, description="share of the average month: 10000 is all of it, 5000 half"
        )
        step: int = Field(
            default=1, ge=1, le=10**12, description="the share is rounded down to a multiple, minor units"
        )
        min: int = Field(default=0, ge=0, le=LIMIT_MAX, description="the lowest limit, minor units")
        max: int = Field(ge=0, le=LIMIT_MAX, description="the highest limit, minor units")

        @model_validator(mode="after")
        def _in_order(self) -> Self:
            if self.min > self.max:
                raise ValueError("min must not be more than max")
            return self

    def __init__(self, config: Config) -> None:
        self._config = config

    @property
    def months(self) -> int:
        """As configured."""
        return self._config.months

    def limit(self, history: History) -> int:
        """Return the share of the average, rounded down once, then kept between min and max."""
        config = self._config
        share = sum(history.months) * config.share_basis_points // (config.months * ONCE)
        return min(max(share - share % config.step, config.min), config.max)
