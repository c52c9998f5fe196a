"""What notify publishes: topic `notify`, key the customer."""

from __future__ import annotations

from datetime import datetime

from kit.events import Outgoing
from langganan.events.v1 import notify_pb2

TOPIC = "notify"


def delivered(
    *, merchant_id: str, customer_id: str, message_id: str, kind: str, channel: str, cause: str, at: datetime
) -> Outgoing:
    """message-delivered: a channel accepted a message."""
    payload = notify_pb2.MessageDelivered(
        merchant_id=merchant_id,
        customer_id=customer_id,
        message_id=message_id,
        kind=kind,
        channel=channel,
        cause=cause,
    )
    payload.delivered_at.FromDatetime(at)
    return Outgoing("message-delivered", merchant_id, customer_id, payload, at)


def failed(
    *,
    merchant_id: str,
    customer_id: str,
    message_id: str,
    kind: str,
    channel: str,
    cause: str,
    reason: str,
    at: datetime,
) -> Outgoing:
    """message-failed: a message was tried and given up."""
    payload = notify_pb2.MessageFailed(
        merchant_id=merchant_id,
        customer_id=customer_id,
        message_id=message_id,
        kind=kind,
        channel=channel,
        cause=cause,
        reason=reason,
    )
    payload.failed_at.FromDatetime(at)
    return Outgoing("message-failed", merchant_id, customer_id, payload, at)
