"""Prometheus beside the stack, where it is installed: it reads every process, and applies deploy's rules."""

from __future__ import annotations

import asyncio
import json
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterable

from local.monitoring import write_rules
from local.part import Part
from local.stack import Stack

EVERY_SECONDS = 5
KEPT = "7d"
START_SECONDS = 30


async def start(stack: Stack) -> str:
    """Start Prometheus as a part of a running stack; return where it listens, or why it does not run."""
    if stack.settings.prometheus == "off":
        return "not started (LOCAL_PROMETHEUS=off)"
    program = shutil.which("prometheus")
    if program is None:
        return "not started: not installed (Debian package prometheus)"
    home, port = stack.home / "prometheus", stack.ports.prometheus
    home.mkdir(exist_ok=True)
    write_rules(home / "rules")
    (home / "prometheus.json").write_text(json.dumps(configuration(stack.targets())))
    part = Part(
        "Prometheus",
        [
            program,
            f"--config.file={home / 'prometheus.json'}",
            f"--storage.tsdb.path={home / 'data'}",
            f"--storage.tsdb.retention.time={KEPT}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
        ],
        log=stack.home / "logs" / "prometheus.log",
        ports=[port],
        cwd=home,
    )
    part.start()
    stack.parts["prometheus"] = part
    await asyncio.to_thread(part.wait_ready, lambda: _ready(port), START_SECONDS)
    return f"http://127.0.0.1:{port}"


def configuration(targets: Iterable[tuple[str, str, int]]) -> dict[str, object]:
    """Read each process; the labels `service` and `role` are those that the PodMonitors of deploy/ set."""
    return {
        "global": {"scrape_interval": f"{EVERY_SECONDS}s", "evaluation_interval": f"{EVERY_SECONDS}s"},
        "rule_files": ["rules/*.yaml"],
        "scrape_configs": [
            {
                "job_name": "langganan",
                "static_configs": [
                    {"targets": [f"127.0.0.1:{port}"], "labels": {"service": service, "role": role}}
                    for service, role, port in targets
                ],
            }
        ],
    }


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=1) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False
