"""Every secret and key set that deploy/overlays/local names, made for one run and kept nowhere else."""

from __future__ import annotations

import base64
import json
import tempfile
from pathlib import Path

from local.brought import brought
from local.cluster.kubectl import Kubectl, Object
from local.tokens import Keys, all_scopes, write_secret

SIGNING = "merchant-signing"
PRIVATE = "signing.json"  # as local.tokens names it
HOURS = 24.0


def objects(kubectl: Kubectl) -> list[Object]:
    """Secrets and ConfigMaps for a fresh installation; the cluster's own keys come from the cluster."""
    with tempfile.TemporaryDirectory() as folder:
        keys = Keys(Path(folder))
        found = brought(keys.jwks.read_text(), kubectl("get", "--raw", "/openid/v1/jwks"))
        signing = secret(SIGNING, **{PRIVATE: (Path(folder) / PRIVATE).read_text()})
    return [signing, *(_object(kind, name, data) for (kind, name), data in found.items())]


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


def secret(name: str, **values: str) -> Object:
    """A Secret of text."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values}


def _object(kind: str, name: str, data: dict[str, str]) -> Object:
    if kind == "Secret":
        return secret(name, **data)
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, "data": data}
