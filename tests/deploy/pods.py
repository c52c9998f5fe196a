"""Policies of pods: rights, limits, probes, disruption, and that what belongs together finds each other."""

from __future__ import annotations

from collections.abc import Iterator

from kit.events import closing, consumer
from kit.rpc.health import LIVE
from local import pod
from local.manifests import Object, title
from tests.deploy.rendered import Rendered, Workload, matches

USER = 10001
# What a process does besides DRAIN_S: answers that are on their way, connections to close.
LETTING_GO_S = 5.0
DNS_KEEPS_S = {"local": 5, "production": 30}  # an answer
PATHS = ("/live", "/ready", "/metrics", "/settled")  # of kit.http, which a test asks
PART_PORTS = {"postgres": pod.POSTGRES_PORT, "kafka": pod.KAFKA_PORT, "mail": pod.SMTP_PORT}
# A slow node imports for long; and nobody is restarted for what kit.http still calls living.
PATIENCE_S = {"startupProbe": 60, "readinessProbe": 2, "livenessProbe": 30}
PROBES = tuple(PATIENCE_S)


def rights(rendered: Rendered) -> Iterator[str]:
    """Nobody has more than `restricted` gives: no root, no privilege, nothing of the node, no API."""
    for one in rendered.workloads:
        spec, context = one.spec, one.spec.get("securityContext", {})
        if not context.get("runAsNonRoot") or (context.get("runAsUser"), context.get("runAsGroup")) != (
            USER,
            USER,
        ):
            yield f"{one.title} does not run as {USER}:{USER}"
        if context.get("seccompProfile") != {"type": "RuntimeDefault"}:
            yield f"{one.title} has no seccomp profile"
        if spec.get("automountServiceAccountToken") is not False:
            yield f"{one.title} may call the Kubernetes API"
        if any(spec.get(name) for name in ("hostNetwork", "hostPID", "hostIPC")):
            yield f"{one.title} shares a namespace with its node"
        if any("hostPath" in volume for volume in spec.get("volumes", [])):
            yield f"{one.title} mounts a folder of its node"
        for container in one.containers:
            own = container.get("securityContext", {})
            if own.get("privileged") or own.get("allowPrivilegeEscalation") is not False:
                yield f"{one.title}/{container['name']} may gain privileges"
            if own.get("capabilities") != {"drop": ["ALL"]}:
                yield f"{one.title}/{container['name']} keeps capabilities"
            if own.get("readOnlyRootFilesystem") is not True:
                yield f"{one.title}/{container['name']} may write to its root"
    for account in rendered.of("ServiceAccount"):
        if account.get("automountServiceAccountToken") is not False:
            yield f"{title(account)} gives its pods a token for the Kubernetes API"
    enforced = {
        one["metadata"].get("labels", {}).get("pod-security.kubernetes.io/enforce")
        for one in rendered.of("Namespace")
    }
    if enforced != {"restricted"}:
        yield "the namespace does not enforce `restricted`"


def images(rendered: Rendered) -> Iterator[str]:
    """Every image has a tag, never latest; a service's Job and labels say the same one."""
    tags: dict[str, set[str]] = {}
    for one in rendered.workloads:
        for container in one.containers:
            name, _, tag = container["image"].rpartition(":")
            if not name or "/" in tag or tag == "latest":
                yield f"{one.title} runs {container['image']}, whose tag says nothing"
            if one.service and name.rpartition("/")[2] != one.service:
                yield f"{one.title} runs {container['image']}"
            if (
                one.service
                and one.kind == "Job"
                and one.object["metadata"]["name"] != f"{one.service}-migrate-{tag}"
            ):
                yield f"{one.title} migrates with {tag} and is not named after it"
            if one.service and one.stays and one.labels.get("app.kubernetes.io/version") != tag:
                yield f"{one.title} says another version than {tag}"
            tags.setdefault(one.service, set()).add(container["image"])
    for service in tags.keys() - {""}:
        if len(tags[service]) > 1:
            yield f"{service} runs {sorted(tags[service])} at once"


def limits(rendered: Rendered) -> Iterator[str]:
    """Every container says what it needs and gets no more than it says."""
    for one in rendered.workloads:
        for container in one.containers:
            resources = container.get("resources", {})
            for kind in ("requests", "limits"):
                if set(resources.get(kind, {})) < {"cpu", "memory"}:
                    yield f"{one.title}/{container['name']} has no {kind} of CPU and memory"
        for volume in one.spec.get("volumes", []):
            if "emptyDir" in volume and "sizeLimit" not in volume["emptyDir"]:
                yield f"{one.title} may fill its node through {volume['name']}"


