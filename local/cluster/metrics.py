"""What a pod's /metrics says, fetched through the API server, so that nothing is forwarded."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from local.cluster.kubectl import Kubectl

CALLS = "grpc_server_handled_total"
EVENTS = "langganan_event_seconds_count"
HTTP_PORT = 7002


def total(kubectl: Kubectl, pod: str, sample: str) -> float:
    """The sum of a sample over all of its labels; 0 when the pod does not answer or does not have it."""
    path = f"/api/v1/namespaces/{kubectl.namespace}/pods/{pod}:{HTTP_PORT}/proxy/metrics"
    code, text, _ = kubectl.attempt("get", "--raw", path)
    return 0.0 if code else summed(text, sample)


def summed(text: str, sample: str) -> float:
    """The sum of a sample in an exposition."""
    return sum(
        one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
        if one.name == sample
    )
