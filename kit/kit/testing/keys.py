"""Signing keys and tokens for tests."""

from __future__ import annotations

import json
import time
from pathlib import Path

from joserfc import jwt
from joserfc.jwk import OKPKey


class Keys:
    """A signing key of its own, its JWKS file, and tokens under it."""

    def __init__(self, folder: Path, kid: str = "test") -> None:
        self._kid = kid
        self._key = OKPKey.generate_key("Ed25519", parameters={"kid": kid, "use": "sig"})
        folder.mkdir(parents=True, exist_ok=True)
        self.jwks = folder / "jwks.json"
        self.jwks.write_text(json.dumps({"keys": [self._key.as_dict(private=False)]}))

    def token(
        self,
        *,
        merchant: str | None = "toko",
        scopes: str = "",
        subject: str = "till-1",
        audience: str = "langganan",
        issuer: str = "tests",
        expires_in: float = 3600,
    ) -> str:
        """Return a signed token; scopes are separated by spaces."""
        claims = {
            "iss": issuer,
            "aud": audience,
            "sub": subject,
            "scope": scopes,
            "exp": int(time.time() + expires_in),
        }
        if merchant is not None:
            claims["merchant_id"] = merchant
        return jwt.encode({"alg": "Ed25519", "kid": self._kid}, claims, self._key, algorithms=["Ed25519"])
