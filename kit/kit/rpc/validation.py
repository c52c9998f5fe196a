"""Checks every request against the rules written in its .proto (protovalidate)."""

from __future__ import annotations

from typing import Any

import grpc
from protovalidate import Validator

from kit.rpc.errors import BadRequest
from kit.rpc.unary import Behaviour, UnaryInterceptor

_MAX_VIOLATIONS = 20


class ValidationInterceptor(UnaryInterceptor):
    """One validator for the process: it keeps the compiled rules."""

    def __init__(self) -> None:
        super().__init__()
        self._validator = Validator()

    def wrap(self, method: str, behaviour: Behaviour) -> Behaviour:
        """Return `behaviour`, refused with INVALID_FIELDS when the request breaks a rule."""
        if not method.startswith("/langganan."):
            return behaviour

        async def validated(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            violations = self._validator.collect_violations(request)
            if violations:
                raise BadRequest([_words(v) for v in violations[:_MAX_VIOLATIONS]])
            return await behaviour(request, context)

        return validated


def _words(violation: Any) -> tuple[str, str]:
    """Return (field path, what it must be)."""
    proto = violation.proto
    path = ""
    for element in proto.field.elements if proto.field else ():
        path += ("." if path else "") + element.field_name
        subscript = getattr(element, "subscript", None)
        if subscript is not None and getattr(subscript, "field", "") == "index":
            path += f"[{subscript.value}]"
    return path, proto.message or proto.rule_id
