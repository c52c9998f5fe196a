"""Projected service-account tokens, as the API server signs them, under its keys as it prints them."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from kit import renewed
from kit.auth import Verifier
from kit.errors import Unauthenticated
from kit.testing import Keys

ISSUER = "https://kubernetes.default.svc.cluster.local"
NOTIFY = "system:serviceaccount:langganan:notify"


class ApiServer:
    """Signs tokens with a key of its own, RS256 as `--service-account-signing-key-file` does."""

    def __init__(self) -> None:
        self._key = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True)

    def jwks(self, *others: "ApiServer") -> bytes:
        """What `kubectl get --raw /openid/v1/jwks` prints."""
        keys = []
        for one in (self, *others):
            public = one._key.as_dict(private=False)
            keys.append({name: public[name] for name in ("use", "kty", "kid", "alg", "n", "e")})
        return json.dumps({"keys": keys}, separators=(",", ":")).encode()

    def token(self, account: str = "notify", **changes: Any) -> str:
        """What the kubelet writes into the pod's volume."""
        now = int(time.time())
        claims = {
            "aud": ["langganan"],
            "exp": now + 3607,
            "iat": now,
            "iss": ISSUER,
            "jti": "6a0f2ac6-9f6b-4ca5-a8f4-3f0a6f6b0f5e",
            "kubernetes.io": {
                "namespace": "langganan",
                "node": {"name": "one", "uid": "f5cdb2a5-0f0f-4bd5-9d49-7c1fd0cf45b0"},
                "pod": {"name": f"{account}-work-7c9d", "uid": "3a9b8f0e-3a0e-4f6b-8f0e-2f4f8a1f0c55"},
                "serviceaccount": {"name": account, "uid": "e7a9a0de-7c0b-4c02-8b1f-7b8ad1f4e4a1"},
                "warnafter": now + 3607,
            },
            "nbf": now,
            "sub": f"system:serviceaccount:langganan:{account}",
            **changes,
        }
        header = {"alg": "RS256", "kid": self._key.kid}
        return jwt.encode(header, claims, self._key, algorithms=["RS256"])


class ConfigMap:
    """A ConfigMap as the kubelet mounts it: the file is a link into ..data, which is swapped whole."""

    def __init__(self, folder: Path, content: bytes) -> None:
        self._folder, self._version = folder, 0
        folder.mkdir()
        self.file = folder / "jwks.json"
        self.swap(content)
        self.file.symlink_to("..data/jwks.json")

    def swap(self, content: bytes) -> None:
        """What the kubelet does when the ConfigMap has changed."""
        self._version += 1
        fresh = self._folder / f"..2026_11_26_11_00_0{self._version}"
        fresh.mkdir()
        (fresh / "jwks.json").write_bytes(content)
        os.utime(fresh / "jwks.json", (1, 1))  # the time alone does not tell two versions apart
        link = self._folder / "..data_tmp"
        link.symlink_to(fresh.name)
        link.rename(self._folder / "..data")


@pytest.fixture(scope="module")
def api_server() -> ApiServer:
    return ApiServer()


@pytest.fixture
def mounted(api_server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ConfigMap:
    monkeypatch.setattr(renewed, "LOOK_EVERY_S", 0.0)
    return ConfigMap(tmp_path / "cluster-jwks", api_server.jwks())


@pytest.fixture
def verifier(mounted: ConfigMap, keys: Keys) -> Verifier:
    return Verifier(
        [keys.jwks],
        "langganan",
        cluster_issuer=ISSUER,
        cluster_jwks_files=[mounted.file],
        service_scopes={NOTIFY: ["customers.contacts.internal"]},
    )


def refused(verifier: Verifier, token: str) -> str:
    with pytest.raises(Unauthenticated) as caught:
        verifier.verify(f"Bearer {token}", "toko")
    return caught.value.reason


def test_a_projected_token_is_the_service_that_its_account_names(
    verifier: Verifier, api_server: ApiServer
) -> None:
    who = verifier.verify(f"Bearer {api_server.token()}", "toko")
    assert (who.subject, who.merchant_id, who.is_service) == (NOTIFY, "toko", True)
    assert who.scopes == {"customers.contacts.internal"}
    nobody = verifier.verify(f"Bearer {api_server.token('default')}", "toko")
    assert nobody.scopes == set(), "an account that no setting names may do nothing"


def test_a_token_for_another_audience_issuer_or_time_is_refused(
    verifier: Verifier, api_server: ApiServer
) -> None:
    for_api = api_server.token(aud=[ISSUER])
    assert refused(verifier, for_api) == "TOKEN_WRONG_AUDIENCE", "the pod's token for the API server itself"
    both = api_server.token(aud=[ISSUER, "langganan"])
    assert verifier.verify(f"Bearer {both}", "toko").subject == NOTIFY
    elsewhere = api_server.token(iss="https://kubernetes.default.svc")
    assert refused(verifier, elsewhere) == "TOKEN_INVALID", "another cluster is nobody"
    assert refused(verifier, api_server.token(exp=int(time.time()) - 60)) == "TOKEN_EXPIRED"
    assert refused(verifier, ApiServer().token()) == "TOKEN_INVALID"


def test_the_keys_are_read_again_when_the_configmap_is_swapped(
    verifier: Verifier, api_server: ApiServer, mounted: ConfigMap
) -> None:
    rotated = ApiServer()
    old, new = api_server.token(), rotated.token()
    assert verifier.verify(f"Bearer {old}", "toko").is_service
    assert refused(verifier, new) == "TOKEN_INVALID"
    mounted.swap(api_server.jwks(rotated))  # while tokens of both are about
    for token in (old, new):
        assert verifier.verify(f"Bearer {token}", "toko").is_service
    mounted.swap(rotated.jwks())
    assert refused(verifier, old) == "TOKEN_INVALID", "also one that was believed before"
    assert verifier.verify(f"Bearer {new}", "toko").is_service
    mounted.swap(b'{"keys":[{"use":"sig","kt')
    assert verifier.verify(f"Bearer {rotated.token()}", "toko").is_service
