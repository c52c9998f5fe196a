"""Every knob of the one-machine stack, with type, unit and default; environment variables LOCAL_…"""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parent.parent


class LocalSettings(BaseSettings):
    """What `make up`, `make demo` and the system tests can be told."""

    model_config = SettingsConfigDict(env_prefix="LOCAL_", extra="ignore")

    home: Path = Field(default=ROOT / ".local", description="folder of data, logs, keys, mails and the clock")
    base_port: int = Field(default=7000, ge=1024, le=65000, description="all ports count from it")
    prefix: str = Field(default="", pattern="^([a-z][a-z0-9_]*)?$", description="put before names")

    postgres_url: str | None = Field(
        default=None, description="superuser's address of an external Postgres (17 or later); unset: embedded"
    )
    kafka_bootstrap: str | None = Field(default=None, description="external; unset: embedded")
    fsync: bool = Field(default=True, description="whether the embedded Postgres waits for the disk")
    kafka_heap: str = Field(default="384m", description="largest heap of the embedded broker")
    partitions: int = Field(default=6, ge=1, description="partitions of each topic, fixed at creation")
    replication: int = Field(default=1, ge=1, description="copies of each topic (external Kafka)")

    start_seconds: int = Field(default=120, ge=1, description="how long a service may take until it is ready")
    merchant: str = Field(default="toko", description="merchant of the tokens made here")
    token_hours: int = Field(default=24 * 30, ge=1, description="hours that a token made here is good for")
    prometheus: Literal["auto", "off"] = Field(
        default="auto", description="whether `make up` runs Prometheus as well, where it is installed"
    )
    log_level: str = Field(default="INFO", description="of the services: DEBUG, INFO, WARNING or ERROR")

    @property
    def ports(self) -> "Ports":
        """The ports that belong to `base_port`."""
        return Ports(self.base_port)


class Ports:
    """Which part listens where, on 127.0.0.1."""

    def __init__(self, base: int) -> None:
        self.grpc = {"customers": base + 1, "loyalty": base + 2, "credit": base + 3, "notify": base + 4}
        self.http = {name: port + 100 for name, port in self.grpc.items()}
        self.work = {name: port + 200 for name, port in self.grpc.items()}  # where serve and work are apart
        self.smtp = base + 25
        self.prometheus = base + 90
        self.kafka = base + 92
        self.kafka_controller = base + 93
        self.postgres = base + 432
