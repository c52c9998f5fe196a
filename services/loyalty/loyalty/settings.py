"""Every knob of loyalty, with type, unit and default; environment variables begin with LOYALTY_."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings of the loyalty service."""

    model_config = SettingsConfigDict(env_prefix="LOYALTY_", extra="ignore")

    reservation_s: int = Field(
        900, gt=0, le=86_400, description="seconds that a reservation holds unless the till asks otherwise"
    )
    sweep_s: float = Field(
        15.0, gt=0, description="seconds between looks for local days that have turned and reservations due"
    )
