"""Policies of what operators make: topics and users of Kafka, databases, certificates, scraping."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kit.events import topics
from local.manifests import Object, title
from local.services import SERVICES
from tests.deploy.house import Heard, serving
from tests.deploy.rendered import Rendered, matches

LOOKER = "keda"  # the Kafka user that sees lag and nothing else
CONNECTIONS_BESIDE = 3  # of a worker: the relay's own, and two that commands may open


def kafka(rendered: Rendered, heard: dict[str, Heard]) -> Iterator[str]:
    """Topics are those of the code, and each service may write and read there what its code does."""
    wanted = {spec.name: spec for spec in topics.house()}
    found = {one["metadata"]["name"]: one["spec"] for one in rendered.of("KafkaTopic")}
    if found.keys() != wanted.keys():
        yield f"the topics are {sorted(found)}, not {sorted(wanted)}"
    for name, spec in found.items():
        says = (spec["partitions"], spec["replicas"], {k: str(v) for k, v in spec["config"].items()})
        if name in wanted and says != (
            wanted[name].partitions,
            wanted[name].replication,
            dict(wanted[name].configs),
        ):
            yield f"the topic {name} is another one than kit.events.topics makes"
    for service, own in heard.items():
        acls = _acls(rendered, service)
        may = {(a["resource"]["type"], a["resource"]["name"], frozenset(a["operations"])) for a in acls}
        should = {("topic", own.topic, frozenset({"Write", "Describe"}))}
        should |= {("topic", topic, frozenset({"Read", "Describe"})) for topic in own.topics}
        should.add(("group", own.group, frozenset({"Read", "Describe"})))
        if any(
            a["resource"].get("patternType", "literal") != "literal" or a.get("type") == "deny" for a in acls
        ):
            yield f"the Kafka user {service} has rules of other kinds than these"
        if may != should:
            yield f"the Kafka user {service} may {may - should or 'not ' + str(should - may)}"
    users = {one["metadata"]["name"] for one in rendered.of("KafkaUser")}
    if users != {*heard, LOOKER} or any(a["operations"] != ["Describe"] for a in _acls(rendered, LOOKER)):
        yield f"others than the services may do something in Kafka: {sorted(users - heard.keys())}"
    for one in rendered.of("KafkaUser", "KafkaTopic", "KafkaNodePool"):
        if one["metadata"]["labels"].get("strimzi.io/cluster") != "langganan":
            yield f"{title(one)} is of no cluster"
        if one["kind"] == "KafkaUser" and one["spec"].get("authentication") != {"type": "tls"}:
            yield f"{title(one)} has no certificate"
    broker = rendered.one("Kafka", "langganan")["spec"]["kafka"]
    config = broker["config"]
    if [(one["tls"], one.get("authentication")) for one in broker["listeners"]] != [(True, {"type": "tls"})]:
        yield "Kafka lets in who does not say who they are"
    if broker.get("authorization") != {"type": "simple"}:
        yield "Kafka does not ask what a user may"
    if config["auto.create.topics.enable"] or config["unclean.leader.election.enable"]:
        yield "Kafka makes topics by itself, or forgets what it acknowledged"
    if config["offsets.retention.minutes"] * 60_000 < 2 * topics.RETENTION_MS:
        yield "Kafka forgets a group's place before what it has not heard is gone"
    yield from _lag(rendered, heard, wanted)


def _acls(rendered: Rendered, user: str) -> list[Object]:
    found: list[Object] = rendered.one("KafkaUser", user)["spec"]["authorization"]["acls"]
    return found


def _lag(rendered: Rendered, heard: dict[str, Heard], wanted: dict[str, topics.TopicSpec]) -> Iterator[str]:
    for service, own in heard.items():
        spec = rendered.one("ScaledObject", f"{service}-work")["spec"]
        (trigger,) = spec["triggers"]
        if trigger["metadata"]["consumerGroup"] != own.group:
            yield f"{service} is scaled by the lag of {trigger['metadata']['consumerGroup']}"
        wants, known = (
            trigger["metadata"],
            {one["metadata"]["name"] for one in rendered.of("TriggerAuthentication")},
        )
        if "topic" in wants or int(wants["lagThreshold"]) < 1:
            yield f"{service} is scaled by a part of what it hears"
        if trigger.get("authenticationRef", {}).get("name") not in known or wants.get("tls") != "enable":
            yield f"{service} is scaled by who may not look"
        if (
            wants["bootstrapServers"].replace(".langganan.svc", "")
            != serving(rendered)[service].kafka_bootstrap
        ):
            yield f"{service} is scaled by the lag at {wants['bootstrapServers']}"
        if spec["maxReplicaCount"] > min(wanted[topic].partitions for topic in own.topics):
            yield f"{service} may have more workers than partitions"
        if spec["minReplicaCount"] < 1:
            yield f"{service} may have no worker: who relays and sweeps then?"


def connections(rendered: Rendered) -> Iterator[str]:
    """All pods of a service together open no more connections than its database takes."""
    for service, settings in serving(rendered).items():
        scaler = rendered.one("HorizontalPodAutoscaler", f"{service}-serve")["spec"]["maxReplicas"]
        workers = rendered.one("ScaledObject", f"{service}-work")["spec"]["maxReplicaCount"]
        # One more of each while a Deployment rolls.
        most = (scaler + 1) * settings.pool_max + (workers + 1) * (settings.pool_max + CONNECTIONS_BESIDE)
        for database in (service, *(["vault"] if service == "customers" else [])):
            cluster: Object = rendered.one("Cluster", f"{database}-database")
            takes = int(cluster["spec"]["postgresql"]["parameters"]["max_connections"])
            if most > takes * 0.9:
                yield f"{most} connections may be opened to {database}, which takes {takes}"


def databases(rendered: Rendered) -> Iterator[str]:
    """Every service has a Postgres of its own, and the vault; each is backed up daily and spread."""
    stores = {one["metadata"]["name"] for one in rendered.of("ObjectStore")}
    backed = {one["spec"]["cluster"]["name"] for one in rendered.of("ScheduledBackup")}
    certificates = {one["spec"]["secretName"] for one in rendered.of("Certificate")}
    names = {one["metadata"]["name"].removesuffix("-database") for one in rendered.of("Cluster")}
    if names != {*SERVICES, "vault"}:
        yield f"the databases are {sorted(names)}"
    for one in rendered.of("Cluster"):
        name, spec = one["metadata"]["name"], one["spec"]
        init, tls = spec["bootstrap"]["initdb"], spec["certificates"]
        if {init["database"], init["owner"]} != {name.removesuffix("-database")}:
            yield f"{name} makes the database {init['database']} of {init['owner']}"
        if spec["instances"] < 3 or spec["postgresql"]["synchronous"]["number"] < 1:
            yield f"{name} may lose what it acknowledged"
        if name not in backed or {p["parameters"]["barmanObjectName"] for p in spec["plugins"]} - stores:
            yield f"{name} is not backed up"
        if {tls["serverTLSSecret"], tls["serverCASecret"]} - certificates:
            yield f"{name} has no certificate"
        if Path(spec["imageName"]).name.endswith((":latest", "postgresql")):
            yield f"{name} runs {spec['imageName']}"
    for store in rendered.of("ObjectStore"):
        if store["spec"]["retentionPolicy"] != "30d":
            yield f"{title(store)} keeps backups for {store['spec']['retentionPolicy']}"


def certificates(rendered: Rendered) -> Iterator[str]:
    """Each service is certified by the names that the others call it by."""
    called = {
        target.rpartition(":")[0]
        for settings in serving(rendered).values()
        for name in SERVICES
        if (target := getattr(settings, f"{name}_target", None))
    }
    found = {one["spec"]["secretName"]: one["spec"].get("dnsNames", []) for one in rendered.of("Certificate")}
    for service in SERVICES:
        names = found.get(f"{service}-tls", [])
        if (service in called and service not in names) or f"{service}.langganan.svc" not in names:
            yield f"{service} has no certificate by its name"


def monitors(rendered: Rendered) -> Iterator[str]:
    """Every pod that stays is scraped at a port that it has, with the labels that rules rest on."""
    (monitor,) = rendered.of("PodMonitor")
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    for one in rendered.workloads:
        scraped = matches(monitor["spec"]["selector"], one.labels)
        if scraped != one.stays:
            yield f"{one.title} is {'' if scraped else 'not '}scraped"
        names = {port["name"] for port in one.spec["containers"][0].get("ports", [])}
        if scraped and endpoint["port"] not in names:
            yield f"{one.title} has no port {endpoint['port']}"
    if {rule["targetLabel"] for rule in endpoint["relabelings"]} != {"service", "role"}:
        yield "the scrape does not add the labels service and role"
