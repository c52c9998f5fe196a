"""Counts of a run, kept by the driver for the live view and the report."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Progress:
    """How far a run has come; times are monotonic seconds."""

    baskets_in_all: int = 0
    customers: int = 0
    phase: str = "starting"
    day: str = ""
    stops: int = 0
    baskets: int = 0
    anonymous: int = 0
    returns: int = 0
    payments: int = 0
    holds: int = 0
    declined: int = 0
    declined_overdue: int = 0
    reservations: int = 0
    outstanding: int = 0
    sending_seconds: float = 0.0
    settling_seconds: float = 0.0

    @property
    def baskets_per_s(self) -> float:
        """Baskets a second while baskets were being sent; the waits for settling are left out."""
        return self.baskets / self.sending_seconds if self.sending_seconds else 0.0
