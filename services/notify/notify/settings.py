"""Every knob of notify, with type, unit and default; environment variables begin with NOTIFY_."""

from __future__ import annotations

from typing import Any

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """Settings of the notify service."""

    model_config = SettingsConfigDict(env_prefix="NOTIFY_", extra="ignore")

    customers_target: str = Field(
        "127.0.0.1:7001", description="gRPC target of customers, asked for contacts at every attempt"
    )
    customers_timeout_s: float = Field(5.0, gt=0, description="longest wait for customers, retries included")
    customers_stream_timeout_s: float = Field(
        60.0, gt=0, description="longest wait for all birthdays of a day"
    )
    credit_target: str = Field(
        "127.0.0.1:7003",
        description="gRPC target of credit, asked at every attempt of a reminder what is open",
    )
    credit_timeout_s: float = Field(5.0, gt=0, description="longest wait for credit, retries included")
    occasions: dict[str, dict[str, Any]] = Field(
        default={"birthday": {}},
        description="occasions to greet on, with their configuration, as JSON; {} greets nobody",
    )
    occasion_interval_s: float = Field(
        15.0,
        gt=0,
        description="how often it is looked whether an occasion is to be asked for, in wall seconds",
    )
    occasion_every_s: float = Field(
        900.0,
        gt=0,
        description="how long after an occasion was asked for it is asked again, in business time",
    )
    channels: dict[str, dict[str, Any]] = Field(
        default={},
        description='channels set up here with their configuration, as JSON: {"email": {"host": "mail"}}; '
        "the service does not start without one",
    )
    sweep_interval_s: float = Field(0.5, gt=0, description="how often messages to send are looked for")
    send_batch: int = Field(200, ge=1, le=200, description="messages claimed at once")
    retry_s: float = Field(
        30.0,
        gt=0,
        description="wall seconds after a first failed attempt, at most; doubled with each, and spread",
    )
    retry_max_s: float = Field(900.0, gt=0, description="longest wait between two attempts, in wall seconds")
    failures_per_route: int = Field(
        5, ge=1, description="failed attempts over one channel before the customer's next one has its turn"
    )
    lease_s: float = Field(60.0, gt=0, description="wall seconds after which an attempt counts as lost")
    send_timeout_s: float = Field(
        20.0, gt=0, description="longest attempt over a channel; under half a lease"
    )
