"""Every knob that all services share, with type, unit and default; each is an environment variable."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

# What dbmate refuses in a user's part, and quotes.
_UNREADABLE = re.compile(r"[\s#]|%(?![0-9a-fA-F]{2})")


def _readable(url: str) -> str:
    """Refuse a URL that asyncpg or dbmate would quote in an error, password and all."""
    try:
        readable = urlsplit(url).port != 0 and not _UNREADABLE.search(url)
    except ValueError:
        readable = False
    if not readable:
        raise ValueError("cannot be read as a URL; write a password's special characters as in %2F")
    return url


DatabaseUrl = Annotated[str, AfterValidator(_readable)]


class ServiceSettings(BaseSettings):
    """Shared settings; a service subclasses with its own prefix, e.g. CREDIT_DATABASE_URL."""

    model_config = SettingsConfigDict(extra="ignore")

    database_url: DatabaseUrl = Field(description="Postgres URL of the service's own database")
    pool_min: int = Field(1, ge=1, description="database connections kept open")
    pool_max: int = Field(8, ge=1, description="database connections at most")
    lock_timeout_ms: int = Field(500, ge=1, description="how long a statement waits for a row lock")

    kafka_bootstrap: str = Field("127.0.0.1:9092", description="host:port list of the brokers")
    kafka_ca_file: Path | None = Field(
        None, description="CA certificates of the brokers, PEM; unset: plaintext"
    )
    kafka_cert_file: Path | None = Field(
        None, description="this service's certificate for the brokers, PEM; unset: none is shown"
    )
    kafka_key_file: Path | None = Field(None, description="the private key of that certificate, PEM")
    topic_prefix: str = Field("", description="put before every topic and group name")
    relay_slices: int = Field(1, ge=1, description="hash slices of the outbox, one relay each")

    grpc_host: str = Field("127.0.0.1", description="address that gRPC listens on")
    grpc_port: int = Field(0, ge=0, le=65535, description="port of gRPC; 0: any free one")
    grpc_tls_cert_file: Path | None = Field(
        None, description="certificate chain of gRPC, PEM, re-read when it changes; unset: plaintext"
    )
    grpc_tls_key_file: Path | None = Field(None, description="the private key of that certificate, PEM")
    health_port: int = Field(
        0,
        ge=0,
        le=65535,
        description="plaintext gRPC port with grpc.health.v1.Health alone, for probes (service `live`: the "
        "loop turns; the empty service: ready); 0: none",
    )
    http_host: str = Field("127.0.0.1", description="address of health, metrics and /settled")
    http_port: int = Field(0, ge=0, le=65535, description="port of health and metrics; 0: any free one")

    jwks_files: list[Path] = Field(default=[], description="JWKS files whose keys sign callers' tokens")
    audience: str = Field("langganan", description="what a token's aud must contain")
    cluster_issuer: str = Field("", description="issuer of service tokens; empty: none")
    cluster_jwks_files: list[Path] = Field(
        default=[], description="JWKS files whose keys sign the cluster issuer's tokens, and no others"
    )
    service_scopes: dict[str, list[str]] = Field(
        default={}, description="subject of a service token → its scopes, as JSON"
    )
    token_file: Path | None = Field(None, description="this service's own token for calls to the others")

    peers_ca_file: Path | None = Field(
        None, description="CA certificates of the other services' gRPC, PEM; unset: plaintext"
    )

    max_in_flight: int = Field(512, ge=1, description="calls under way at once before RESOURCE_EXHAUSTED")
    max_in_flight_merchant: int = Field(256, ge=1, description="the same for the calls of one merchant")
    merchant_at_once: int = Field(
        64, ge=1, description="calls of one merchant worked on at once; more of them wait for each other"
    )
    max_message_bytes: int = Field(5_000_000, ge=1_000, description="largest request")
    stream_write_s: float = Field(
        10.0, gt=0, description="seconds that a client may take to read on in a stream before it is ended"
    )
    stream_items: int = Field(
        128, ge=1, description="items of a stream unanswered or unsent before it is not read on"
    )
    merchant_items_at_once: int = Field(
        256, ge=1, description="items of one merchant's streams worked on at once; more of them wait"
    )
    stream_age_s: float = Field(45.0, gt=0, description="a stream of items is renewed after this, ± 10 %")
    max_streams: int = Field(256, ge=1, description="streams of items open at once")
    max_streams_merchant: int = Field(64, ge=1, description="the same for the streams of one merchant")
    max_connection_age_s: int = Field(60, ge=1, description="a client connection is renewed after this")
    batch_max: int = Field(200, ge=1, description="requests a batch")
    batch_queue_max: int = Field(2_000, ge=1, description="requests that wait, all merchants together")
    drain_s: float = Field(10.0, gt=0, description="seconds to finish what is in flight at SIGTERM")

    clock_file: Path | None = Field(None, description="file clock for demo and tests; unset: system time")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="what is logged")
    log_calls: Literal["failed", "all", "none"] = Field(
        "failed", description="of which calls, and items of streams, a log line says how they ended"
    )
    otlp_endpoint: str = Field(
        "",
        description="where traces are sent by OTLP over gRPC, such as http://collector:4317; empty: nowhere. "
        "Which are kept: OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG",
    )

    @model_validator(mode="after")
    def _certificates_have_their_key(self) -> Self:
        for name in ("grpc_tls", "kafka"):
            cert, key = getattr(self, f"{name}_cert_file"), getattr(self, f"{name}_key_file")
            if (cert is None) != (key is None):
                raise ValueError(f"{name.upper()}_CERT_FILE and {name.upper()}_KEY_FILE are set together")
        if self.kafka_cert_file is not None and self.kafka_ca_file is None:
            raise ValueError("KAFKA_CERT_FILE needs KAFKA_CA_FILE: without it Kafka is reached in plaintext")
        return self
