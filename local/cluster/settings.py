"""Every knob of `make test-cluster`; environment variables, the last words of a run without a prefix."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

TAG = "local"  # of the images under test, as deploy/overlays/local names them


class ClusterSettings(BaseSettings):
    """What the driver can be told. KUBECONFIG says which cluster, as for kubectl itself."""

    model_config = SettingsConfigDict(env_prefix="CLUSTER_", extra="ignore", populate_by_name=True)

    level: Literal["node", "apiserver"] = Field(
        default="node", validation_alias="LEVEL", description="apiserver: dry runs alone, no pod is started"
    )
    checks: str = Field(
        default="", validation_alias="CHECKS", description="names, comma-separated; empty: all"
    )
    keep: bool = Field(default=False, validation_alias="KEEP", description="leave the namespace as it is")
    reuse: bool = Field(
        default=False,
        validation_alias="REUSE",
        description="take what an earlier run kept; install nothing",
    )

    kubectl: str = Field(default="kubectl", description="the command of kubectl, words as in a shell")
    load: str = Field(
        default="kind load image-archive {tar}", description="how an image archive gets into the cluster"
    )
    archives: Path | None = Field(
        default=None,
        description="folder of image archives; what is there is not built again",
    )
    crds: str = Field(
        default="", description="folder or URL of CRDs that a dry run of production needs; removed afterwards"
    )
    patience: float = Field(default=1, gt=0, description="all waits times this; more on a slow machine")
    scale_at: str = Field(
        default="",
        description="CPU of a serve pod at which its HPA adds one, e.g. 250m; empty: the overlay's",
    )
    pace: float = Field(default=2, gt=0, description="baskets a second that the replays sell")
    seed: int = Field(default=7, description="seed of the first replay; each later one counts on")

    @property
    def chosen(self) -> list[str]:
        """The names of the checks to run; empty: all."""
        return [name.strip() for name in self.checks.split(",") if name.strip()]

    def command(self, line: str, **values: object) -> list[str]:
        """The words of a command line from a setting, `{…}` filled in."""
        return [word.format(**values) for word in shlex.split(line)]
