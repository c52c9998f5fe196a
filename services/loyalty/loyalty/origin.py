"""Where a request came from, as it is kept with what it did: a serialized types.v1.Origin."""

from __future__ import annotations

from kit import pan
from langganan.types.v1.origin_pb2 import Origin


def kept(origin: Origin) -> bytes:
    """Return what to store of an origin, empty when the caller gave none; raises PAN_NOT_ALLOWED."""
    pan.refuse([origin.store_id, origin.register_id, origin.staff_ref])
    return origin.SerializeToString()
