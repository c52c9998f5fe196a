"""Asks credit whether anything is still open between the shop and a customer."""

from __future__ import annotations

import grpc
import grpc.aio
from google.type.money_pb2 import Money

from customers.peers import Peer, PeerUnavailable
from langganan.credit.v1 import accounts_pb2, accounts_pb2_grpc


class Balances:
    """A client of credit.AccountService."""

    def __init__(self, credit: Peer) -> None:
        self._credit = credit
        self._stub: accounts_pb2_grpc.AccountServiceAsyncStub = accounts_pb2_grpc.AccountServiceStub(
            credit.channel
        )

    async def settled(self, merchant_id: str, customer_id: str) -> bool:
        """Tell whether nothing is owed and nothing held; raise PEER_UNAVAILABLE.

        A hold counts: the sale that it was made for may be on its way. What the shop owes the customer does
        not: it stays in the books under the neutral id.
        """
        request = accounts_pb2.GetAccountRequest(customer_id=customer_id)
        metadata = self._credit.metadata(merchant_id)
        try:
            answer = await self._stub.GetAccount(request, timeout=self._credit.timeout_s, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return True
            raise PeerUnavailable(self._credit.name, error.code().name) from error
        return not (_positive(answer.account.posted) or _positive(answer.account.held))


def _positive(amount: Money) -> bool:
    return (amount.units, amount.nanos) > (0, 0)
