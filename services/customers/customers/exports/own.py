"""What customers itself knows of a person: opened from the vault, and its own tables."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import datetime

from google.protobuf.message import Message

from customers.contacts.consents import Consents
from customers.exports.tables import ACCESS_LOG, CONSENTS, TABLES
from customers.merchants.store import Shops
from customers.profiles import encode, reading
from customers.vault.read import Reader
from customers.vault.vault import Vault
from kit import db, export
from kit.paging import MAX_PAGE

Batch = list[tuple[str, str]]  # (kind, JSON)
ACTION = "EXPORT"


class Own:
    """Yields batches of (kind, JSON); the first read is written to the access log before it."""

    def __init__(self, pool: db.Pool, vault: Vault, shops: Shops) -> None:
        self._pool, self._vault, self._shops = pool, vault, shops
        self._consents = Consents(pool, vault, shops)

    async def batches(
        self, customer_id: str, who: Reader, reason: str, now: datetime
    ) -> AsyncIterator[Batch]:
        """Raises CUSTOMER_NOT_FOUND, MERCHANT_NOT_SET."""
        async with self._pool.acquire(timeout=5) as conn:
            shop = await self._shops.one(conn, who.merchant_id, "", now)
        profile = await reading.profile(self._pool, self._vault, customer_id, who, ACTION, reason)
        yield [("profile", _json(encode.customer(profile, shop.currency)))]
        async for batch in export.batches(self._pool, TABLES, who.merchant_id, customer_id):
            yield batch
        async for batch in self._evidence(customer_id, who):
            yield batch
        async for batch in export.batches(self._vault.pool, [ACCESS_LOG], who.merchant_id, customer_id):
            yield batch

    async def _evidence(self, customer_id: str, who: Reader) -> AsyncIterator[Batch]:
        """Consents with their addresses, newest first; of an erased person without."""
        before: int | None = None
        found = False
        while True:
            page, before = await self._consents.page(customer_id, who, before, MAX_PAGE)
            if page:
                found = True
                yield [("consents", _json(one)) for one in page]
            if before is None:
                break
        if not found:
            async for batch in export.batches(self._vault.pool, [CONSENTS], who.merchant_id, customer_id):
                yield batch


def _json(message: Message) -> str:
    return json.dumps(export.as_dict(message), ensure_ascii=False, separators=(",", ":"))
