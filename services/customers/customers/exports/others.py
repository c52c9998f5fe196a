"""What the other services keep of a person, asked of each as a service."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import grpc.aio

from customers.peers import Peer, PeerUnavailable
from langganan.credit.v1 import exports_pb2 as credit_pb2
from langganan.credit.v1 import exports_pb2_grpc as credit_grpc
from langganan.loyalty.v1 import exports_pb2 as loyalty_pb2
from langganan.loyalty.v1 import exports_pb2_grpc as loyalty_grpc
from langganan.notify.v1 import exports_pb2 as notify_pb2
from langganan.notify.v1 import exports_pb2_grpc as notify_grpc

Batch = list[tuple[str, str]]  # (kind, JSON)


class Others:
    """Clients of the ExportService of loyalty, credit and notify; `timeout_s` for each whole stream."""

    def __init__(self, peers: Mapping[str, Peer], timeout_s: float) -> None:
        self._timeout_s = timeout_s
        loyalty, credit, notify = (peers[name] for name in ("loyalty", "credit", "notify"))
        self._clients: list[tuple[Peer, Any, Any]] = [
            (loyalty, loyalty_grpc.ExportServiceStub(loyalty.channel), loyalty_pb2.ExportCustomerRequest),
            (credit, credit_grpc.ExportServiceStub(credit.channel), credit_pb2.ExportCustomerRequest),
            (notify, notify_grpc.ExportServiceStub(notify.channel), notify_pb2.ExportCustomerRequest),
        ]

    async def batches(self, merchant_id: str, customer_id: str) -> AsyncIterator[tuple[str, Batch]]:
        """Yield (service, batch) of each in turn; raise PEER_UNAVAILABLE, so that nothing is left out."""
        for peer, stub, request in self._clients:
            call = stub.ExportCustomer(
                request(customer_id=customer_id),
                timeout=self._timeout_s,
                metadata=peer.metadata(merchant_id),
            )
            try:
                async for answer in call:
                    yield peer.name, [(record.kind, record.json) for record in answer.records]
            except grpc.aio.AioRpcError as error:
                raise PeerUnavailable(peer.name, error.code().name) from error
            finally:
                call.cancel()
