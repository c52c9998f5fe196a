"""Every knob of the customers service, with type, unit and default; environment variables CUSTOMERS_…"""

from __future__ import annotations

from typing import Any

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from kit.settings import DatabaseUrl, ServiceSettings


class Settings(ServiceSettings):
    """Settings of the customers service."""

    model_config = SettingsConfigDict(env_prefix="CUSTOMERS_", extra="ignore")

    vault_database_url: DatabaseUrl = Field(
        description="Postgres URL of the vault: a database and role of its own"
    )
    vault_pool_max: int = Field(8, ge=2, description="connections to the vault at most")
    vault_keys_plugin: str = Field("file", description="key provider, of langganan.customers.keys")
    vault_keys_config: dict[str, Any] = Field(
        default={}, description='its configuration as JSON; file: {"path": …, "create": true on one machine}'
    )
    vault_keys_cached: int = Field(20_000, ge=1, description="unwrapped data keys kept in memory")
    vault_complete_after_s: float = Field(5.0, gt=0, description="a half-done update is completed after this")
    vault_withdraw_after_s: float = Field(
        60.0, gt=30, description="a vault record whose customer never came to be is withdrawn after this"
    )
    vault_sweep_interval_s: float = Field(5.0, gt=0, description="between looks for half-done writes")

    identify_misses_max: int = Field(
        60, ge=1, description="misses by phone or e-mail and CONTACT_HELD, a register and window"
    )
    identify_misses_window_s: int = Field(600, ge=1, description="that sliding window, seconds of wall time")
    shops_cached_s: float = Field(5.0, ge=0, description="how long settings of a store are remembered")

    loyalty_target: str = Field("127.0.0.1:7002", description="gRPC target of loyalty: exports, reconcile")
    credit_target: str = Field(
        "127.0.0.1:7003", description="gRPC target of credit, asked before an erasure; exports, reconcile"
    )
    notify_target: str = Field("127.0.0.1:7004", description="gRPC target of notify: exports")
    peers_timeout_s: float = Field(5.0, gt=0, description="longest wait for one of them, retries included")
    export_timeout_s: float = Field(
        60.0, gt=0, description="longest wait for one service's part of an export"
    )
    erasure_sweep_interval_s: float = Field(5.0, gt=0, description="between looks for erasures to go on with")
    erasure_retry_s: float = Field(
        300.0, gt=0, description="an erasure that waits is tried again after this; a payment hurries it"
    )
