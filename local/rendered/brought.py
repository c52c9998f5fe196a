"""What whoever installs overlay `local` brings: passwords, keys of the vault, key sets. Made for one run."""

from __future__ import annotations

import base64
import json
import secrets

from local.databases import DATABASES
from local.tokens import Keys

Brought = dict[tuple[str, str], dict[str, str]]  # (kind, name) → key → text


def brought(keys: Keys) -> Brought:
    """Every Secret and ConfigMap that deploy/README.md names for overlay local."""
    passwords = {name: secrets.token_urlsafe(24) for name in ("postgres", *DATABASES)}
    vault = {"current": "k1", "keys": {"k1": _key()}, "index": {"1": _key()}}
    made: Brought = {
        ("Secret", f"{name}-database-app"): {
            "uri": f"postgresql://{name}:{passwords[name]}@postgres:5432/{name}"
        }
        for name in DATABASES
    }
    return made | {
        ("Secret", "postgres"): {"password": passwords["postgres"]},
        ("Secret", "customers-vault-key"): {"keys.json": json.dumps(vault)},
        ("ConfigMap", "merchant-jwks"): {"jwks.json": keys.jwks.read_text()},
        ("ConfigMap", "cluster-jwks"): {"jwks.json": keys.cluster_jwks.read_text()},
    }


def _key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()
