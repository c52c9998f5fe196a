"""Real baskets, sold by a pod in the cluster while a check disturbs it; its report is read from its log."""

from __future__ import annotations

import json
import re
import time
from typing import Any

from local.cluster.credentials import token_secret
from local.cluster.failed import Failed, until
from local.cluster.kubectl import Kubectl
from local.cluster.pods import read
from local.cluster.settings import ClusterSettings
from local.cluster.tills import MOUNT, image, pod

SOLD = re.compile(r"(\d+) sales, \d+ returns")  # the line that the replay prints every few seconds
LEAST = 100  # sales of each replay, however soon the check has done what it does
STOP_FILE = "/tmp/stop"
START_SECONDS, SETTLE_SECONDS, END_SECONDS = 300.0, 240.0, 600.0
# Baskets to choose from, about 60 a customer: each customer is registered before the first sale.
SAMPLE, TILLS = 3_000, 6
LINES = 12


class Replay:
    """One run of `python -m local replay`: `start`, disturb, `finish`; `said` sums it up.

    `patience`: seconds after which a call that is not answered, however often repeated, has failed for good.
    """

    def __init__(
        self, kubectl: Kubectl, settings: ClusterSettings, name: str, seed: int, tag: str, patience: float
    ) -> None:
        self.name = f"replay-{name}"
        self.report: dict[str, Any] = {}
        self._kubectl, self._settings, self._tag = kubectl, settings, tag
        self._seed, self._patience = seed, patience

    def start(self) -> None:
        """Start the pod and wait until it sells."""
        self.remove()
        merchant = f"{self.name}-{time.time():.0f}"
        self._kubectl.apply(token_secret(self._kubectl, self.name, merchant))
        self._kubectl.apply(pod(self.name, image(self._tag), self._arguments(), secret=self.name))
        within = START_SECONDS * self._settings.patience
        until(f"{self.name} sells", lambda: sold(self._log()) or self._ended(), within)
        self._must_sell()

    def _arguments(self) -> list[str]:
        wanted = {
            "--target": "dns:///{service}:7000",
            "--token-file": f"{MOUNT}/token",
            "--seed": self._seed,
            "--sample": SAMPLE,
            "--tills": TILLS,
            "--rate": self._settings.pace,
            "--patience": self._patience * self._settings.patience,
            "--settle": SETTLE_SECONDS * self._settings.patience,
            "--stop-file": STOP_FILE,
            "--report": "/dev/stdout",
        }
        return ["-m", "local.replay", *(str(word) for pair in wanted.items() for word in pair)]

    def finish(self) -> None:
        """Let it sell no more and reconcile; Failed unless everything is where it must be."""
        until(
            f"{self.name} has sold {LEAST}",
            lambda: sold(self._log()) >= LEAST or self._ended(),
            (START_SECONDS + LEAST / self._settings.pace) * self._settings.patience,
        )
        self._must_sell()
        stop = f"open({STOP_FILE!r}, 'w')"
        self._kubectl("exec", self.name, "--", "python", "-c", stop)
        until(f"{self.name} reconciles", self._ended, END_SECONDS * self._settings.patience)
        log = self._log()
        self.report = report_in(log)
        if not self.report:
            raise Failed(f"{self.name} gave no report: {_end_of(log)}")
        if not self.report["reconciled"]:
            raise Failed(f"{self.name} does not reconcile: {self.report['differences'][:5]}")

    def must_not_fail(self) -> None:
        """Failed when a call was not answered within the patience of a gateway."""
        if failed := self.report["failed"]:
            raise Failed(f"{len(failed)} calls of {self.name} failed for good: {failed[:3]}")

    @property
    def said(self) -> str:
        """What it did, in a few words."""
        report = self.report
        calls = sum(one["calls"] for one in report["rpc"].values())
        longest = max(one["longest_ms"] for one in report["rpc"].values()) / 1000
        return (
            f"{report['baskets']} sales, {report['returns']} returns, "
            f"{calls} calls in {report['seconds']:.0f} s, "
            f"{sum(report['repeated'].values())} repeated, {len(report['failed'])} failed for good, "
            f"longest {longest:.1f} s; reconciled"
        )

    def remove(self) -> None:
        """Delete the pod and its token."""
        for kind in ("pod", "secret"):
            self._kubectl("delete", kind, self.name, "--ignore-not-found", "--grace-period=1", "--wait=true")

    def _must_sell(self) -> None:
        if self._ended():
            raise Failed(f"{self.name} ended by itself: {_end_of(self._log())}")

    def _ended(self) -> bool:
        return read(self._kubectl.get("pod", self.name)).phase in ("Succeeded", "Failed")

    def _log(self) -> str:
        return self._kubectl.attempt("logs", self.name)[1]


def sold(log: str) -> int:
    """How many sales the replay has last told of; 0: none yet."""
    told = SOLD.findall(log)
    return int(told[-1]) if told else 0


def report_in(log: str) -> dict[str, Any]:
    """The report that the replay printed among its lines; empty: none."""
    lines = log.splitlines()
    if "{" not in lines or "}" not in lines:
        return {}
    found: dict[str, Any] = json.loads("\n".join(lines[lines.index("{") : lines.index("}") + 1]))
    return found


def _end_of(log: str) -> str:
    return " / ".join(log.splitlines()[-LINES:])
