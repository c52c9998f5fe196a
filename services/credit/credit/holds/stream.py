"""How the messages of StreamAuthorize wrap what Authorize is asked and answers."""

from __future__ import annotations

from google.rpc import status_pb2

from kit.rpc import Shape
from langganan.credit.v1 import holds_pb2

_USUAL_S = 10.0  # as the service config of the contract gives a single call
_SHOWN = 64


def _seconds(item: holds_pb2.AuthorizeItem) -> float:
    if not item.HasField("timeout"):
        return _USUAL_S
    return item.timeout.seconds + item.timeout.nanos / 1e9


def _answer(
    item: holds_pb2.AuthorizeItem, reply: holds_pb2.AuthorizeResponse
) -> holds_pb2.StreamAuthorizeResponse:
    answer = holds_pb2.AuthorizeAnswer(hold_id=item.authorize.hold_id, authorized=reply)
    return holds_pb2.StreamAuthorizeResponse(answers=[answer])


def _refusal(
    item: holds_pb2.AuthorizeItem | None, status: status_pb2.Status
) -> holds_pb2.StreamAuthorizeResponse:
    hold_id = "" if item is None else item.authorize.hold_id[:_SHOWN]
    answer = holds_pb2.AuthorizeAnswer(hold_id=hold_id, error=status)
    return holds_pb2.StreamAuthorizeResponse(answers=[answer])


SHAPE = Shape(
    items="items", most=100, request="authorize", seconds=_seconds, answer=_answer, refusal=_refusal
)
