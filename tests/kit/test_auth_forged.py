"""Tokens as an adversary would make them: none is believed, none is more than UNAUTHENTICATED."""

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from joserfc import jws, jwt
from joserfc.jwk import OctKey, OKPKey

from kit import auth
from kit.errors import Unauthenticated
from kit.testing import Keys

CLAIMS = {"iss": "tests", "aud": "langganan", "sub": "till-1", "merchant_id": "toko", "exp": 4_000_000_000}
HEADER = {"alg": "Ed25519", "kid": "test"}


def part(value: Any) -> str:
    """One part of a token."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(body).rstrip(b"=").decode()


@pytest.fixture
def verifier(keys: Keys, tmp_path: Path) -> auth.Verifier:
    cluster = Keys(tmp_path / "cluster")
    return auth.Verifier(
        [keys.jwks],
        "langganan",
        cluster_issuer="cluster",
        cluster_jwks_files=[cluster.jwks],
        service_scopes={"till-1": ["everything"]},
    )


def refused(verifier: auth.Verifier, token: str) -> str:
    with pytest.raises(Unauthenticated) as caught:
        verifier.verify(f"Bearer {token}", None)
    return caught.value.reason


def signed(keys: Keys, payload: Any) -> str:
    """A payload under the good key, whatever it is."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return jws.serialize_compact(HEADER, body, keys._key, algorithms=["Ed25519"])


HEADERS: dict[str, Any] = {
    "no algorithm": {"kid": "test"},
    "none": {"alg": "none", "kid": "test"},
    "another algorithm": {"alg": "ES256", "kid": "test"},
    "a number for algorithm": {"alg": 1, "kid": "test"},
    "a list for algorithm": {"alg": ["Ed25519"], "kid": "test"},
    "another key": {"alg": "Ed25519", "kid": "../../test"},
    "a list for key": {"alg": "Ed25519", "kid": ["test"]},
    "an object for key": {"alg": "Ed25519", "kid": {"test": 1}},
    "an extension that nobody knows": {**HEADER, "crit": ["x"], "x": 1},
    "a body that is not encoded": {**HEADER, "b64": False, "crit": ["b64"]},
    "a list": [],
    "no text": b"\xff\xfe",
    "without end": b"[" * 5_000,
}


@pytest.mark.parametrize("header", HEADERS)
def test_a_header_that_was_changed_is_refused(header: str, keys: Keys, verifier: auth.Verifier) -> None:
    _, body, signature = signed(keys, CLAIMS).split(".")
    head = part(HEADERS[header])
    assert refused(verifier, f"{head}.{body}.{signature}") == "TOKEN_INVALID"
    assert refused(verifier, f"{head}.{body}.") == "TOKEN_INVALID"


def test_a_public_key_is_no_shared_secret(keys: Keys, verifier: auth.Verifier) -> None:
    public = keys.jwks.read_bytes()
    for secret in (public, json.dumps(json.loads(public)["keys"][0]).encode()):
        forged = jwt.encode(
            {"alg": "HS256", "kid": "test"}, CLAIMS, OctKey.import_key(secret), algorithms=["HS256"]
        )
        assert refused(verifier, forged) == "TOKEN_INVALID"


def test_a_token_that_brings_its_own_key_is_refused(verifier: auth.Verifier) -> None:
    mine = OKPKey.generate_key("Ed25519")
    header = {"alg": "Ed25519", "kid": "test", "jwk": mine.as_dict(private=False)}
    assert refused(verifier, jwt.encode(header, CLAIMS, mine, algorithms=["Ed25519"])) == "TOKEN_INVALID"


