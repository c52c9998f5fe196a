"""Overlay local, run from its rendered objects on this machine; `make smoke` does more."""

import copy
import json
import os
import shutil
import subprocess
import sys
from typing import Any

import pytest

from local.brought import brought
from local.manifests import Object, render
from local.rendered.network import DOMAIN, answer
from local.rendered.objects import NotStartable, Objects, Spec
from local.services import SERVICES
from local.settings import ROOT

OVERLAY = ROOT / "deploy/overlays/local"
SECONDS = 500  # a machine with nothing else to do needs about one of eight
Report = dict[str, Any]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """One run: start everything, sell, roll, scale, reconcile."""
    missing = [tool for tool in ("unshare", "nsenter", "ip") if shutil.which(tool) is None]
    if os.geteuid() != 0 or missing:
        pytest.skip(
            f"pods need root, for namespaces and mounts{'; missing: ' * bool(missing)}{missing or ''}"
        )
    file = tmp_path_factory.mktemp("rendered") / "report.json"
    run = [sys.executable, "-m", "local.rendered", "--report", str(file)]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert file.exists(), done.stdout[-6000:] + done.stderr[-6000:]
    found: Report = json.loads(file.read_text())
    return found


def test_what_the_overlay_says_starts_and_nothing_is_found_fault_with(report: Report) -> None:
    assert "every service is ready" in report["steps"]
    assert report["faults"] == []


def test_a_service_is_rolled_and_a_worker_scaled_without_one_failed_call(report: Report) -> None:
    assert {"customers-serve is rolled", "credit-work is rolled"} <= report["steps"].keys()
    assert {"customers-work is scaled to 3", "customers-work is scaled back"} <= report["steps"].keys()
    assert report["replay"]["failed"] == []
    assert len(report["pods"]) == 4  # a serve and a work rolled, two workers too many
    assert all(end.startswith("exit code 0 ") for end in report["pods"].values())


def test_no_sale_point_rupiah_or_message_is_lost_or_doubled(report: Report) -> None:
    replay = report["replay"]
    assert replay["differences"] == []
    assert replay["baskets"] == replay["purchases_found"] > 50
    assert replay["invoices"]
    assert replay["points_earned"]
    assert replay["mails"] == sum(replay["messages_sent"].values())


@pytest.fixture(scope="module")
def rendered() -> list[Object]:
    return render(OVERLAY)


@pytest.fixture
def objects(rendered: list[Object]) -> Objects:
    return Objects(rendered, brought("{}", "{}"), lambda account, audience, _: f"{account} for {audience}")


def pod(objects: Objects, name: str) -> Spec:
    return objects.pod(objects["Deployment", name]["spec"]["template"])


@pytest.mark.parametrize("service", SERVICES)
def test_a_pod_gets_what_the_kubelet_would_give_it(objects: Objects, service: str) -> None:
    serve = pod(objects, f"{service}-serve")
    assert serve.argv == ["python", "-m", service, "serve"]
    assert serve.env[f"{service.upper()}_DATABASE_URL"].endswith(f"@postgres:5432/{service}")
    (files,) = [volume.files for volume in serve.volumes if volume.files]
    assert files["token"] == f"{service} for langganan"
    assert "vault-keys.json" in files if service == "customers" else "vault-keys.json" not in files
    assert "tls.crt" not in files, "what is optional and was not brought is left out"
    assert serve.probes.keys() == {"startup", "readiness", "liveness"}


def test_a_pod_whose_secret_nobody_made_is_not_started(objects: Objects) -> None:
    template = copy.deepcopy(objects["Deployment", "credit-serve"]["spec"]["template"])
    reference = template["spec"]["containers"][0]["env"][0]["valueFrom"]["secretKeyRef"]
    reference["name"] = "nobody-made-it"
    with pytest.raises(NotStartable, match='secret "nobody-made-it" not found'):
        objects.pod(template)
    reference |= {"name": "credit-database-app", "key": "url"}
    with pytest.raises(NotStartable, match="couldn't find key url"):
        objects.pod(template)


def test_a_name_leads_to_every_pod_that_is_ready() -> None:
    def query(name: str, kind: int = 1) -> bytes:
        labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
        return b"\x12\x34\x01\x00\x00\x01\0\0\0\0\0\0" + labels + b"\0" + bytes([0, kind, 0, 1])

    known = {"credit": ["10.77.0.5", "10.77.0.9"], "loyalty": []}
    found = answer(query(f"credit.{DOMAIN}"), known.get)
    assert found[:2] == b"\x12\x34"
    assert found[3] & 0xF == 0
    assert found[6:8] == b"\0\2"
    assert found.endswith(bytes([10, 77, 0, 9]))
    assert bytes([10, 77, 0, 5]) in found
    assert answer(query(f"loyalty.{DOMAIN}"), known.get)[3] & 0xF == 0, "a Service that nobody is ready for"
    assert answer(query(f"credit.{DOMAIN}", 28), known.get)[6:8] == b"\0\0", "no IPv6"
    assert answer(query("credit.example.com"), known.get)[3] & 0xF == 3, "no such name"
