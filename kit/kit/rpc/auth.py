"""Checks the token and the scope that the method declares; health and reflection need none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import grpc

from kit import auth
from kit.errors import Unauthenticated
from kit.rpc.interceptor import Behaviour, Interceptor

_DECIDES = ("authorization", auth.MERCHANT_METADATA)


class AuthInterceptor(Interceptor):
    """`scopes` maps "/package.Service/Method" to the scope it needs; others pass without a token."""

    def __init__(self, verifier: auth.Verifier, scopes: Mapping[str, str]) -> None:
        super().__init__()
        self._verifier = verifier
        self._scopes = scopes

    def wrap(self, method: str, behaviour: Behaviour) -> Behaviour:
        """Return `behaviour` with the caller known and allowed."""
        scope = self._scopes.get(method)
        if scope is None:
            return behaviour

        async def allowed(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            metadata = _once(context.invocation_metadata() or ())
            language = "en" if metadata.get("accept-language", "").lower().startswith("en") else "id"
            who = self._verifier.verify(
                metadata.get("authorization"), metadata.get(auth.MERCHANT_METADATA), language
            )
            who.require(scope)
            auth.set_caller(who)
            return await behaviour(request, context)

        return allowed


def _once(pairs: Iterable[tuple[str, str | bytes]]) -> dict[str, str]:
    """Return the texts of the metadata; raise where what decides is sent twice.

    Whoever stands between may have checked the one, and we would believe the other.
    """
    found: dict[str, str] = {}
    for name, value in pairs:
        if not isinstance(value, str):
            continue
        if name in found and name in _DECIDES:
            raise Unauthenticated(f"metadata {name} is sent twice; send it once", reason="METADATA_REPEATED")
        found[name] = value
    return found