def probes(rendered: Rendered) -> Iterator[str]:
    """Every container that stays is probed, where it listens and for what it answers."""
    for one in rendered.workloads:
        for container in one.spec["containers"] if one.stays else ():
            for probe in PROBES:
                if probe not in container:
                    yield f"{one.title}/{container['name']} has no {probe}"
                else:
                    body = container[probe]
                    patience = body.get("periodSeconds", 10) * body.get("failureThreshold", 3)
                    if one.service and patience < PATIENCE_S[probe]:
                        yield f"{one.title} {probe} gives up after {patience} s"
                    yield from (
                        f"{one.title} {probe} {why}" for why in _probe(rendered, one, container, probe)
                    )


def _probe(rendered: Rendered, one: Workload, container: Object, probe: str) -> Iterator[str]:
    body, ready = container[probe], probe == "readinessProbe"
    kind = next(kind for kind in ("grpc", "httpGet", "tcpSocket") if kind in body)
    port = port_of(container, body[kind]["port"])
    if not one.service:
        if kind != "tcpSocket" or port != PART_PORTS[one.labels["app.kubernetes.io/name"]]:
            yield f"asks {kind} at {port}"
        return
    prefix, told = one.service.upper(), rendered.environment(container)
    if kind == "grpc":
        if port != int(told[f"{prefix}_HEALTH_PORT"]) or container["args"] != ["serve"]:
            yield f"asks for health at {port}, where nobody answers"
        if body["grpc"].get("service", "") != ("" if ready else LIVE):
            yield f"asks for the service {body['grpc'].get('service', '')!r}"
    elif kind == "httpGet":
        if port != int(told[f"{prefix}_HTTP_PORT"]) or body["httpGet"]["path"] not in PATHS:
            yield f"asks {body['httpGet']['path']} at {port}, where nobody answers"
        if (body["httpGet"]["path"] == "/ready") != ready:
            yield f"asks {body['httpGet']['path']}: only readiness may depend on what is away"
    else:
        yield "only sees whether somebody listens"


def port_of(container: Object, port: object) -> int | None:
    """The number of a port that is given by name or number."""
    named = {one["name"]: int(one["containerPort"]) for one in container.get("ports", [])}
    return port if isinstance(port, int) else named.get(str(port))


def ports(rendered: Rendered) -> Iterator[str]:
    """A container's ports are those of its settings, and a Service leads to one of them."""
    for one in rendered.workloads:
        container = one.spec["containers"][0]
        told, prefix = rendered.environment(container), one.service.upper()
        for port in container.get("ports", []) if one.service else ():
            if int(told[f"{prefix}_{port['name'].upper()}_PORT"]) != port["containerPort"]:
                yield f"{one.title} does not listen at {port['containerPort']}"
    for service in rendered.of("Service"):
        spec, name = service["spec"], service["metadata"]["name"]
        found = [w for w in rendered.workloads if matches({"matchLabels": spec["selector"]}, w.labels)]
        if len(found) != 1:
            yield f"{title(service)} leads to {len(found)} workloads"
        for port in spec["ports"] if len(found) == 1 else ():
            target = port_of(found[0].spec["containers"][0], port["targetPort"])
            if target is None or (spec.get("clusterIP") == "None" and target != port["port"]):
                yield f"{title(service)} leads to no port of {found[0].title}"
            if name in {w.service for w in found} and (
                spec.get("clusterIP") != "None" or port.get("appProtocol") != "kubernetes.io/h2c"
            ):
                yield f"{title(service)} does not let clients balance"


def grace(rendered: Rendered) -> Iterator[str]:
    """A pod is given the time that its process takes to end."""
    for one in rendered.workloads:
        if not (one.service and one.stays):
            continue
        container = one.spec["containers"][0]
        told = rendered.environment(container)
        drain = float(told[f"{one.service.upper()}_DRAIN_S"])
        # A poll, a last commit, two clients closed; then what is on its way out of the house (notify).
        leave = consumer.LEAVE_SECONDS + consumer.LAST_COMMIT_SECONDS + 2 * closing.CLOSE_SECONDS + drain
        serves = container["args"] == ["serve"]
        before = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        if serves and not before:
            yield f"{one.title} stops before clients have heard that it does"
        if serves and one.object["spec"].get("minReadySeconds", 0) < DNS_KEEPS_S[rendered.overlay]:
            yield f"{one.title} is followed by a pod that DNS may not tell of yet"
        needed = before + (drain if serves else leave) + LETTING_GO_S
        if one.spec.get("terminationGracePeriodSeconds", 30) < needed:
            yield f"{one.title} is killed before the {needed:.0f} s that it may need"


