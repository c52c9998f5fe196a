"""kubectl as a function: the only way in which the driver speaks to a cluster."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from local.cluster.failed import Failed

SECONDS = 60.0
Object = dict[str, Any]


class Kubectl:
    """Runs kubectl in one namespace; raises Failed with what it said when it refuses.

    All seconds that a call may take are times `patience`.
    """

    def __init__(self, command: Sequence[str], namespace: str, patience: float = 1) -> None:
        self.namespace, self._patience = namespace, patience
        self._command = [*command, "--namespace", namespace]

    def __call__(self, *arguments: str, stdin: str | None = None, seconds: float = SECONDS) -> str:
        """Run it and return what it printed; Failed when it exits with an error or takes too long."""
        code, output, errors = self.attempt(*arguments, stdin=stdin, seconds=seconds)
        if code:
            raise Failed(f"kubectl {' '.join(arguments[:4])}: {(errors or output).strip()[-1500:]}")
        return output

    def attempt(
        self, *arguments: str, stdin: str | None = None, seconds: float = SECONDS
    ) -> tuple[int, str, str]:
        """Run it; exit code, output and errors."""
        try:
            done = subprocess.run(
                [*self._command, *arguments],
                input=stdin,
                stdin=subprocess.DEVNULL if stdin is None else None,
                capture_output=True,
                text=True,
                timeout=seconds * self._patience,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return 1, "", f"no answer within {seconds:.0f} s"
        return done.returncode, done.stdout, done.stderr

    def get(self, *arguments: str) -> Any:
        """The object, or the list's items, that `kubectl get` finds."""
        found = json.loads(self("get", *arguments, "--output", "json"))
        return found["items"] if found["kind"] == "List" else found

    def apply(self, *objects: Mapping[str, Any]) -> None:
        """Create or change these objects."""
        body = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self("apply", "--filename", "-", stdin=json.dumps(body))

    def patch(self, what: str, change: Mapping[str, Any], kind: str = "strategic") -> None:
        """Change an object, named as kind/name."""
        self("patch", what, "--type", kind, "--patch", json.dumps(change))
