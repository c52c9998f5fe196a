"""The checks by name, in the order in which they run; each returns a sentence about what it saw."""

from __future__ import annotations

from collections.abc import Callable

from local.cluster.checks import audits, budgets, kill, load, refused, roll, sales, versions, workers
from local.cluster.stand import Stand

Check = Callable[[Stand], str]

CHECKS: dict[str, Check] = {
    "sales": sales.check,
    "roll": roll.check,
    "kill": kill.check,
    "load": load.check,
    "workers": workers.check,
    "budgets": budgets.check,
    "migration": refused.migration,
    "secret": refused.secret,
    "plugin": refused.plugin,
    # After `migration`, which needs a database that the next release has not migrated.
    "versions": versions.check,
    "audits": audits.check,
}
# Those that need images of the next release (local/cluster/upcoming.py).
NEXT = {"migration", "versions"}
