"""The rendered overlays keep their policies, and each policy is seen to refuse what breaks it."""

from __future__ import annotations

import copy
import http.client
import inspect
from collections.abc import Callable, Iterator

import pytest

from kit import http as kit_http
from local.manifests import VERSIONS, Object, faults
from local.settings import ROOT
from tests.deploy import broken_house, broken_parts, broken_pods, flows, house, operators, pods
from tests.deploy.house import Heard
from tests.deploy.rendered import Rendered

EVERYWHERE = (
    *(pods.rights, pods.images, pods.limits, pods.probes, pods.ports, pods.grace),
    *(pods.disruption, pods.selectors, pods.scaling),
    *(house.told, house.secrets, house.identity, house.sources, house.vault, house.commands),
    *(flows.one_sided, flows.exact),
)
BY_OPERATORS = (
    operators.kafka,
    operators.connections,
    operators.databases,
    operators.certificates,
    operators.monitors,
)
CHECKS = [
    *((overlay, check) for overlay in ("local", "production") for check in EVERYWHERE),
    *(("production", check) for check in BY_OPERATORS),
]


def found(check: Callable[..., Iterator[str]], rendered: Rendered, heard: dict[str, Heard]) -> list[str]:
    """What a policy says; it is given what it asks for besides the objects."""
    wanted = inspect.signature(check).parameters
    more: dict[str, object] = {}
    if "heard" in wanted:
        more["heard"] = heard
    if "settings" in wanted:
        more["settings"] = house.serving(rendered)
    return list(check(rendered, **more))


@pytest.fixture
def fresh(manifests: dict[str, list[Object]]) -> Callable[[str], Rendered]:
    """An overlay that may be changed."""
    return lambda overlay: Rendered(overlay, copy.deepcopy(manifests[overlay]))


@pytest.mark.parametrize("overlay", ["local", "production"])
def test_every_object_is_as_its_schema_says(overlay: str, manifests: dict[str, list[Object]]) -> None:
    assert list(faults(manifests[overlay], VERSIONS[:1])) == []


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("Deployment", "credit-serve"),
        ("ScaledObject", "credit-work"),
        ("Certificate", "credit-tls"),
        ("PodMonitor", "langganan"),
    ],
)
def test_a_field_that_no_schema_knows_is_refused(
    kind: str, name: str, fresh: Callable[[str], Rendered]
) -> None:
    one = fresh("production").one(kind, name)
    one["spec"]["replikas"] = 3
    assert "replikas" in " ".join(faults([one]))


@pytest.mark.parametrize(("overlay", "check"), CHECKS, ids=lambda value: getattr(value, "__name__", value))
def test_policy(
    overlay: str,
    check: Callable[..., Iterator[str]],
    fresh: Callable[[str], Rendered],
    heard: dict[str, Heard],
) -> None:
    assert found(check, fresh(overlay), heard) == []


BROKEN = {**broken_pods.BROKEN, **broken_house.BROKEN, **broken_parts.BROKEN}


@pytest.mark.parametrize("broken", BROKEN)
def test_policy_refuses(broken: str, fresh: Callable[[str], Rendered], heard: dict[str, Heard]) -> None:
    check, overlay, change, says = BROKEN[broken]
    rendered = fresh(overlay)
    change(rendered)
    assert says in "\n".join(found(check, rendered, heard))


def test_every_policy_is_seen_to_refuse() -> None:
    assert {check for check, *_ in BROKEN.values()} == {check for _, check in CHECKS}


def test_the_page_on_upgrades_says_how_long_a_pod_is_given(manifests: dict[str, list[Object]]) -> None:
    page = (ROOT / "docs" / "operations" / "upgrade.md").read_text()
    rendered = Rendered("production", manifests["production"])
    serve, work = (rendered.one("Deployment", f"credit-{role}")["spec"] for role in ("serve", "work"))
    given = [one["template"]["spec"]["terminationGracePeriodSeconds"] for one in (serve, work)]
    container = serve["template"]["spec"]["containers"][0]
    assert f"| {given[0]} for `serve`, {given[1]} for `work` |" in page
    assert f"| {serve['minReadySeconds']} (`minReadySeconds`) |" in page
    assert f"| `preStop`: sleep | {container['lifecycle']['preStop']['sleep']['seconds']} |" in page


def test_every_path_that_a_probe_may_ask_is_served() -> None:
    server = kit_http.serve("127.0.0.1", 0, kit_http.Status(), dict)
    try:
        for path in pods.PATHS:
            connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=5)
            connection.request("GET", path)
            assert connection.getresponse().status != 404, path
            connection.close()
    finally:
        server.shutdown()
        server.server_close()
