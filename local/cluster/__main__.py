"""`python -m local.cluster`: what `make test-cluster` does; exits with 1 when a check failed.

Environment: KUBECONFIG, LEVEL=apiserver, CHECKS=roll,kill, KEEP=1, REUSE=1 and CLUSTER_… (settings.py).
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from local.cluster import dryrun, namespace
from local.cluster.checks import CHECKS, NEXT
from local.cluster.diagnose import troubles
from local.cluster.failed import Failed
from local.cluster.install import install
from local.cluster.kubectl import Kubectl
from local.cluster.settings import ClusterSettings
from local.cluster.stand import Stand


def say(text: str) -> None:
    """Print a step with the time."""
    print(f"{datetime.now(UTC):%H:%M:%S} {text}", flush=True)


class Tally:
    """Runs checks one after the other and counts; a failed one does not keep the next from running."""

    def __init__(self) -> None:
        self.passed = self.failed = 0

    def run(self, name: str, check: Callable[[], str]) -> bool:
        """Run one check and print what it saw; whether it passed."""
        say(f"--- {name}")
        started = time.monotonic()
        try:
            seen = check()
        except Failed as error:
            self.failed += 1
            say(f"FAILED {name} after {time.monotonic() - started:.0f} s: {error}")
            return False
        self.passed += 1
        say(f"passed {name} in {time.monotonic() - started:.0f} s: {seen}")
        return True


def chosen(settings: ClusterSettings, known: Mapping[str, object]) -> list[str]:
    """The names of the checks to run, in their own order; Failed when one is unknown."""
    if unknown := set(settings.chosen) - set(known):
        raise Failed(f"no check is called {', '.join(sorted(unknown))}; there are: {', '.join(known)}")
    return [name for name in known if not settings.chosen or name in settings.chosen]


def admit(settings: ClusterSettings, kubectl: Kubectl, tally: Tally) -> None:
    """`LEVEL=apiserver`: every overlay by a dry run."""
    with dryrun.kinds(kubectl, settings.crds):
        for overlay in dryrun.overlays():
            tally.run(overlay.name, lambda overlay=overlay: dryrun.check(kubectl, overlay, say))  # type: ignore[misc]


def disturb(settings: ClusterSettings, kubectl: Kubectl, tally: Tally) -> None:
    """Install, then run each chosen check; between two of them everything is ready again."""
    names = chosen(settings, CHECKS)
    stand = Stand(settings, kubectl, say)
    start = stand.recovered if settings.reuse else lambda: install(stand, next_too=bool(NEXT & set(names)))
    if not tally.run("install", start):
        say(troubles(kubectl))
        return
    for name in names:
        if not tally.run(name, lambda name=name: CHECKS[name](stand)):  # type: ignore[misc]
            say(troubles(kubectl))
            if not tally.run(f"recover from {name}", stand.recovered):
                return


def main() -> int:
    """Do what the settings say; 1 when something failed."""
    # Told to stop, it undoes what it is about and deletes what it made, as at the end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    settings = ClusterSettings()
    kubectl, tally = Kubectl(settings.command(settings.kubectl), namespace.NAME, settings.patience), Tally()
    try:
        say(f"cluster: {kubectl('version').splitlines()[-1]}")
        namespace.claim(kubectl, reuse=settings.reuse)
    except Failed as error:
        say(str(error))
        return 1
    try:
        (admit if settings.level == "apiserver" else disturb)(settings, kubectl, tally)
    except Failed as error:
        say(str(error))
        tally.failed += 1
    finally:
        if settings.keep:
            say(f"kept: the namespace {namespace.NAME}")
        else:
            namespace.give_back(kubectl)
    print(f"{tally.passed} passed, {tally.failed} failed", flush=True)
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main())
