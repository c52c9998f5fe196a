"""What breaks a policy of tests/deploy/house.py."""

from __future__ import annotations

from tests.deploy import house
from tests.deploy.changes import Broken, container, drop, serve, setting

BROKEN: dict[str, Broken] = {
    "unknown setting": (house.told, "local", setting("GRPC_PROT", "7000"), "nobody reads CREDIT_GRPC_PROT"),
    "wrong value": (house.told, "local", setting("GRPC_PORT", "seventy"), "CREDIT_GRPC_PORT"[7:].lower()),
    "required": (house.told, "local", lambda r: container(r).pop("env"), "database_url"),
    "no channel": (house.told, "local", setting("CHANNELS", "{}", "notify-settings"), "no channel is set up"),
    "wrong channel": (
        house.told,
        "production",
        setting("CHANNELS", '{"email": {"hots": "mail"}}', "notify-settings"),
        "hots",
    ),
    "for itself": (house.told, "local", setting("GRPC_HOST", "127.0.0.1"), "only for itself"),
    "in plain text": (house.told, "production", setting("PEERS_CA_FILE", None), "in plain text"),
    "Postgres unverified": (house.told, "production", setting("PGSSLMODE", "prefer", "libpq"), "another way"),
    "no ConfigMap": (
        house.told,
        "local",
        lambda r: container(r)["envFrom"][2]["configMapRef"].update(name="libpqq"),
        "which is not there",
    ),
    "a part's variable": (
        house.told,
        "local",
        lambda r: r.one("StatefulSet", "postgres")["spec"]["template"]["spec"]["containers"][0]["env"].append(
            {"name": "PARTS_PASSWORD", "value": "x"}
        ),
        "nobody reads PARTS_PASSWORD",
    ),
    "a secret written": (
        house.secrets,
        "local",
        lambda r: r.objects.append({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}}),
        "is written in a manifest",
    ),
    "an undocumented secret": (
        house.secrets,
        "local",
        lambda r: container(r)["env"][0]["valueFrom"]["secretKeyRef"].update(name="credit-db"),
        "does not name",
    ),
    "a file that is not there": (
        house.secrets,
        "local",
        setting("TOKEN_FILE", "/etc/langganan/tokens"),
        "is told of /etc/langganan/tokens",
    ),
    "other scopes": (
        house.identity,
        "local",
        setting("SERVICE_SCOPES", '{"system:serviceaccount:langganan:notify": []}'),
        "other scopes",
    ),
    "another audience": (
        house.identity,
        "local",
        lambda r: serve(r)["volumes"][0]["projected"]["sources"][0]["serviceAccountToken"].update(
            audience="api"
        ),
        "has no token for langganan",
    ),
    "another namespace": (
        house.identity,
        "local",
        lambda r: r.one("Deployment", "credit-serve")["metadata"].update(namespace="default"),
        "in default",
    ),
    "another's database": (
        house.sources,
        "production",
        lambda r: container(r)["env"][0]["valueFrom"]["secretKeyRef"].update(name="loyalty-database-app"),
        "takes database_url from secret:loyalty-database-app/uri",
    ),
    "another key of the secret": (
        house.sources,
        "local",
        lambda r: container(r)["env"][0]["valueFrom"]["secretKeyRef"].update(key="password"),
        "takes database_url from",
    ),
    "another's certificate": (
        house.sources,
        "production",
        lambda r: serve(r)["volumes"][0]["projected"]["sources"][3]["secret"].update(name="loyalty-tls"),
        "takes grpc_tls_cert_file from secret loyalty-tls/tls.crt",
    ),
    "certificate and key": (
        house.sources,
        "production",
        setting("GRPC_TLS_CERT_FILE", "/etc/langganan/tls.key"),
        "takes grpc_tls_cert_file from secret credit-tls/tls.key",
    ),
    "another authority": (
        house.sources,
        "production",
        setting("PEERS_CA_FILE", "/etc/langganan/kafka-ca.crt"),
        "takes peers_ca_file from secret langganan-cluster-ca-cert/ca.crt",
    ),
    "tills that sign for services": (
        house.sources,
        "local",
        setting("CLUSTER_JWKS_FILES", '["/etc/langganan/merchant-jwks.json"]'),
        "takes cluster_jwks_files from configMap merchant-jwks/jwks.json",
    ),
    "no services": (house.sources, "local", setting("CLUSTER_JWKS_FILES", "[]"), "believes no tills"),
    "an audit now and then": (
        house.commands,
        "local",
        lambda r: r.one("CronJob", "credit-audit")["spec"].update(schedule="30 19 * * 1"),
        "does not run daily",
    ),
    "an audit on paper": (
        house.commands,
        "production",
        lambda r: r.one("CronJob", "credit-audit")["spec"].update(suspend=True),
        "is suspended",
    ),
    "a way into the vault": (
        house.vault,
        "local",
        lambda r: container(r)["env"][0]["valueFrom"]["secretKeyRef"].update(name="vault-database-app"),
        "knows of the vault",
    ),
    "a command": (house.commands, "local", lambda r: container(r).update(args=["server"]), "credit cannot"),
    "an audit of nothing": (
        house.commands,
        "local",
        lambda r: container(r, "notify").update(args=["audit"]),
        "notify runs",
    ),
    "no audit": (house.commands, "local", drop("CronJob", "credit-audit"), "credit runs"),
    "no reconcile": (house.commands, "production", drop("CronJob", "customers-reconcile"), "customers runs"),
}
