"""Who calls: JSON Web Tokens verified by JWKS files, and the caller of the present request.

A merchant's token names its merchant. A service token, of the cluster's issuer, has its scopes from
settings and names the merchant in the metadata `langganan-merchant`; no other caller may.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from kit.errors import PermissionDenied, Unauthenticated
from kit.jwks import KeyFiles

MERCHANT_METADATA = "langganan-merchant"
_ALGORITHMS = ["EdDSA", "Ed25519", "ES256", "RS256"]
_CACHE_MAX = 10_000
_LEEWAY_S = 30
# What may name a merchant, everywhere: visible ASCII. And what may name who calls, in logs of access.
_MERCHANT = re.compile(r"[!-~]{1,64}")
_LAST_INSTANT = 253_402_300_800  # the end of the year 9999
_SUBJECT = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,256}")


class TokenExpired(Unauthenticated):
    """It was good once."""

    reason = "TOKEN_EXPIRED"

    def __init__(self) -> None:
        super().__init__("the token has expired; ask for a new one")


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever makes the present call. `language` is what to answer cashiers in: "id" or "en".

    `until` is the Unix time from which the token is refused.
    """

    merchant_id: str
    subject: str
    scopes: frozenset[str]
    is_service: bool = False
    language: str = "id"
    until: float = math.inf

    def require(self, scope: str) -> None:
        """Raise MISSING_SCOPE unless the caller has `scope`."""
        if scope not in self.scopes:
            raise PermissionDenied(
                f"this call needs the scope {scope}; ask for a token that has it",
                reason="MISSING_SCOPE",
                scope=scope,
            )


_CALLER: ContextVar[Caller] = ContextVar("caller")


def caller() -> Caller:
    """Return the caller of the present request; raise LookupError outside of one."""
    return _CALLER.get()


def known() -> Caller | None:
    """Return the caller of the present request; None where nobody has shown a good token."""
    return _CALLER.get(None)


def set_caller(who: Caller) -> None:
    """Note the caller of the present request (the auth interceptor, and tests of stores)."""
    _CALLER.set(who)


@dataclass(frozen=True, slots=True)
class _Verified:
    subject: str
    merchant_id: str | None
    scopes: frozenset[str]
    is_service: bool
    expires_at: float
    # Of a merchant's token, by language: two at most.
    callers: dict[str, Caller] = field(default_factory=dict)


class Verifier:
    """Verifies bearer tokens; verified ones are remembered by hash until they expire."""

    def __init__(
        self,
        jwks_files: Sequence[Path],
        audience: str,
        *,
        cluster_issuer: str = "",
        cluster_jwks_files: Sequence[Path] = (),
        service_scopes: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._seen: OrderedDict[bytes, _Verified] = OrderedDict()
        self._merchants = KeyFiles(jwks_files, self._seen.clear)
        self._cluster = KeyFiles(cluster_jwks_files, self._seen.clear)
        self._audience = audience
        self._cluster_issuer = cluster_issuer
        self._service_scopes = {s: frozenset(v) for s, v in (service_scopes or {}).items()}

    def verify(self, authorization: str | None, merchant: str | None, language: str = "id") -> Caller:
        """Return the caller behind an Authorization value and the merchant metadata, or raise."""
        if not authorization or not authorization.startswith("Bearer "):
            raise Unauthenticated("send metadata authorization: Bearer TOKEN", reason="TOKEN_MISSING")
        keys, cluster_keys = self._merchants.current(), self._cluster.current()
        token = authorization[7:].strip()
        if not token.isascii():
            raise Unauthenticated("the token is no JSON Web Token", reason="TOKEN_INVALID")
        mark = hashlib.sha256(token.encode()).digest()
        known = self._seen.get(mark)
        if known is None:
            known = self._seen[mark] = self._decode(token, keys, cluster_keys)
            if len(self._seen) > _CACHE_MAX:
                self._seen.popitem(last=False)
        if known.expires_at + _LEEWAY_S < time.time():
            del self._seen[mark]
            raise TokenExpired()
        return self._caller(known, merchant, language)

    @staticmethod
    def _caller(known: _Verified, merchant: str | None, language: str) -> Caller:
        until = known.expires_at + _LEEWAY_S
        if known.is_service:
            if not merchant:
                raise Unauthenticated(
                    f"a service names the merchant in metadata {MERCHANT_METADATA}", reason="MERCHANT_MISSING"
                )
            if not _MERCHANT.fullmatch(merchant):
                raise Unauthenticated(
                    f"metadata {MERCHANT_METADATA} is 1 to 64 visible ASCII characters",
                    reason="MERCHANT_INVALID",
                )
            return Caller(merchant, known.subject, known.scopes, True, language, until)
        if merchant is not None:
            raise PermissionDenied(
                f"only services may send metadata {MERCHANT_METADATA}; the token names the merchant",
                reason="MERCHANT_NOT_ALLOWED",
            )
        assert known.merchant_id is not None
        who = known.callers.get(language)
        if who is None:
            who = Caller(known.merchant_id, known.subject, known.scopes, False, language, until)
            known.callers[language] = who
        return who

    def _decode(self, token: str, keys: KeySet, cluster_keys: KeySet) -> _Verified:
        # Whose keys must have signed it follows from who it says issued it: nobody signs for the cluster.
        of_cluster = bool(self._cluster_issuer) and _issuer(token) == self._cluster_issuer
        try:
            claims = jwt.decode(token, cluster_keys if of_cluster else keys, algorithms=_ALGORITHMS).claims
        except (JoseError, ValueError, RecursionError) as error:
            raise Unauthenticated(
                "the token is not signed by a key known here; ask for a new one", reason="TOKEN_INVALID"
            ) from error
        audience = claims.get("aud")
        if self._audience not in (audience if isinstance(audience, list) else [audience]):
            raise Unauthenticated(
                f"the token is for another audience, not {self._audience}", reason="TOKEN_WRONG_AUDIENCE"
            )
        expires_at, begins_at = _instant(claims, "exp"), _instant(claims, "nbf")
        subject = claims.get("sub")
        if expires_at is None or not isinstance(subject, str) or not _SUBJECT.fullmatch(subject):
            raise Unauthenticated("the token has no sub or exp", reason="TOKEN_INVALID")
        if begins_at is not None and begins_at > time.time() + _LEEWAY_S:
            raise Unauthenticated("the token is not valid yet", reason="TOKEN_INVALID")
        if of_cluster:
            scopes = self._service_scopes.get(subject, frozenset())
            return _Verified(subject, None, scopes, True, expires_at)
        merchant, scope = claims.get("merchant_id"), claims.get("scope", "")
        if not isinstance(merchant, str) or not _MERCHANT.fullmatch(merchant):
            raise Unauthenticated(
                "the token's merchant_id is not 1 to 64 visible ASCII characters", reason="TOKEN_INVALID"
            )
        if not isinstance(scope, str):
            raise Unauthenticated("the token's scope is no text", reason="TOKEN_INVALID")
        return _Verified(subject, merchant, frozenset(scope.split()), False, expires_at)


def _instant(claims: Mapping[str, object], name: str) -> float | None:
    """Return a claim of seconds since 1970, None where it is absent; infinity and NaN never end."""
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < _LAST_INSTANT:
        raise Unauthenticated(f"the token's {name} is no instant", reason="TOKEN_INVALID")
    return float(value)


def _issuer(token: str) -> object:
    """Return the issuer that a token names, not yet verified; None for what is no token."""
    try:
        body = token.split(".")[1]
        return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))).get("iss")
    except (IndexError, ValueError, AttributeError, RecursionError):
        return None
