"""What a refused call says of itself."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import grpc.aio
from google.rpc import error_details_pb2
from grpc_status import rpc_status


def error_info(error: grpc.aio.AioRpcError) -> Any:
    """Return the google.rpc.ErrorInfo of a failed call; fail where there is none."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # the stubs know no aio error
    for detail in status.details if status is not None else ():
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            return info
    raise AssertionError(f"no ErrorInfo in {error}")


async def refusal(call: Awaitable[Any]) -> Any:
    """Return the ErrorInfo with which a call is refused; fail where it is answered."""
    try:
        answer = await call
    except grpc.aio.AioRpcError as error:
        return error_info(error)
    raise AssertionError(f"answered instead of refused: {answer}")
