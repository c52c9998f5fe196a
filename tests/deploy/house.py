"""Policies of what is written in the code as well: settings, files, secrets, scopes, commands."""

from __future__ import annotations

import importlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from unittest import mock

from opentelemetry.sdk import environment_variables
from pydantic import ValidationError

from kit.errors import DomainError
from kit.plugins import BrokenPlugin
from kit.settings import ServiceSettings
from local.manifests import title
from local.pod import PodSettings
from local.services import SERVICES
from local.settings import ROOT
from local.tokens import SERVICE_SCOPES, service_subject
from notify.app import channels_of
from notify.settings import Settings as NotifySettings
from tests.deploy.rendered import FILES, Rendered, Workload, all_strings

# What libraries read, without a prefix: libpq's own, and OpenTelemetry's as its SDK lists them.
LIBPQ = {"PGSSLMODE", "PGSSLROOTCERT"}
OTEL = {name for name in vars(environment_variables) if name.startswith("OTEL_")}
# Setting → KIND NAME/KEY of what it names.
WANTED = {
    "database_url": "secret:{service}-database-app/uri",
    "vault_database_url": "secret:vault-database-app/uri",
    "jwks_files": "configMap merchant-jwks/jwks.json",
    "cluster_jwks_files": "configMap cluster-jwks/jwks.json",
    "grpc_tls_cert_file": "secret {service}-tls/tls.crt",
    "grpc_tls_key_file": "secret {service}-tls/tls.key",
    "peers_ca_file": "secret {service}-tls/ca.crt",
    "kafka_cert_file": "secret {service}/user.crt",
    "kafka_key_file": "secret {service}/user.key",
    "kafka_ca_file": "secret langganan-cluster-ca-cert/ca.crt",
}
DAILY = re.compile(r"\d+ \d+ \* \* \*")
DOCUMENTED = re.compile(r"`([\w.-]+)`")


@dataclass(frozen=True)
class Heard:
    """What a service's code says of itself; `books`: whether it has any that could be audited."""

    topic: str
    group: str
    topics: tuple[str, ...]
    books: bool
    commands: frozenset[str]


def settings_class(service: str) -> type[ServiceSettings]:
    """The settings class of a service."""
    found: type[ServiceSettings] = importlib.import_module(f"{service}.settings").Settings
    return found


def settings_of(told: dict[str, str], service: str) -> ServiceSettings:
    """The settings of a process that is told this; raises ValidationError."""
    with mock.patch.dict(os.environ, told, clear=True):
        return settings_class(service)()


def serving(rendered: Rendered) -> dict[str, ServiceSettings]:
    """The settings of each service's `serve`."""
    found = {}
    for one in rendered.workloads:
        if one.service and one.spec["containers"][0]["args"] == ["serve"]:
            found[one.service] = settings_of(rendered.environment(one.spec["containers"][0]), one.service)
    return found


def told(rendered: Rendered) -> Iterator[str]:
    """Every variable is a setting, every required setting is set, and each has a value that it may have."""
    for one in rendered.workloads:
        for container in one.containers:
            variables = rendered.environment(container)
            for source in container.get("envFrom", []):
                if source["configMapRef"]["name"] not in rendered.config_maps:
                    yield f"{one.title} is told by {source['configMapRef']['name']}, which is not there"
            if not one.service:
                known = {f"PARTS_{name.upper()}" for name in PodSettings.model_fields}
            else:
                fields = settings_class(one.service).model_fields
                known = {f"{one.service.upper()}_{name.upper()}" for name in fields} | LIBPQ | OTEL
            yield from (f"{one.title}: nobody reads {name}" for name in sorted(variables.keys() - known))
            if one.service:
                yield from (f"{one.title}: {why}" for why in _settings(rendered, one, variables))


def _settings(rendered: Rendered, one: Workload, variables: dict[str, str]) -> Iterator[str]:
    try:
        settings = settings_of(variables, one.service)
        if isinstance(settings, NotifySettings):
            channels_of(settings)
    except (ValidationError, DomainError, BrokenPlugin) as error:
        yield str(error)
        return
    if settings.grpc_host != "0.0.0.0" or settings.http_host != "0.0.0.0":
        yield "listens only for itself"
    if variables.get("PGSSLMODE") != ("disable" if rendered.overlay == "local" else "verify-full"):
        yield "speaks to Postgres in another way than the overlay means"
    if rendered.overlay != "local" and not (
        settings.grpc_tls_cert_file and settings.peers_ca_file and settings.kafka_cert_file
    ):
        yield "speaks in plain text"
    if f"{one.service.upper()}_CLOCK_FILE" in variables:
        yield "lives in another time"


