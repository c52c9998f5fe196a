"""A release that cannot start leaves the old pods serving, and says why where an operator looks."""

from __future__ import annotations

import json
from collections.abc import Callable

from local.cluster import upcoming
from local.cluster.failed import Failed
from local.cluster.pods import Pod
from local.cluster.stand import Stand

SECONDS = 180.0
PLUGINS = "broken-plugin"
SITE = "/opt/broken"


def migration(stand: Stand) -> str:
    """Roll the next release without its migration: it waits, and its log names both versions."""
    image = f"langganan/customers:{upcoming.TAG}"

    def change() -> None:
        stand.kubectl("set", "image", "deployment/customers-serve", f"service={image}")

    return _refused(stand, "customers-serve", change, status="", log=upcoming.VERSION)


def secret(stand: Stand) -> str:
    """Roll a template that names a secret which is not there: the kubelet says so, nothing starts."""
    deployment, wrong = "credit-serve", "credit-database-app-that-is-missing"

    def change() -> None:
        text = json.dumps(stand.kubectl.get("deployment", deployment)["spec"]["template"])
        template = json.loads(text.replace('"credit-database-app"', f'"{wrong}"'))
        _replace_template(stand, deployment, template)

    return _refused(stand, deployment, change, status=wrong, log="")


def plugin(stand: Stand) -> str:
    """Roll pods in which a plugin is installed that does not import: they end, and name it."""
    deployment = "loyalty-serve"
    stand.kubectl.apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": PLUGINS},
            "data": {
                "broken_bonus.py": "import a_library_that_nobody_installed\n",
                "METADATA": "Metadata-Version: 2.1\nName: broken-bonus\nVersion: 1.0\n",
                "entry_points.txt": "[langganan.loyalty.earning]\nbroken = broken_bonus:Bonus\n",
            },
        }
    )

    def change() -> None:
        template = stand.kubectl.get("deployment", deployment)["spec"]["template"]
        inside = "broken_bonus-1.0.dist-info"
        items = [("broken_bonus.py", ""), ("METADATA", inside), ("entry_points.txt", inside)]
        files = [{"key": key, "path": f"{folder}/{key}".lstrip("/")} for key, folder in items]
        pod = template["spec"]
        pod["volumes"].append({"name": PLUGINS, "configMap": {"name": PLUGINS, "items": files}})
        container = next(one for one in pod["containers"] if one["name"] == "service")
        container["volumeMounts"].append({"name": PLUGINS, "mountPath": SITE, "readOnly": True})
        container.setdefault("env", []).append({"name": "PYTHONPATH", "value": SITE})
        _replace_template(stand, deployment, template)

    return _refused(stand, deployment, change, status="broken", log="broken_bonus")


def _replace_template(stand: Stand, deployment: str, template: object) -> None:
    change = [{"op": "replace", "path": "/spec/template", "value": template}]
    stand.kubectl("patch", f"deployment/{deployment}", "--type=json", "--patch", json.dumps(change))


def _refused(stand: Stand, deployment: str, change: Callable[[], None], *, status: str, log: str) -> str:
    """Roll what cannot start; `status` and `log` are words that its pod's status and log must hold."""
    old = {pod.uid: pod for pod in stand.ready(deployment)}
    with stand.replay(deployment) as replay:
        try:
            change()
            name = stand.until(
                f"a pod of the new template of {deployment} is there",
                lambda: next((pod.name for pod in stand.pods(deployment) if pod.uid not in old), ""),
                SECONDS,
            )
            said = stand.until(
                f"{name} says {status or log!r}", lambda: _says(stand, deployment, name, status, log), SECONDS
            )
            _still_serve(stand, deployment, old)
            stand.say(f"{name}: {said}")
        finally:
            stand.kubectl("rollout", "undo", f"deployment/{deployment}")
            stand.rolled(deployment)
        _still_serve(stand, deployment, old)
    replay.must_not_fail()
    return f"{said}; {len(old)} old pods served on; {replay.said}"


def _says(stand: Stand, deployment: str, name: str, status: str, log: str) -> str:
    """What the status and the log say, when they say what they should; empty while they do not."""
    pod = next((pod for pod in stand.pods(deployment) if pod.name == name), None)
    if pod is None or pod.ready:
        return ""
    lines = _log(stand, name)
    line = next((line for line in lines if log in line), "") if log else "nothing was started"
    shown = f"{pod.why}: {why(pod.says)}" if pod.why else "not ready"
    return f"status «{shown}», log «{why(line)}»" if status in pod.says and line else ""


def why(text: str) -> str:
    """The reason that the last line of a log gives, or the line itself where it is not JSON."""
    last = text.strip().splitlines()[-1] if text.strip() else ""
    try:
        said = json.loads(last)
    except ValueError:
        return last[:300]
    return f"{said.get('event')}: {said.get('why')}"


def _log(stand: Stand, pod: str) -> list[str]:
    """The log of a pod, of the container's life before this one too."""
    _, now, _ = stand.kubectl.attempt("logs", pod)
    _, before, _ = stand.kubectl.attempt("logs", pod, "--previous")
    return [*before.splitlines(), *now.splitlines()]


def _still_serve(stand: Stand, deployment: str, old: dict[str, Pod]) -> None:
    """Fail unless each of the old pods is ready and has never been started again."""
    now = {pod.uid: pod for pod in stand.ready(deployment)}
    for uid, pod in old.items():
        if uid not in now or now[uid].restarts != pod.restarts:
            raise Failed(f"{pod.name} did not serve on while the new pod of {deployment} could not start")
