"""Checks every request against the rules written in its .proto (protovalidate), and for NUL in its texts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
from protovalidate import Validator

from kit.rpc.errors import BadRequest
from kit.rpc.interceptor import Behaviour, Interceptor

_MAX_VIOLATIONS = 20


class Rules:
    """One validator for the process: it keeps the compiled rules."""

    def __init__(self) -> None:
        self._validator = Validator()

    def check(self, request: Any, within: str = "") -> None:
        """Raise INVALID_FIELDS where a request breaks a rule; paths are told without the prefix `within`."""
        violations = [_words(v) for v in self._validator.collect_violations(request)]
        if _may_hold_nul(request):
            violations += [(path, "must not hold the character NUL") for path in _with_nul(request)]
        if violations:
            told = violations[:_MAX_VIOLATIONS]
            raise BadRequest([(path.removeprefix(within), text) for path, text in told])


class ValidationInterceptor(Interceptor):
    """Checks the request of a call."""

    at_open = False

    def __init__(self, rules: Rules) -> None:
        super().__init__()
        self._rules = rules

    def wrap(self, method: str, behaviour: Behaviour) -> Behaviour:
        """Return `behaviour`, refused with INVALID_FIELDS when the request breaks a rule."""
        if not method.startswith("/langganan."):
            return behaviour

        async def validated(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            self._rules.check(request)
            return await behaviour(request, context)

        return validated


def _may_hold_nul(request: Any) -> bool:
    """Tell cheaply whether to look closer: Postgres keeps no NUL, so a sale with one would park its customer.

    An empty message is a zero byte as well; the text form, slower, writes a NUL as an escape.
    """
    return b"\0" in request.SerializeToString() and "\\000" in str(request)


def _with_nul(message: Any, prefix: str = "") -> Iterator[str]:
    """Yield the paths of the texts that hold a NUL."""
    for field, value in message.ListFields():
        path = prefix + field.name
        if field.type not in (field.TYPE_STRING, field.TYPE_MESSAGE):
            continue
        if field.type == field.TYPE_MESSAGE and field.message_type.GetOptions().map_entry:
            for key in value:
                yield from _nul_in(key, f"{path}[{key!r}]")
                yield from _nul_in(value[key], f"{path}[{key!r}]")
        elif isinstance(value, str) or hasattr(value, "DESCRIPTOR"):
            yield from _nul_in(value, path)
        else:
            for index, item in enumerate(value):
                yield from _nul_in(item, f"{path}[{index}]")


def _nul_in(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, str):
        if "\0" in value:
            yield path
    elif hasattr(value, "ListFields"):
        yield from _with_nul(value, path + ".")


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
