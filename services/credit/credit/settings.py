"""Every knob of the credit service; environment variables CREDIT_…."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """Shared settings and the service's own."""

    model_config = SettingsConfigDict(env_prefix="CREDIT_", extra="ignore")

    hold_ttl_s: int = Field(900, ge=1, le=86_400, description="seconds a hold lives unless asked otherwise")
    notice_hour: int = Field(9, ge=0, le=23, description="local hour from which payment notices are given")
