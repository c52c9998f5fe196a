"""Every secret and key set that deploy/overlays/local names, made for one run and kept nowhere else."""

from __future__ import annotations

import base64
import json
import secrets
import tempfile
from pathlib import Path

from local.cluster.kubectl import Kubectl, Object
from local.databases import DATABASES
from local.tokens import Keys, all_scopes, write_secret

POSTGRES, SIGNING = "postgres", "merchant-signing"
PRIVATE = "signing.json"  # as local.tokens names it
HOURS = 24.0


def objects(kubectl: Kubectl) -> list[Object]:
    """Secrets and ConfigMaps for a fresh installation; the cluster's own keys come from the cluster."""
    passwords = {name: secrets.token_urlsafe(24) for name in ("postgres", *DATABASES)}
    made = [
        secret(f"{name}-database-app", uri=f"postgresql://{name}:{passwords[name]}@postgres:5432/{name}")
        for name in DATABASES
    ]
    made.append(secret(POSTGRES, password=passwords["postgres"]))
    made.append(secret("customers-vault-key", **{"keys.json": _vault_keys()}))
    with tempfile.TemporaryDirectory() as folder:
        keys = Keys(Path(folder))
        made.append(secret(SIGNING, **{PRIVATE: (Path(folder) / PRIVATE).read_text()}))
        made.append(_jwks("merchant-jwks", keys.jwks.read_text()))
    made.append(_jwks("cluster-jwks", kubectl("get", "--raw", "/openid/v1/jwks")))
    return made


def token_secret(kubectl: Kubectl, name: str, merchant: str) -> Object:
    """A token for the tills of a merchant, signed with the key of this installation."""
    stored = kubectl.get("secret", SIGNING)["data"][PRIVATE]
    with tempfile.TemporaryDirectory() as folder:
        write_secret(Path(folder) / PRIVATE, base64.b64decode(stored).decode())
        return secret(name, token=Keys(Path(folder)).till(merchant, all_scopes(), hours=HOURS))


def issuer(kubectl: Kubectl) -> str:
    """Who signs the tokens of this cluster's service accounts."""
    found: str = json.loads(kubectl("get", "--raw", "/.well-known/openid-configuration"))["issuer"]
    return found


def _vault_keys() -> str:
    """A file of the key provider `file` (docs/operations.md)."""
    return json.dumps({"current": "k1", "keys": {"k1": _key()}, "index": {"1": _key()}})


def _key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def secret(name: str, **values: str) -> Object:
    """A Secret of text."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values}


def _jwks(name: str, text: str) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"jwks.json": text}}
