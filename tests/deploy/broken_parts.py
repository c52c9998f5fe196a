"""What breaks a policy of tests/deploy/flows.py or operators.py."""

from __future__ import annotations

from tests.deploy import flows, operators
from tests.deploy.changes import Broken, drop, policy, setting
from tests.deploy.rendered import Rendered


def open_vault(rendered: Rendered) -> None:
    """Let everybody at the vault, at both ends."""
    policy(rendered, "to-vault-database")["podSelector"] = {}
    policy(rendered, "vault-database")["ingress"][0]["from"] = [{"podSelector": {}}]


BROKEN: dict[str, Broken] = {
    "out and not in": (
        flows.one_sided,
        "local",
        lambda r: policy(r, "notify-calls-in")["podSelector"]["matchExpressions"][0].update(
            values=["customers"]
        ),
        "notify-work → credit-serve:7000 has an egress rule and no ingress rule",
    ),
    "in and not out": (
        flows.one_sided,
        "production",
        drop("NetworkPolicy", "to-kafka"),
        "credit-serve → kafka:9093 has an ingress rule and no egress rule",
    ),
    "no denial": (flows.one_sided, "local", drop("NetworkPolicy", "default-deny"), "has no policy for"),
    "the vault for all": (
        flows.exact,
        "production",
        open_vault,
        "loyalty-serve → vault-database:5432 is let through and not needed",
    ),
    "gateways everywhere": (
        flows.exact,
        "local",
        lambda r: policy(r, "gateways")["ingress"][0].update({"from": [{"namespaceSelector": {}}]}),
        "stranger → credit-serve:7000 is let through",
    ),
    "a peer that is not called": (
        flows.exact,
        "local",
        setting("CREDIT_TARGET", "kredit:7000", "customers-settings"),
        "customers-serve → kredit-serve:7000 is needed and not let through",
    ),
    "no names": (flows.exact, "local", drop("NetworkPolicy", "names"), "names:53 is needed"),
    "the cluster by address": (
        flows.exact,
        "production",
        lambda r: policy(r, "providers")["egress"][0]["to"][0]["ipBlock"].update({"except": []}),
        "addresses of the cluster",
    ),
    "other partitions": (
        operators.kafka,
        "production",
        lambda r: r.one("KafkaTopic", "credit")["spec"].update(partitions=12),
        "another one than kit.events.topics",
    ),
    "other retention": (
        operators.kafka,
        "production",
        lambda r: r.one("KafkaTopic", "credit")["spec"]["config"].update({"retention.ms": 1}),
        "another one than kit.events.topics",
    ),
    "a topic less": (operators.kafka, "production", drop("KafkaTopic", "credit"), "the topics are"),
    "deaf": (
        operators.kafka,
        "production",
        lambda r: r.one("KafkaUser", "notify")["spec"]["authorization"]["acls"].pop(),
        "the Kafka user notify may not",
    ),
    "all that begins so": (
        operators.kafka,
        "production",
        lambda r: r.one("KafkaUser", "notify")["spec"]["authorization"]["acls"][0]["resource"].update(
            patternType="prefix"
        ),
        "rules of other kinds",
    ),
    "a looker who writes": (
        operators.kafka,
        "production",
        lambda r: r.one("KafkaUser", "keda")["spec"]["authorization"]["acls"][0].update(operations=["All"]),
        "others than the services",
    ),
    "nobody's topic": (
        operators.kafka,
        "production",
        lambda r: r.one("KafkaTopic", "credit")["metadata"]["labels"].pop("strimzi.io/cluster"),
        "is of no cluster",
    ),
    "a user without a certificate": (
        operators.kafka,
        "production",
        lambda r: r.one("KafkaUser", "credit")["spec"].pop("authentication"),
        "has no certificate",
    ),
    "the lag of one topic": (
        operators.kafka,
        "production",
        lambda r: r.one("ScaledObject", "credit-work")["spec"]["triggers"][0]["metadata"].update(
            topic="loyalty"
        ),
        "by a part of what it hears",
    ),
    "a blind scaler": (
        operators.kafka,
        "production",
        lambda r: r.one("ScaledObject", "credit-work")["spec"]["triggers"][0].pop("authenticationRef"),
        "by who may not look",
    ),
    "another broker's lag": (
        operators.kafka,
        "production",
        lambda r: r.one("ScaledObject", "credit-work")["spec"]["triggers"][0]["metadata"].update(
            bootstrapServers="kafka:9092"
        ),
        "by the lag at kafka:9092",
    ),
    "another group": (
        operators.kafka,
        "production",
        lambda r: r.one("ScaledObject", "credit-work")["spec"]["triggers"][0]["metadata"].update(
            consumerGroup="kredit"
        ),
        "is scaled by the lag of kredit",
    ),
    "idle workers": (
        operators.kafka,
        "production",
        lambda r: r.one("ScaledObject", "credit-work")["spec"].update(maxReplicaCount=25),
        "more workers than partitions",
    ),
    "no worker": (
        operators.kafka,
        "production",
        lambda r: r.one("ScaledObject", "credit-work")["spec"].update(minReplicaCount=0),
        "may have no worker",
    ),
    "an open listener": (
        operators.kafka,
        "production",
        lambda r: r.one("Kafka", "langganan")["spec"]["kafka"]["listeners"][0].pop("authentication"),
        "who does not say who they are",
    ),
    "no authorization": (
        operators.kafka,
        "production",
        lambda r: r.one("Kafka", "langganan")["spec"]["kafka"].pop("authorization"),
        "does not ask what a user may",
    ),
    "auto-create": (
        operators.kafka,
        "production",
        lambda r: r.one("Kafka", "langganan")["spec"]["kafka"]["config"].update(
            {"auto.create.topics.enable": True}
        ),
        "makes topics by itself",
    ),
    "too many connections": (
        operators.connections,
        "production",
        setting("POOL_MAX", "40"),
        "connections may be opened to credit",
    ),
    "no backup": (
        operators.databases,
        "production",
        drop("ScheduledBackup", "vault-database"),
        "is not backed up",
    ),
    "backups for ever": (
        operators.databases,
        "production",
        lambda r: r.one("ObjectStore", "vault-backups")["spec"].update(retentionPolicy="1y"),
        "keeps backups for 1y",
    ),
    "alone": (
        operators.databases,
        "production",
        lambda r: r.one("Cluster", "credit-database")["spec"].update(instances=1),
        "may lose",
    ),
    "another's name": (
        operators.certificates,
        "production",
        lambda r: r.one("Certificate", "credit-tls")["spec"].update(dnsNames=["loyalty"]),
        "credit has no certificate",
    ),
    "unscraped": (
        operators.monitors,
        "production",
        lambda r: r.one("PodMonitor", "langganan")["spec"]["selector"]["matchExpressions"][0].update(
            values=["serve"]
        ),
        "credit-work is not scraped",
    ),
    "no label": (
        operators.monitors,
        "production",
        lambda r: r.one("PodMonitor", "langganan")["spec"]["podMetricsEndpoints"][0]["relabelings"].pop(),
        "service and role",
    ),
}
