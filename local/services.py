"""What each service is told: its environment in the one-machine stack, and the names of its settings."""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kit import failpoints
from local.settings import LocalSettings
from local.tokens import AUDIENCE, CLUSTER_ISSUER, SERVICE_SCOPES, Keys, service_subject

SERVICES = ("customers", "loyalty", "credit", "notify")
# What a service gets of the shell that started us, besides its own settings.
INHERITED = (
    *("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH", failpoints.VARIABLE),
    *("PGSSLMODE", "PGSSLROOTCERT"),  # of an external Postgres whose URL does not speak of TLS
)


@dataclass(frozen=True)
class Surroundings:
    """What the services are joined to."""

    databases: Mapping[str, str]  # name → address for its own role
    kafka_bootstrap: str
    clock_file: Path
    keys: Keys


def environment(service: str, settings: LocalSettings, around: Surroundings) -> dict[str, str]:
    """The environment of a service's process; variables of its own prefix in ours have the last word."""
    ports = settings.ports
    scopes = {service_subject(name): wanted for name, wanted in SERVICE_SCOPES.items()}
    values = {
        "database_url": around.databases[service],
        "kafka_bootstrap": around.kafka_bootstrap,
        "topic_prefix": settings.prefix,
        "grpc_host": "127.0.0.1",
        "grpc_port": ports.grpc[service],
        "http_host": "127.0.0.1",
        "http_port": ports.http[service],
        "jwks_files": json.dumps([str(around.keys.jwks)]),
        "audience": AUDIENCE,
        "cluster_issuer": CLUSTER_ISSUER,
        "cluster_jwks_files": json.dumps([str(around.keys.cluster_jwks)]),
        "service_scopes": json.dumps(scopes),
        "token_file": around.keys.service(service, settings.token_hours),
        "clock_file": around.clock_file,
        "log_level": settings.log_level,
    }
    if service == "customers":  # nobody else gets the way into the vault
        key = {"path": str(around.keys.folder / "vault.key"), "create": True}
        values |= {"vault_database_url": around.databases["vault"], "vault_keys_config": json.dumps(key)}
        others = [name for name in SERVICES if name != "customers"]
        values |= {f"{name}_target": f"127.0.0.1:{ports.grpc[name]}" for name in others}
    if service == "notify":
        mail = {"host": "127.0.0.1", "port": ports.smtp, "tls": "none", "sender": "toko@langganan.localhost"}
        values |= {
            "customers_target": f"127.0.0.1:{ports.grpc['customers']}",
            "credit_target": f"127.0.0.1:{ports.grpc['credit']}",
            "channels": json.dumps({"email": mail}),
        }
    prefix = f"{service.upper()}_"
    ours = {prefix + name.upper(): str(value) for name, value in values.items()}
    shell = {name: os.environ[name] for name in INHERITED if name in os.environ}
    theirs = {name: value for name, value in os.environ.items() if name.startswith((prefix, "OTEL_"))}
    return {**shell, "TZ": "UTC", "PYTHONUNBUFFERED": "1", **ours, **theirs}


def command(service: str, role: str) -> list[str]:
    """How a service's process is started."""
    return [sys.executable, "-m", service, role]
