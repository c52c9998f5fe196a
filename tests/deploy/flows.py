"""Policies of the network: who reaches whom, by the NetworkPolicies as Kubernetes reads them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from kit.settings import ServiceSettings
from local import pod
from local.manifests import Object
from local.services import SERVICES
from tests.deploy.rendered import COMPONENT, NAME, Rendered, matches

NAMESPACE = "kubernetes.io/metadata.name"
OURS = {NAMESPACE: "langganan"}
# Whoever is outside and may come in, or be asked.
OUTSIDE = {
    "gateway": {NAMESPACE: "shop", "langganan/gateway": "true"},
    "monitoring": {NAMESPACE: "monitoring"},
    "keda": {NAMESPACE: "keda"},
    "strimzi": {NAMESPACE: "strimzi"},
    "cnpg-system": {NAMESPACE: "cnpg-system"},
    "stranger": {NAMESPACE: "somebody-else"},
}
DNS = ("names", {"k8s-app": "kube-dns"}, {NAMESPACE: "kube-system"})
ANYWHERE = {443, 6443}  # the API server and stores of backups, wherever they are
Flow = tuple[str, str, int]


@dataclass(frozen=True)
class Place:
    """One kind of pod: `name` is what flows call it."""

    name: str
    labels: dict[str, str]
    namespace: dict[str, str]


def places(rendered: Rendered) -> list[Place]:
    """Every kind of pod in the namespace, those that operators make included, and those outside."""
    found = [
        Place(
            f"{one.labels[NAME]}-{role}" if (role := one.labels.get(COMPONENT)) else one.labels[NAME],
            one.labels,
            OURS,
        )
        for one in rendered.workloads
    ]
    found += [
        Place(one["metadata"]["name"], {"cnpg.io/cluster": one["metadata"]["name"]}, OURS)
        for one in rendered.of("Cluster")
    ]
    found += [
        Place("kafka", {"strimzi.io/cluster": one["metadata"]["name"]}, OURS) for one in rendered.of("Kafka")
    ]
    found += [Place(name, {}, namespace) for name, namespace in OUTSIDE.items()]
    return [*found, Place(*DNS)]


def _policies(rendered: Rendered, place: Place, direction: str) -> list[Object]:
    return [
        one["spec"]
        for one in rendered.of("NetworkPolicy")
        if direction in one["spec"]["policyTypes"] and matches(one["spec"]["podSelector"], place.labels)
    ]


def _admits(rule: Object, side: str, other: Place, port: int) -> bool:
    ports = [one["port"] for one in rule.get("ports", [])]
    if ports and port not in ports:
        return False
    return side not in rule or any(_is(peer, other) for peer in rule[side])


def _is(peer: Object, other: Place) -> bool:
    if "ipBlock" in peer:
        return False  # pods of the cluster are not met by address
    if "namespaceSelector" in peer:
        return matches(peer["namespaceSelector"], other.namespace) and matches(
            peer.get("podSelector", {}), other.labels
        )
    return other.namespace == OURS and matches(peer["podSelector"], other.labels)


def _may(rendered: Rendered, here: Place, there: Place, port: int, direction: str) -> bool:
    """Whether the policies of `here` let it speak to, or be spoken to by, `there`."""
    rules, side = ("egress", "to") if direction == "Egress" else ("ingress", "from")
    policies = _policies(rendered, here, direction)
    return not policies or any(
        _admits(rule, side, there, port) for p in policies for rule in p.get(rules, [])
    )


def _ports(rendered: Rendered) -> set[int]:
    return {
        port["port"]
        for one in rendered.of("NetworkPolicy")
        for rules in ("ingress", "egress")
        for rule in one["spec"].get(rules, [])
        for port in rule.get("ports", [])
    }


def one_sided(rendered: Rendered) -> Iterator[str]:
    """A flow is allowed at both ends or at neither; nobody in the namespace is without a policy."""
    everybody = places(rendered)
    for here in everybody:
        if here.namespace != OURS:
            continue
        for direction in ("Ingress", "Egress"):
            if not _policies(rendered, here, direction):
                yield f"{here.name} has no policy for {direction}"
        for there in everybody:
            if there.namespace != OURS:
                continue
            for port in _ports(rendered) - ANYWHERE:
                out, into = (
                    _may(rendered, here, there, port, "Egress"),
                    _may(rendered, there, here, port, "Ingress"),
                )
                if out != into:
                    ends = ("egress", "ingress") if out else ("ingress", "egress")
                    yield f"{here.name} → {there.name}:{port} has an {ends[0]} rule and no {ends[1]} rule"


def allowed(rendered: Rendered) -> set[Flow]:
    """Every flow between kinds of pods that the policies let through, from outside included."""
    everybody = places(rendered)
    return {
        (here.name, there.name, port)
        for there in everybody
        for here in everybody
        for port in _ports(rendered)
        if (here.namespace == OURS or there.namespace == OURS)
        and (here.namespace != OURS or _may(rendered, here, there, port, "Egress"))
        and (there.namespace != OURS or _may(rendered, there, here, port, "Ingress"))
        and not (port in ANYWHERE and there.namespace != OURS)
    }


def needed(rendered: Rendered, settings: dict[str, ServiceSettings]) -> set[Flow]:
    """Every flow that the code needs, by what its settings name and what docs/architecture.md says."""
    flows: set[Flow] = set()
    pods = [one for one in rendered.workloads if one.service]
    local = rendered.overlay == "local"
    for one in pods:
        here, own = f"{one.service}-{one.labels[COMPONENT]}", settings[one.service]
        databases = [one.service, *(["vault"] if one.service == "customers" else [])]
        flows |= {
            (here, "postgres" if local else f"{name}-database", pod.POSTGRES_PORT) for name in databases
        }
        flows.add((here, "kafka", int(own.kafka_bootstrap.rpartition(":")[2])))
        for name in SERVICES:
            target = getattr(own, f"{name}_target", None)
            if target is not None:
                host, _, port = target.rpartition(":")
                flows.add((here, f"{host}-serve", int(port)))
        if one.labels[COMPONENT] in ("serve", "work"):
            flows.add(("monitoring", here, own.http_port))
            if own.otlp_endpoint:
                collector = urlsplit(own.otlp_endpoint)
                _, namespace, *_ = str(collector.hostname).split(".")
                flows.add((here, namespace, int(collector.port or 0)))
        if one.labels[COMPONENT] == "serve":
            flows.add(("gateway", here, own.grpc_port))
        if local and one.service == "notify":
            flows.add((here, "mail", own.channels["email"]["port"]))  # type: ignore[attr-defined]
    if local:
        flows |= {("prepare", "postgres", pod.POSTGRES_PORT), ("prepare", "kafka", pod.KAFKA_PORT)}
        flows.add(("kafka", "kafka", pod.KAFKA_PORT))
    else:
        flows |= _of_operators(rendered)
    everybody = [place.name for place in places(rendered) if place.namespace == OURS]
    return flows | {(name, "names", 53) for name in everybody}


def _of_operators(rendered: Rendered) -> set[Flow]:
    """What Kafka and the databases do among themselves and with their operators."""
    flows = {(who, "kafka", port) for who in ("kafka", "strimzi") for port in (8443, 9090, 9091)}
    flows.add(("keda", "kafka", 9093))
    for cluster in rendered.of("Cluster"):
        name = cluster["metadata"]["name"]
        flows |= {(who, name, port) for who in (name, "cnpg-system") for port in (5432, 8000)}
    return flows


def exact(rendered: Rendered, settings: dict[str, ServiceSettings]) -> Iterator[str]:
    """What is let through is what is needed: nothing more, nothing less."""
    found, wanted = allowed(rendered), needed(rendered, settings)
    yield from (f"{a} → {b}:{port} is needed and not let through" for a, b, port in sorted(wanted - found))
    yield from (f"{a} → {b}:{port} is let through and not needed" for a, b, port in sorted(found - wanted))
    if rendered.overlay == "production":
        yield from _providers(rendered)


def _providers(rendered: Rendered) -> Iterator[str]:
    """Messages leave for any address but one of the cluster's own."""
    for one in rendered.workloads:
        if (one.labels.get(NAME), one.labels.get(COMPONENT)) != ("notify", "work"):
            continue
        policies = _policies(rendered, Place("", one.labels, OURS), "Egress")
        peers = [peer for p in policies for rule in p.get("egress", []) for peer in rule.get("to", [])]
        outside = [peer["ipBlock"] for peer in peers if "ipBlock" in peer]
        if [block["cidr"] for block in outside] != ["0.0.0.0/0"] or "10.0.0.0/8" not in outside[0]["except"]:
            yield "notify's providers are not reached, or addresses of the cluster are as well"
