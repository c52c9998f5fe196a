"""Every knob of the credit service; environment variables CREDIT_…."""

from __future__ import annotations

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import SettingsConfigDict

from kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """Shared settings and the service's own."""

    model_config = SettingsConfigDict(env_prefix="CREDIT_", extra="ignore")

    hold_ttl_s: int = Field(900, ge=1, le=86_400, description="seconds a hold lives unless asked otherwise")
    block_after_days: int = Field(
        14,
        ge=0,
        le=3_650,
        description="Authorize declines OVERDUE once an invoice is overdue for longer",
    )
    notice_hour: int = Field(9, ge=0, le=23, description="local hour from which payment notices are given")
    notice_days_before: list[int] = Field(
        default=[3, 0], description="days before a due date on which a notice is given; 0: on it"
    )
    notice_days_after: list[int] = Field(
        default=[1, 7, 14], description="days after a due date on which a notice is given"
    )

    @field_validator("notice_days_before", "notice_days_after")
    @classmethod
    def _days(cls, days: list[int], info: ValidationInfo) -> list[int]:
        least = 1 if info.field_name == "notice_days_after" else 0
        if any(not least <= each <= 365 for each in days):
            raise ValueError(f"each must be {least} to 365 days")
        return days
