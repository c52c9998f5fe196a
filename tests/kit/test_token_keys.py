"""Signing keys of tokens are changed while everything serves, in the order of docs/operations/keys.md."""

import json
from pathlib import Path

import pytest

from kit import auth
from kit.testing import Keys, eventually

ISSUER = "https://kubernetes.example"


def good(verifier: auth.Verifier, token: str, merchant: str | None = None) -> bool:
    try:
        verifier.verify(f"Bearer {token}", merchant)
    except auth.Unauthenticated:
        return False
    return True


def published(*keys: Keys) -> str:
    """A JWKS with the keys of all of these."""
    return json.dumps({"keys": [key for one in keys for key in json.loads(one.jwks.read_text())["keys"]]})


@pytest.mark.parametrize("whose", ["tills", "services"])
async def test_a_signing_key_is_changed_without_a_refusal_and_the_old_one_ends(
    whose: str, tmp_path: Path
) -> None:
    old, new, nobody = (Keys(tmp_path / name, kid=name) for name in ("old", "new", "nobody"))
    file = tmp_path / "jwks.json"
    file.write_text(published(old))
    if whose == "tills":
        verifier, merchant = auth.Verifier([file], "langganan"), None
        before, after = old.token(), new.token()
    else:
        verifier = auth.Verifier([nobody.jwks], "langganan", cluster_issuer=ISSUER, cluster_jwks_files=[file])
        merchant = "toko"
        before, after = (keys.token(merchant=None, issuer=ISSUER) for keys in (old, new))
    assert good(verifier, before, merchant)
    assert not good(verifier, after, merchant), "whoever signs too early is refused"

    file.write_text(published(old, new))  # 1. both are known
    assert await eventually(lambda: good(verifier, after, merchant), within=5)
    assert good(verifier, before, merchant)  # 2. the issuer signs with the new one; old tokens run out

    file.write_text(published(new))  # 3. the old one is removed
    assert await eventually(lambda: not good(verifier, before, merchant), within=5), "at once, cached or not"
    assert good(verifier, after, merchant)


def test_two_keys_under_one_name_are_told_apart_by_nobody(tmp_path: Path) -> None:
    old, new = Keys(tmp_path / "old", kid="signing"), Keys(tmp_path / "new", kid="signing")
    file = tmp_path / "jwks.json"
    file.write_text(published(old, new))
    verifier = auth.Verifier([file], "langganan")
    assert [good(verifier, keys.token()) for keys in (old, new)] == [True, False]