def secrets(rendered: Rendered) -> Iterator[str]:
    """Secrets are named and documented, never written; every file that a setting names is in the pod."""
    for one in rendered.of("Secret"):
        yield f"{title(one)} is written in a manifest"
    documented = {name for line in _table() for name in DOCUMENTED.findall(line)}
    for one in rendered.workloads:
        files = rendered.files(one)
        for source in files.values():
            if not source.startswith("token "):
                name, _, key = source.partition(" ")[2].partition("/")
                yield from _undocumented(one, name, key, documented)
        for container in one.containers:
            variables = rendered.environment(container)
            for value in variables.values():
                if value.startswith("secret:"):
                    name, _, key = value.removeprefix("secret:").partition("/")
                    yield from _undocumented(one, name, key, documented)
            named = {text for text in all_strings(variables) if text.startswith(f"{FILES}/")}
            # Only work sends, so only work has the provider's password; nobody verifies Postgres without TLS.
            if one.object["metadata"]["name"] != "notify-work":
                named.discard(f"{FILES}/smtp-password")
            for path in sorted(named - files.keys()):
                yield f"{one.title} is told of {path}, which it does not have"


def _undocumented(one: Workload, name: str, key: str, documented: set[str]) -> Iterator[str]:
    pattern = re.sub(rf"^({'|'.join(SERVICES)})(?=-database|-tls|$)", "SERVICE", name)
    if pattern not in documented and name not in documented:
        yield f"{one.title} needs {name}, which deploy/README.md does not name"
    if key not in documented:
        yield f"{one.title} needs the key {key} of {name}, which deploy/README.md does not name"


def _table() -> list[str]:
    return [line for line in (ROOT / "deploy" / "README.md").read_text().splitlines() if line.startswith("|")]


def identity(rendered: Rendered) -> Iterator[str]:
    """A service is who the others think it is: account, audience, scopes."""
    scopes = {service_subject(name): wanted for name, wanted in SERVICE_SCOPES.items()}
    for service, settings in serving(rendered).items():
        if settings.service_scopes != scopes:
            yield f"{service} gives other scopes than local/tokens.py"
    for one in rendered.workloads:
        if not one.service:
            continue
        namespace, account = one.object["metadata"]["namespace"], one.spec["serviceAccountName"]
        if f"system:serviceaccount:{namespace}:{account}" != service_subject(one.service):
            yield f"{one.title} is {account} in {namespace}"
        settings = settings_of(rendered.environment(one.spec["containers"][0]), one.service)
        if rendered.files(one).get(str(settings.token_file)) != f"token {settings.audience}":
            yield f"{one.title} has no token for {settings.audience}"


def sources(rendered: Rendered) -> Iterator[str]:
    """What a setting names comes from where its contents are, and from nobody else's secret."""
    for one in rendered.workloads:
        if not one.service:
            continue
        files = rendered.files(one)
        for container in one.containers:
            variables = rendered.environment(container)
            settings = settings_of(variables, one.service)
            for name, wanted in WANTED.items():
                told = getattr(settings, name, None)
                for value in told if isinstance(told, list) else [told] if told else []:
                    found = files.get(str(value), str(value))
                    if found != wanted.format(service=one.service):
                        yield f"{one.title} takes {name} from {found}"
        if not (settings.jwks_files and settings.cluster_jwks_files and settings.cluster_issuer):
            yield f"{one.title} believes no tills, or no services"


def vault(rendered: Rendered) -> Iterator[str]:
    """Only customers has the way into the vault, and its keys."""
    for one in rendered.workloads:
        if one.service == "customers" or one.labels["app.kubernetes.io/name"] == "prepare":
            continue
        text = json.dumps([one.template, [rendered.environment(c) for c in one.containers]])
        if "vault" in text:
            yield f"{one.title} knows of the vault"


def commands(rendered: Rendered, heard: dict[str, Heard]) -> Iterator[str]:
    """Every service has what it needs and runs only what it can do; audits where there are books."""
    ran: dict[str, list[str]] = {service: [] for service in SERVICES}
    for one in rendered.workloads:
        if one.service:
            (command, *_) = args = one.spec["containers"][0]["args"]
            ran[one.service].append(command)
            if command not in heard[one.service].commands or len(args) != 1:
                yield f"{one.title} runs `{' '.join(args)}`, which {one.service} cannot"
    for service, found in ran.items():
        wanted = ["serve", "work", "migrate"]
        wanted += ["audit"] if heard[service].books else []
        wanted += ["reconcile"] if "reconcile" in heard[service].commands else []
        if sorted(found) != sorted(wanted):
            yield f"{service} runs {sorted(found)}, not {sorted(wanted)}"
    for cron in rendered.of("CronJob"):
        if cron["spec"].get("concurrencyPolicy") != "Forbid" or cron["spec"].get("timeZone") != "Etc/UTC":
            yield f"{title(cron)} may run beside itself, or at an hour that nobody knows"
        if not DAILY.fullmatch(cron["spec"]["schedule"]):
            yield f"{title(cron)} does not run daily, which the alerts expect"
    for one in rendered.of("CronJob", "Job"):
        if one["spec"].get("suspend"):
            yield f"{title(one)} is suspended"