def disruption(rendered: Rendered) -> Iterator[str]:
    """Every Deployment of a service rolls without a gap, and has a budget of one pod at a time."""
    for one in rendered.workloads:
        if not (one.service and one.kind == "Deployment"):
            continue
        budgets = [
            b for b in rendered.of("PodDisruptionBudget") if matches(b["spec"]["selector"], one.labels)
        ]
        if len(budgets) != 1 or budgets[0]["spec"].get("maxUnavailable") != 1:
            yield f"{one.title} has no budget of one pod"
        if one.object["spec"]["strategy"]["rollingUpdate"].get("maxUnavailable") != 0:
            yield f"{one.title} takes pods away before there are new ones"
        spread = one.spec.get("topologySpreadConstraints", [])
        if {s["topologyKey"] for s in spread if matches(s["labelSelector"], one.labels)} != {
            "topology.kubernetes.io/zone",
            "kubernetes.io/hostname",
        }:
            yield f"{one.title} is not spread over zones and nodes"
    for budget in rendered.of("PodDisruptionBudget"):
        found = [w for w in rendered.workloads if w.stays and matches(budget["spec"]["selector"], w.labels)]
        if len(found) != 1:
            yield f"{title(budget)} is of {len(found)} workloads"


def selectors(rendered: Rendered) -> Iterator[str]:
    """A Deployment finds its own pods and nobody else's; mounts have volumes; accounts exist."""
    accounts = {one["metadata"]["name"] for one in rendered.of("ServiceAccount")}
    for one in rendered.workloads:
        if one.stays:
            found = [w.title for w in rendered.workloads if matches(one.object["spec"]["selector"], w.labels)]
            if found != [one.title]:
                yield f"{one.title} takes the pods of {found} for its own"
        volumes = {volume["name"] for volume in one.spec.get("volumes", [])}
        for container in one.containers:
            if missing := {mount["name"] for mount in container.get("volumeMounts", [])} - volumes:
                yield f"{one.title} mounts {missing}, which it has not"
        if one.service and one.spec.get("serviceAccountName") != one.service:
            yield f"{one.title} does not run as the account of {one.service}"
        if one.service and one.service not in accounts:
            yield f"there is no ServiceAccount {one.service}"


def least(scaler: Object) -> int:
    """How many pods a scaler leaves."""
    return int(scaler["spec"].get("minReplicas", scaler["spec"].get("minReplicaCount", 1)))


def most(scaler: Object) -> int:
    """How many pods a scaler makes."""
    return int(scaler["spec"].get("maxReplicas", scaler["spec"].get("maxReplicaCount", 100)))


def scaling(rendered: Rendered) -> Iterator[str]:
    """What scales names a Deployment that is there, and nobody else says how many pods it has."""
    deployments = {one["metadata"]["name"]: one for one in rendered.of("Deployment")}
    scalers = rendered.of("HorizontalPodAutoscaler", "ScaledObject")
    targets = [scaler["spec"]["scaleTargetRef"]["name"] for scaler in scalers]
    for scaler, target in zip(scalers, targets, strict=True):
        if target not in deployments:
            yield f"{title(scaler)} scales {target}, which is not there"
        elif "replicas" in deployments[target]["spec"]:
            yield f"{target} says itself how many pods it has, and {title(scaler)} does as well"
        if not (1 if rendered.overlay == "local" else 2) <= least(scaler) <= most(scaler):
            yield f"{title(scaler)} wants {least(scaler)} to {most(scaler)} pods"
        if targets.count(target) > 1:
            yield f"{target} is scaled by two"
    for one in rendered.workloads:
        name = one.object["metadata"]["name"]
        owned = (
            one.service
            and one.kind == "Deployment"
            and (name.endswith("-serve") or rendered.overlay == "production")
        )
        if owned and name not in targets:
            yield f"{one.title} is scaled by nobody"
