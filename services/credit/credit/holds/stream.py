"""How the messages of StreamAuthorize wrap what Authorize is asked and answers."""

from __future__ import annotations

from google.rpc import status_pb2

from kit.rpc import Shape
from langganan.credit.v1 import holds_pb2

_USUAL_S = 10.0  # as the service config of the contract gives a single call
_SHOWN = 64


def _seconds(message: holds_pb2.StreamAuthorizeRequest) -> float:
    if not message.HasField("timeout"):
        return _USUAL_S
    return message.timeout.seconds + message.timeout.nanos / 1e9


def _answer(
    message: holds_pb2.StreamAuthorizeRequest, reply: holds_pb2.AuthorizeResponse
) -> holds_pb2.StreamAuthorizeResponse:
    return holds_pb2.StreamAuthorizeResponse(hold_id=message.authorize.hold_id, authorized=reply)


def _refusal(
    message: holds_pb2.StreamAuthorizeRequest | None, status: status_pb2.Status
) -> holds_pb2.StreamAuthorizeResponse:
    hold_id = "" if message is None else message.authorize.hold_id[:_SHOWN]
    return holds_pb2.StreamAuthorizeResponse(hold_id=hold_id, error=status)


SHAPE = Shape(request="authorize", seconds=_seconds, answer=_answer, refusal=_refusal)
