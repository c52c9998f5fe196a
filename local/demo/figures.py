"""What the services' /metrics and the machine say of a run."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import time
from collections.abc import Callable, Iterable, Mapping

import psutil

from local.http import get

DRIVER = "driver"
_SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)(?: \d+)?$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
Sample = tuple[str, dict[str, str], float]


def parse(text: str) -> list[Sample]:
    """The samples of a page in Prometheus' text format."""
    return [
        (name, dict(_LABEL.findall(labels)), float(value)) for name, labels, value in _SAMPLE.findall(text)
    ]


async def scrape(ports: Mapping[str, int]) -> dict[str, list[Sample]]:
    """Service → samples; nothing for a service that does not answer."""
    pages = await asyncio.gather(*(get(port, "/metrics") for port in ports.values()))
    return {
        name: parse(body.decode()) if status == 200 else []
        for name, (status, body) in zip(ports, pages, strict=True)
    }


def total(samples: Iterable[Sample], name: str, **labels: str) -> float:
    """The sum of a metric over the samples that have these labels."""
    return sum(
        value
        for sample, has, value in samples
        if sample == name and all(has.get(key) == wanted for key, wanted in labels.items())
    )


def quantile(samples: Iterable[Sample], name: str, share: float) -> float:
    """A quantile of a histogram over all its labels, interpolated within its bucket; 0 without samples."""
    buckets: dict[float, float] = {}
    for sample, labels, value in samples:
        if sample == f"{name}_bucket":
            edge = float(labels["le"])
            buckets[edge] = buckets.get(edge, 0.0) + value
    edges = sorted(buckets)
    if not edges or not buckets[edges[-1]]:
        return 0.0
    wanted, below, from_edge = share * buckets[edges[-1]], 0.0, 0.0
    for edge in edges:
        if buckets[edge] >= wanted:
            if edge == float("inf"):
                return from_edge
            return from_edge + (edge - from_edge) * (wanted - below) / (buckets[edge] - below)
        below, from_edge = buckets[edge], edge
    return from_edge


class Costs:
    """CPU seconds and memory of the stack's parts, children included, and of this process alone."""

    def __init__(self, pids: Callable[[], Mapping[str, int]]) -> None:
        self._pids = pids
        self._before = self._cpu()

    def cpu_seconds(self) -> dict[str, float]:
        """CPU seconds used so far by each part."""
        now = self._cpu()
        return {name: seconds - self._before.get(name, 0.0) for name, seconds in now.items()}

    def memory_mb(self) -> dict[str, float]:
        """Resident memory of each part's own process now, MB."""
        found = {}
        for name, pid in {DRIVER: os.getpid(), **self._pids()}.items():
            with contextlib.suppress(psutil.NoSuchProcess):  # it ended; the stack's watch says so
                found[name] = round(psutil.Process(pid).memory_info().rss / 1e6, 1)
        return found

    def _cpu(self) -> dict[str, float]:
        used = {DRIVER: time.process_time()}
        for name, pid in self._pids().items():
            with contextlib.suppress(psutil.NoSuchProcess):  # it ended; the stack's watch says so
                process = psutil.Process(pid)
                family = [process, *process.children(recursive=True)]
                used[name] = sum(_own(member) for member in family)
        return used


def _own(process: psutil.Process) -> float:
    times = process.cpu_times()
    # Those of children that have ended; the living are counted by themselves.
    return times.user + times.system + times.children_user + times.children_system
