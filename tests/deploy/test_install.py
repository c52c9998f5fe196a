"""The commands of docs/operations/install.md make all that overlay `local` needs and does not bring."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import yaml

from local.manifests import KUBECTL, Object
from local.settings import ROOT
from tests.deploy.rendered import Rendered

PAGE = ROOT / "docs" / "operations" / "install.md"
# The commands as they are, against no cluster: what they would send is written to a file instead.
AROUND = """
kubectl() {{
  case "$*" in
    *"--raw"*) echo '{{"keys": []}}' ;;
    *) {kubectl} "$@" --dry-run=client --output yaml >> made.yaml; echo "---" >> made.yaml ;;
  esac
}}
make() {{ mkdir -p .local/keys && echo '{{"keys": []}}' > .local/keys/jwks.json && echo token; }}
mkdir -p .local
"""


def made(folder: Path) -> dict[str, set[str]]:
    """Run the first commands of the page; name of each Secret and ConfigMap that they make → its keys."""
    (script, *_) = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    script = script.replace(
        "kubectl apply --filename deploy/base/namespace.yaml\n", ""
    )  # no cluster, no kind
    done = subprocess.run(
        ["bash", "-c", AROUND.format(kubectl=KUBECTL) + script],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
    )
    assert done.returncode == 0, done.stderr
    objects = [one for one in yaml.safe_load_all((folder / "made.yaml").read_text()) if one]
    return {one["metadata"]["name"]: set(one["data"]) for one in objects}


def needed(rendered: Rendered) -> dict[str, set[str]]:
    """Every Secret and ConfigMap that a pod cannot do without and no manifest brings → its keys."""
    found: dict[str, set[str]] = {}
    for one in rendered.workloads:
        for volume in one.spec.get("volumes", []):
            for source in volume.get("projected", {}).get("sources", []):
                for body in (source.get("secret"), source.get("configMap")):
                    if body and not body.get("optional"):
                        found.setdefault(body["name"], set()).update(item["key"] for item in body["items"])
        for container in one.containers:
            for value in rendered.environment(container).values():
                if value.startswith("secret:"):
                    name, _, key = value.removeprefix("secret:").partition("/")
                    found.setdefault(name, set()).add(key)
    return found


def test_the_page_makes_every_secret_and_key_set_that_the_overlay_needs(
    manifests: dict[str, list[Object]], tmp_path: Path
) -> None:
    assert made(tmp_path) == needed(Rendered("local", manifests["local"]))
