"""G: a bare grpc.aio echo, unary and of streams: what any service in Python pays before it does anything.

    python -m bench.echo

It has no interceptors, decodes nothing, and answers with as many bytes as the service would. Its first
answer says where it listens.
"""

from __future__ import annotations

from typing import Any

import grpc
import grpc.aio
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money

from bench.child import Answer, answer_lines
from langganan.credit.v1 import holds_pb2

_MONEY = Money(currency_code="IDR", units=1_000)
_AT = Timestamp(seconds=1_790_000_000, nanos=123_456_000)
_REPLY = holds_pb2.AuthorizeResponse(
    hold=holds_pb2.Hold(
        hold_id="0b9e3a52-7c1d-4f6e-9a2b-3c4d5e6f7a8b",
        customer_id="0123456789ABC",
        state=holds_pb2.HOLD_STATE_PENDING,
        amount=_MONEY,
        decided_at=_AT,
        expires_at=_AT,
    ),
    available=Money(currency_code="IDR", units=10**14),
)
REPLY = _REPLY.SerializeToString()
STREAM_REPLY = holds_pb2.StreamAuthorizeResponse(
    answers=[holds_pb2.AuthorizeAnswer(hold_id=_REPLY.hold.hold_id, authorized=_REPLY)]
).SerializeToString()


async def _echo(request: bytes, context: Any) -> bytes:
    return REPLY


async def _echo_stream(_: Any, context: Any) -> None:
    while await context.read() is not grpc.aio.EOF:  # type: ignore[attr-defined]  # left out of the stubs
        await context.write(STREAM_REPLY)


class Echo:
    """The server, held for as long as its process answers."""

    def __init__(self) -> None:
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        methods = {
            "Authorize": grpc.unary_unary_rpc_method_handler(_echo),
            "StreamAuthorize": grpc.stream_stream_rpc_method_handler(_echo_stream),
        }
        service = grpc.method_handlers_generic_handler("langganan.credit.v1.HoldService", methods)
        self._server.add_generic_rpc_handlers((service,))
        self._port = self._server.add_insecure_port("127.0.0.1:0")

    async def answer(self, command: dict[str, Any]) -> dict[str, Any]:
        """Say where it listens."""
        return {"target": f"127.0.0.1:{self._port}", "reply_bytes": len(REPLY)}

    @classmethod
    async def prepare(cls) -> Answer:
        """Start it."""
        echo = cls()
        await echo._server.start()
        return echo.answer


if __name__ == "__main__":
    answer_lines(Echo.prepare)