PAYLOADS: dict[str, Any] = {
    "a list": [],
    "nothing": None,
    "no text": b"\xff",
    "without end": b"[" * 5_000,
    "of the cluster": {**CLAIMS, "iss": "cluster"},
    "valid for ever": {**CLAIMS, "exp": float("inf")},
    "valid for no number": {**CLAIMS, "exp": float("nan")},
    "valid beyond every calendar": {**CLAIMS, "exp": 10**400},
    "valid until a text": {**CLAIMS, "exp": "4000000000"},
    "valid until true": {**CLAIMS, "exp": True},
    "without end of validity": {**CLAIMS, "exp": None},
    "not yet valid": {**CLAIMS, "nbf": 4_000_000_000},
    "valid from no number": {**CLAIMS, "nbf": float("nan")},
    "valid from a text": {**CLAIMS, "nbf": "x"},
    "nobody": {**CLAIMS, "sub": ""},
    "a list of subjects": {**CLAIMS, "sub": ["till-1"]},
    "a subject with NUL": {**CLAIMS, "sub": "till\0"},
    "a subject without end": {**CLAIMS, "sub": "x" * 257},
    "no merchant": {**CLAIMS, "merchant_id": ""},
    "a merchant with NUL": {**CLAIMS, "merchant_id": "toko\0"},
    "a merchant with a line end": {**CLAIMS, "merchant_id": "toko\n"},
    "a merchant with a space": {**CLAIMS, "merchant_id": "toko "},
    "a merchant that looks like another": {**CLAIMS, "merchant_id": "tоko"},  # a Cyrillic о
    "a merchant of half a character": {**CLAIMS, "merchant_id": "\ud800"},
    "a merchant without end": {**CLAIMS, "merchant_id": "x" * 65},
    "scopes in a list": {**CLAIMS, "scope": ["everything"]},
}


@pytest.mark.parametrize("payload", PAYLOADS)
def test_claims_against_the_rules_are_refused_though_they_are_signed(
    payload: str, keys: Keys, verifier: auth.Verifier
) -> None:
    assert refused(verifier, signed(keys, PAYLOADS[payload])) == "TOKEN_INVALID"


@pytest.mark.parametrize("audience", [None, {"langganan": 1}, [["langganan"]], "langganan2", ["other"]])
def test_an_audience_that_is_not_ours_is_refused(audience: Any, keys: Keys, verifier: auth.Verifier) -> None:
    assert refused(verifier, signed(keys, {**CLAIMS, "aud": audience})) == "TOKEN_WRONG_AUDIENCE"


@pytest.mark.parametrize("token", ["", ".", "..", "a.b.c.d.e", "{}", "é.é.é", "\ud800.a.b", "x" * 100_000])
def test_what_is_no_token_is_refused(token: str, verifier: auth.Verifier) -> None:
    assert refused(verifier, token) == "TOKEN_INVALID"


def test_a_good_token_is_believed_and_remembered_within_bounds(
    keys: Keys, verifier: auth.Verifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "_CACHE_MAX", 3)
    for number in range(10):
        token = signed(keys, {**CLAIMS, "sub": f"till-{number}"})
        assert verifier.verify(f"Bearer {token}", None).subject == f"till-{number}"
        assert len(verifier._seen) <= 3
        refused(verifier, token + "x")
        assert len(verifier._seen) <= 3


def test_a_remembered_token_still_expires(
    keys: Keys, verifier: auth.Verifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = signed(keys, CLAIMS)
    verifier.verify(f"Bearer {token}", None)
    later: Callable[[], float] = lambda: CLAIMS["exp"] + 31.0  # type: ignore[operator]  # noqa: E731
    monkeypatch.setattr(time, "time", later)
    assert refused(verifier, token) == "TOKEN_EXPIRED"
    assert not verifier._seen


def test_keys_that_cannot_be_read_for_a_while_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = Keys(tmp_path)
    verifier = auth.Verifier([keys.jwks], "langganan")
    monkeypatch.setattr("kit.renewed.LOOK_EVERY_S", 0.0)
    verifier.verify(f"Bearer {signed(keys, CLAIMS)}", None)
    keys.jwks.unlink()
    fresh = signed(keys, {**CLAIMS, "sub": "till-2"})
    assert verifier.verify(f"Bearer {fresh}", None).subject == "till-2"
