"""EraseCustomer between its messages and the steps."""

from __future__ import annotations

from datetime import datetime

from customers.erasures.store import Ask, Erasure
from customers.instants import stamp
from customers.profiles.decode import origin_key
from kit import auth, pan
from kit.ids import canonical_uuid, check_customer_id
from langganan.customers.v1 import erasures_pb2


def ask(request: erasures_pb2.EraseCustomerRequest, now: datetime, lease_s: float) -> Ask:
    """Decode a wish; `lease_s`: how long the sweep leaves it to this call, wall time."""
    who, customer_id = auth.caller(), check_customer_id(request.customer_id)
    pan.refuse([request.reason])
    return Ask(
        key=(who.merchant_id, customer_id),
        request_id=canonical_uuid(request.request_id, "request_id"),
        reason=request.reason,
        subject=who.subject,
        origin=request.origin.SerializeToString(),
        till=origin_key(request.origin),
        now=now,
        lease_s=lease_s,
    )


def answer(erasure: Erasure) -> erasures_pb2.EraseCustomerResponse:
    """Tell how far an erasure has come."""
    return erasures_pb2.EraseCustomerResponse(
        customer_id=erasure.key[1],
        state=erasures_pb2.ErasureState.Value("ERASURE_STATE_" + erasure.state),
        asked_at=stamp(erasure.asked_at),
        erased_at=stamp(erasure.erased_at),
    )
