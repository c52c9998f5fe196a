"""The signing key of this machine, its JWKS file, and the tokens that it signs for services and tills."""

import importlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import FileDescriptor
from joserfc import jwt
from joserfc.jwk import OKPKey

import langganan

AUDIENCE = "langganan"
ISSUER = "https://langganan.localhost"
CLUSTER_ISSUER = "https://kubernetes.langganan.localhost"
ALGORITHM = "Ed25519"
# Between services only; no till's token has these.
INTERNAL = ".internal"

# What a service may call of the others; it needs no more.
SERVICE_SCOPES = {
    "customers": [
        "credit.accounts.read",
        "credit.bookings.internal",
        "credit.exports.internal",
        "loyalty.bookings.internal",
        "loyalty.exports.internal",
        "notify.exports.internal",
    ],
    "notify": ["customers.contacts.internal", "customers.birthdays.internal", "credit.invoices.read"],
}


def service_subject(service: str) -> str:
    """The subject of a service's token, as Kubernetes writes it for a service account."""
    return f"system:serviceaccount:langganan:{service}"


class Keys:
    """The folder of keys: made once, readable by us alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        self._merchants, self.jwks = self._pair("signing", "jwks")
        # Services' tokens have keys of their own: who signs for tills cannot sign for the cluster.
        self._cluster, self.cluster_jwks = self._pair("cluster-signing", "cluster-jwks")

    def _pair(self, private: str, public: str) -> tuple[OKPKey, Path]:
        """Return the signing key in one file, made at first, and the path of its JWKS."""
        secret, jwks = self.folder / f"{private}.json", self.folder / f"{public}.json"
        if not secret.exists():
            fresh = OKPKey.generate_key("Ed25519", auto_kid=True)
            write_secret(secret, json.dumps(fresh.as_dict(private=True)))
        key = OKPKey.import_key(json.loads(secret.read_text()))
        jwks.write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
        return key, jwks

    def till(
        self,
        merchant: str,
        scopes: Sequence[str],
        subject: str = "till-1",
        hours: float = 24,
        audience: str = AUDIENCE,
    ) -> str:
        """A token for a till or a person of one merchant."""
        claims = {
            "iss": ISSUER,
            "sub": subject,
            "aud": audience,
            "merchant_id": merchant,
            "scope": " ".join(scopes),
        }
        return _sign(self._merchants, claims, hours)

    def service(self, service: str, hours: float) -> Path:
        """Write a fresh token of a service, in the file that it reads."""
        file = self.folder / f"{service}.token"
        write_secret(file, self.cluster(service_subject(service), hours))
        return file

    def cluster(
        self, subject: str, hours: float, *, issuer: str = CLUSTER_ISSUER, audience: str = AUDIENCE
    ) -> str:
        """A token of the cluster's issuer for whoever `subject` names."""
        return _sign(self._cluster, {"iss": issuer, "sub": subject, "aud": audience}, hours)


def _sign(key: OKPKey, claims: dict[str, Any], hours: float) -> str:
    """Sign a token that is good from now for so many hours."""
    now = int(time.time())
    body = {"aud": AUDIENCE, "iat": now, "exp": now + int(hours * 3600), **claims}
    return jwt.encode({"alg": ALGORITHM, "kid": key.kid}, body, key, algorithms=[ALGORITHM])


def write_secret(file: Path, text: str) -> None:
    """Write a file that only we can read, in one step."""
    fresh = file.with_suffix(".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as output:
        output.write(text)
    fresh.replace(file)


@cache
def all_scopes() -> tuple[str, ...]:
    """Every scope that a method of the contract declares, but those between services."""
    from langganan.options.v1 import scope_pb2

    found = {
        method.GetOptions().Extensions[scope_pb2.scope]
        for file in contract_files()
        for service in file.services_by_name.values()
        for method in service.methods
    }
    return tuple(sorted(scope for scope in found if scope and not scope.endswith(INTERNAL)))


def contract_files() -> Iterator[FileDescriptor]:
    """Yield every file of the contract, as its generated stub describes it."""
    for root in map(Path, langganan.__path__):  # a namespace package: no __init__ to walk by
        for file in sorted(root.rglob("*_pb2.py")):
            module = ".".join(["langganan", *file.relative_to(root).with_suffix("").parts])
            yield importlib.import_module(module).DESCRIPTOR
