"""The parts of the driver of `make test-cluster` that decide without a cluster."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from grpc_tools import protoc

from local.cluster import upcoming
from local.cluster.__main__ import Tally, chosen
from local.cluster.checks import CHECKS, NEXT
from local.cluster.checks.refused import why
from local.cluster.dryrun import pods_of
from local.cluster.failed import Failed
from local.cluster.metrics import summed
from local.cluster.pods import read
from local.cluster.replay import report_in, sold
from local.cluster.settings import ClusterSettings
from local.settings import ROOT


def test_checks_run_in_their_own_order_and_an_unknown_one_is_named() -> None:
    assert chosen(ClusterSettings(checks="kill, roll"), CHECKS) == ["roll", "kill"]
    assert chosen(ClusterSettings(), CHECKS) == list(CHECKS)
    assert set(CHECKS) >= NEXT
    with pytest.raises(Failed, match="rol; there are: sales"):
        chosen(ClusterSettings(checks="rol"), CHECKS)


def test_a_failed_check_is_counted_and_the_next_one_runs(capsys: pytest.CaptureFixture[str]) -> None:
    def fails() -> str:
        raise Failed("two pods were not rolled")

    tally = Tally()
    assert not tally.run("roll", fails)
    assert tally.run("sales", lambda: "12 sales")
    assert (tally.passed, tally.failed) == (1, 1)
    assert "FAILED roll after 0 s: two pods were not rolled" in capsys.readouterr().out


def test_the_words_of_a_command_are_split_before_the_path_is_filled_in() -> None:
    settings = ClusterSettings(load="kind load image-archive {tar} --name test")
    words = settings.command(settings.load, tar=Path("/with space/credit.tar"))
    assert words == ["kind", "load", "image-archive", "/with space/credit.tar", "--name", "test"]


@pytest.mark.parametrize(
    ("state", "why"),
    [
        (
            {"waiting": {"reason": "CreateContainerConfigError", "message": 'secret "x" not found'}},
            'secret "x"',
        ),
        (
            {"terminated": {"reason": "Error", "exitCode": 1, "message": "plugin 'x' does not import"}},
            "plugin",
        ),
        ({"running": {"startedAt": "2026-11-26T11:00:00Z"}}, ""),
        ({"waiting": {"reason": "ContainerCreating"}}, ""),
    ],
)
def test_a_pod_says_why_its_container_does_not_run(state: dict[str, object], why: str) -> None:
    found = {
        "metadata": {"name": "credit-serve-1", "uid": "1"},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "False"}],
            "containerStatuses": [{"restartCount": 2, "state": state}],
        },
    }
    pod = read(found)
    assert (pod.ready, pod.restarts, pod.ending) == (False, 2, False)
    assert why in pod.says
    assert bool(pod.why) == bool(why)


def test_each_template_is_sent_as_a_pod_too() -> None:
    containers = {"containers": [{"name": "service", "image": "langganan/credit:local"}]}
    template = {"metadata": {"labels": {"a": "b"}}, "spec": containers}
    objects = [
        {"kind": "Deployment", "metadata": {"name": "credit-serve"}, "spec": {"template": template}},
        {
            "kind": "CronJob",
            "metadata": {"name": "credit-audit"},
            "spec": {"jobTemplate": {"spec": {"template": template}}},
        },
        {"kind": "Service", "metadata": {"name": "credit"}, "spec": {"selector": {}}},
        {"kind": "Certificate", "metadata": {"name": "credit"}, "spec": {"template": {}}},
    ]
    made = list(pods_of(objects, "langganan"))
    assert [one["metadata"]["name"] for one in made] == ["deployment-credit-serve", "cronjob-credit-audit"]
    assert all(one["metadata"]["labels"] == {"a": "b"} for one in made)


def test_a_sample_is_summed_over_its_labels() -> None:
    text = (
        "# TYPE grpc_server_handled_total counter\n"
        'grpc_server_handled_total{grpc_method="Quote"} 3\n'
        'grpc_server_handled_total{grpc_method="Reserve"} 4\n'
        'grpc_server_handled_created{grpc_method="Reserve"} 1.7e9\n'
    )
    assert summed(text, "grpc_server_handled_total") == 7
    assert summed(text, "langganan_event_seconds_count") == 0


def test_the_report_is_found_among_the_lines_of_a_log() -> None:
    report = {"reconciled": True, "rpc": {"Quote": {"calls": 2}}, "failed": []}
    log = f"11:00:00 3 sales, 0 returns\n{json.dumps(report, indent=2)}\n11:00:09 reconciled"
    assert report_in(log) == report
    assert sold(log) == 3
    assert sold("11:00:00 opening a shop with 50 customers") == 0
    assert report_in("11:00:00 the shop could not be opened") == {}


def test_a_log_line_is_told_by_its_reason_and_another_text_as_it_is() -> None:
    line = json.dumps({"why": "database_url needs schema 2, found 1", "event": "waiting_for_schema"})
    assert why(f"earlier\n{line}\n") == "waiting_for_schema: database_url needs schema 2, found 1"
    assert why('secret "x" not found') == 'secret "x" not found'
    assert why("") == ""


def test_the_next_release_is_this_tree_with_more_in_it(tmp_path: Path) -> None:
    """Its protos compile, and every place that it changes is still there to be changed."""
    tree = upcoming.make(tmp_path / "next")
    ours = sorted(
        str(file.relative_to(tree / "proto")) for file in (tree / "proto/langganan").rglob("*.proto")
    )
    well_known = Path(protoc.__file__).parent / "_proto"
    dependencies = ROOT / "proto/build/deps"
    out = tmp_path / "out.binpb"
    arguments = [f"-I{tree / 'proto'}", f"-I{dependencies}", f"-I{well_known}", f"--descriptor_set_out={out}"]
    assert protoc.main(["protoc", *arguments, *ours]) == 0
    assert out.read_bytes().count(upcoming.FIELD.encode()) > 100
    for name, old, new in upcoming.CHANGES:
        assert new in (tree / name).read_text()
        assert old in (ROOT / name).read_text()
    assert sorted((tree / "services/customers/customers/migrations").iterdir())[-1].name.startswith(
        upcoming.VERSION
    )
