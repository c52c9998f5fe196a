"""The requests in which staff write why, each with the client's method that takes it."""

from __future__ import annotations

from kit.ids import new_uuid
from langganan.loyalty.v1 import accounts_pb2, tiers_pb2


def adjusting(customer, reason):
    return accounts_pb2.AdjustPointsRequest(
        adjustment_id=new_uuid(), customer_id=customer, points=5, reason=reason
    )


def pinning(customer, reason):
    return tiers_pb2.SetTierRequest(request_id=new_uuid(), customer_id=customer, tier="VIP", reason=reason)


WRITING = {
    ("AdjustPoints", "reason"): lambda loyalty: (loyalty.accounts.AdjustPoints, adjusting),
    ("SetTier", "reason"): lambda loyalty: (loyalty.tiers.SetTier, pinning),
}
