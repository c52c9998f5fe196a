"""The component that sends traces to a collector, put on overlay production as an operator would."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator

import pytest

from local.manifests import VERSIONS, Object, faults, render
from local.services import SERVICES
from local.settings import ROOT
from tests.deploy import flows, house
from tests.deploy.changes import drop, setting
from tests.deploy.rendered import COMPONENT, Rendered


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> list[Object]:
    folder = tmp_path_factory.mktemp("traced")
    deploy = os.path.relpath(ROOT / "deploy", folder.resolve())
    (folder / "kustomization.yaml").write_text(
        "apiVersion: kustomize.config.k8s.io/v1beta1\n"
        "kind: Kustomization\n"
        f"resources: [{deploy}/overlays/production]\n"
        f"components: [{deploy}/components/traces]\n"
    )
    return render(folder)


@pytest.fixture
def traced(objects: list[Object]) -> Rendered:
    return Rendered("production", copy.deepcopy(objects))


def wrong(rendered: Rendered) -> Iterator[str]:
    yield from house.told(rendered)
    yield from flows.one_sided(rendered)
    yield from flows.exact(rendered, house.serving(rendered))


def test_every_pod_that_stays_is_told_of_the_collector_and_reaches_it(traced: Rendered) -> None:
    assert list(wrong(traced)) == []
    assert list(faults(traced.objects, VERSIONS[:1])) == []
    for service, settings in house.serving(traced).items():
        assert settings.otlp_endpoint == "http://collector.monitoring.svc:4317", service
    told = {
        (one.service, one.labels[COMPONENT])
        for one in traced.workloads
        if "OTEL_TRACES_SAMPLER" in traced.environment(one.containers[0])
    }
    assert told == {(service, role) for service in SERVICES for role in ("serve", "work")}


def test_a_collector_that_no_policy_lets_pods_reach_is_noticed(traced: Rendered) -> None:
    drop("NetworkPolicy", "traces")(traced)
    assert "credit-work → monitoring:4317 is needed and not let through" in list(wrong(traced))


def test_a_way_to_a_collector_that_nobody_is_told_of_is_noticed(traced: Rendered) -> None:
    setting("OTLP_ENDPOINT", None)(traced)
    assert "credit-work → monitoring:4317 is let through and not needed" in list(wrong(traced))


def test_a_variable_that_opentelemetry_does_not_know_is_noticed(traced: Rendered) -> None:
    setting("OTEL_TRACE_SAMPLER", "always_on", "traces")(traced)
    assert "Deployment/credit-work: nobody reads OTEL_TRACE_SAMPLER" in list(wrong(traced))
