"""Every method of the contract as the descriptors tell it, and a way to call any of them with any token."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio
from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

from kit.testing import error_info
from langganan.options.v1 import scope_pb2
from local.tokens import contract_files

Metadata = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Method:
    """One method. `name` is short: "credit.v1.HoldService/Capture"."""

    name: str
    scope: str
    descriptor: MethodDescriptor

    @property
    def service(self) -> str:
        """The process that answers it, for example "credit"."""
        return self.name.split(".")[0]

    def request(self, content: Mapping[str, Any]) -> Message:
        """Return a request from its JSON form; fail where the contract knows no such field."""
        request_class = message_factory.GetMessageClass(self.descriptor.input_type)
        return json_format.ParseDict(content, request_class())


def every_method() -> dict[str, Method]:
    """Return all methods of all services in the generated stubs, by short name."""
    found: dict[str, Method] = {}
    for file in contract_files():
        for service in file.services_by_name.values():
            for method in service.methods:
                name = f"{service.full_name.removeprefix('langganan.')}/{method.name}"
                scope = method.GetOptions().Extensions[scope_pb2.scope]
                found[name] = Method(name, scope, method)
    return found


METHODS = every_method()


@dataclass(frozen=True)
class Outcome:
    """What became of a call: OK with its replies (one, or a stream's), or refused with code and reason."""

    code: grpc.StatusCode
    reason: str = ""
    replies: tuple[Message, ...] = ()
    detail: str = ""

    @property
    def ok(self) -> bool:
        """Whether it was answered."""
        return self.code is grpc.StatusCode.OK

    def text(self) -> str:
        """All that came back, readable."""
        return "\n".join(map(str, self.replies))


class Door:
    """The four services' doors, for whoever knocks: once, or with `options` that tell a channel to repeat."""

    def __init__(self, addresses: Mapping[str, str], options: Sequence[tuple[str, Any]] = ()) -> None:
        self._channels = {
            name: grpc.aio.insecure_channel(target, options=list(options))
            for name, target in addresses.items()
        }

    async def close(self) -> None:
        """Close the channels."""
        for channel in self._channels.values():
            await channel.close(None)

    async def knock(self, method: Method, request: Message, metadata: Metadata) -> Outcome:
        """Call a method once, a stream with one item, and tell what became of it."""
        service, name = method.name.split("/")
        channel = self._channels[method.service]
        start: Any = channel.unary_unary
        asked: Any = request
        if method.descriptor.client_streaming:
            start, asked = channel.stream_stream, iter([request])
        elif method.descriptor.server_streaming:
            start = channel.unary_stream
        call: Any = start(
            f"/langganan.{service}/{name}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=message_factory.GetMessageClass(method.descriptor.output_type).FromString,
        )(asked, metadata=metadata, timeout=20)
        try:
            if method.descriptor.server_streaming:
                replies = tuple([reply async for reply in call])
            else:
                replies = (await call,)
        except grpc.aio.AioRpcError as error:
            return Outcome(error.code(), str(error_info(error).reason), detail=error.details() or "")
        return Outcome(grpc.StatusCode.OK, "", replies)


def fresh() -> str:
    """A new id, as a till makes them."""
    return str(uuid.uuid4())


def bearer(token: str, **more: str) -> Metadata:
    """Metadata that shows a token; underscores of further names become hyphens."""
    pairs = {"authorization": f"Bearer {token}", **more}
    return tuple((name.replace("_", "-"), value) for name, value in pairs.items())
