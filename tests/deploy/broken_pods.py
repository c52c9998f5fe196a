"""What breaks a policy of tests/deploy/pods.py."""

from __future__ import annotations

from tests.deploy import pods
from tests.deploy.changes import Broken, container, drop, serve, setting

BROKEN: dict[str, Broken] = {
    "privileged": (
        pods.rights,
        "local",
        lambda r: container(r)["securityContext"].update(privileged=True),
        "may gain",
    ),
    "root": (
        pods.rights,
        "local",
        lambda r: serve(r)["securityContext"].update(runAsUser=0),
        "does not run as",
    ),
    "writable": (
        pods.rights,
        "local",
        lambda r: container(r)["securityContext"].pop("readOnlyRootFilesystem"),
        "may write",
    ),
    "api": (
        pods.rights,
        "local",
        lambda r: serve(r).update(automountServiceAccountToken=True),
        "may call the Kubernetes API",
    ),
    "hostpath": (
        pods.rights,
        "local",
        lambda r: serve(r)["volumes"].append({"name": "n", "hostPath": {"path": "/"}}),
        "folder of its node",
    ),
    "namespace": (
        pods.rights,
        "local",
        lambda r: r.one("Namespace", "langganan")["metadata"].pop("labels"),
        "does not enforce",
    ),
    "latest": (
        pods.images,
        "production",
        lambda r: container(r).update(image="langganan/credit:latest"),
        "says nothing",
    ),
    "untagged": (
        pods.images,
        "production",
        lambda r: container(r).update(image="langganan/credit"),
        "says nothing",
    ),
    "other image": (
        pods.images,
        "production",
        lambda r: container(r).update(image="langganan/loyalty:2026-11"),
        "credit-serve runs",
    ),
    "job's name": (
        pods.images,
        "local",
        lambda r: r.one("Job", "credit-migrate-local")["metadata"].update(name="credit-migrate"),
        "is not named after it",
    ),
    "two versions": (
        pods.images,
        "production",
        lambda r: r.one("CronJob", "credit-audit")["spec"]["jobTemplate"]["spec"]["template"]["spec"][
            "containers"
        ][0].update(image="langganan/credit:2020-01"),
        "at once",
    ),
    "a quick start": (
        pods.probes,
        "local",
        lambda r: container(r)["startupProbe"].update(failureThreshold=5),
        "startupProbe gives up after 5 s",
    ),
    "a quick end": (
        pods.probes,
        "local",
        lambda r: container(r)["livenessProbe"].update(periodSeconds=1),
        "livenessProbe gives up after 3 s",
    ),
    "unlimited": (pods.limits, "local", lambda r: container(r)["resources"].pop("limits"), "has no limits"),
    "no request of memory": (
        pods.limits,
        "local",
        lambda r: container(r)["resources"]["requests"].pop("memory"),
        "has no requests",
    ),
    "unprobed": (pods.probes, "local", lambda r: container(r).pop("readinessProbe"), "has no readinessProbe"),
    "another port": (
        pods.probes,
        "local",
        lambda r: container(r)["livenessProbe"]["grpc"].update(port=7000),
        "nobody answers",
    ),
    "liveness of the database": (
        pods.probes,
        "local",
        lambda r: container(r)["livenessProbe"]["grpc"].pop("service"),
        "asks for the service",
    ),
    "another path": (
        pods.probes,
        "local",
        lambda r: r.one("Deployment", "credit-work")["spec"]["template"]["spec"]["containers"][0][
            "readinessProbe"
        ]["httpGet"].update(path="/healthz"),
        "nobody answers",
    ),
    "no health port": (pods.probes, "local", setting("HEALTH_PORT", "0"), "nobody answers"),
    "another gRPC port": (pods.ports, "local", setting("GRPC_PORT", "7009"), "does not listen at 7000"),
    "a proxy between": (
        pods.ports,
        "local",
        lambda r: r.one("Service", "credit")["spec"].update(clusterIP="10.0.0.1"),
        "does not let clients balance",
    ),
    "a Service to nobody": (
        pods.ports,
        "local",
        lambda r: r.one("Service", "credit")["spec"]["selector"].update({"app.kubernetes.io/name": "kredit"}),
        "leads to 0 workloads",
    ),
    "a long drain": (pods.grace, "local", setting("DRAIN_S", "60"), "is killed before"),
    "no pause": (pods.grace, "local", lambda r: container(r).pop("lifecycle"), "before clients have heard"),
    "a worker's grace": (
        pods.grace,
        "local",
        lambda r: r.one("Deployment", "credit-work")["spec"]["template"]["spec"].update(
            terminationGracePeriodSeconds=10
        ),
        "is killed before",
    ),
    "unheard of": (
        pods.grace,
        "local",
        lambda r: r.one("Deployment", "credit-serve")["spec"].pop("minReadySeconds"),
        "DNS may not tell of",
    ),
    "no budget": (pods.disruption, "local", drop("PodDisruptionBudget", "credit-serve"), "has no budget"),
    "a wide budget": (
        pods.disruption,
        "local",
        lambda r: r.one("PodDisruptionBudget", "credit-work")["spec"].update(maxUnavailable="50%"),
        "has no budget",
    ),
    "a gap": (
        pods.disruption,
        "local",
        lambda r: r.one("Deployment", "credit-serve")["spec"]["strategy"]["rollingUpdate"].update(
            maxUnavailable=1
        ),
        "takes pods away",
    ),
    "all on one node": (
        pods.disruption,
        "local",
        lambda r: serve(r).pop("topologySpreadConstraints"),
        "is not spread",
    ),
    "another's pods": (
        pods.selectors,
        "local",
        lambda r: r.one("Deployment", "credit-serve")["spec"]["selector"]["matchLabels"].pop(
            "app.kubernetes.io/component"
        ),
        "for its own",
    ),
    "another's account": (
        pods.selectors,
        "local",
        lambda r: serve(r).update(serviceAccountName="customers"),
        "account of credit",
    ),
    "no volume": (pods.selectors, "local", lambda r: serve(r)["volumes"].pop(), "which it has not"),
    "no target": (
        pods.scaling,
        "local",
        lambda r: r.one("HorizontalPodAutoscaler", "credit-serve")["spec"]["scaleTargetRef"].update(
            name="credit"
        ),
        "which is not there",
    ),
    "more than at most": (
        pods.scaling,
        "local",
        lambda r: r.one("HorizontalPodAutoscaler", "credit-serve")["spec"].update(minReplicas=13),
        "wants 13 to 3 pods",
    ),
    "a single worker": (
        pods.scaling,
        "production",
        lambda r: r.one("ScaledObject", "credit-work")["spec"].pop("minReplicaCount"),
        "wants 1 to 12 pods",
    ),
    "replicas of serve": (
        pods.scaling,
        "local",
        lambda r: r.one("Deployment", "credit-serve")["spec"].update(replicas=2),
        "says itself how many",
    ),
    "replicas of work": (
        pods.scaling,
        "production",
        lambda r: r.one("Deployment", "credit-work")["spec"].update(replicas=2),
        "says itself how many",
    ),
    "no scaler": (pods.scaling, "production", drop("ScaledObject", "credit-work"), "is scaled by nobody"),
}
