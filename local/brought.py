"""What whoever installs overlay `local` brings: passwords, keys of the vault, key sets. Made for one run."""

from __future__ import annotations

import base64
import json
import secrets

from local.databases import DATABASES

Brought = dict[tuple[str, str], dict[str, str]]  # (kind, name) → key → text


def brought(merchant_jwks: str, cluster_jwks: str) -> Brought:
    """Every Secret and ConfigMap that deploy/README.md names for overlay local; the key sets are given."""
    passwords = {name: secrets.token_urlsafe(24) for name in ("postgres", *DATABASES)}
    # As the key provider `file` reads it.
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
        ("ConfigMap", "merchant-jwks"): {"jwks.json": merchant_jwks},
        ("ConfigMap", "cluster-jwks"): {"jwks.json": cluster_jwks},
    }


def _key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()
