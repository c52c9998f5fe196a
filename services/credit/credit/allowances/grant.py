"""GrantAllowance and EndAllowance: what a store may sell blind, from when to when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from credit.allowances import store
from credit.allowances.model import Allowance, AllowanceKey
from credit.errors import AllowanceEnded, AllowanceNotFound
from kit import db
from kit.errors import IdempotencyConflict
from kit.fingerprint import fingerprint


def content_of(wish: Allowance) -> bytes:
    """Return what makes two grants the same."""
    return fingerprint(
        1,
        wish.store_id,
        wish.currency.code,
        wish.currency.digits,
        wish.time_zone,
        wish.amount,
        wish.customer_limit,
        wish.valid_from.isoformat(),
        wish.valid_until.isoformat(),
        wish.staff_ref,
    )


async def grant(conn: db.Conn, wishes: Sequence[Allowance], wait: bool) -> list[Allowance]:
    """Grant one allowance (a list of one); its id orders two who try."""
    del wait
    (wish,) = wishes
    content = content_of(wish)
    if await store.grant(conn, wish, content):
        return [wish]
    if await store.content_of(conn, wish.key) != content:
        raise IdempotencyConflict("allowance", wish.allowance_id)
    return list((await store.read(conn, [wish.key])).values())


@dataclass(frozen=True, slots=True)
class End:
    """An allowance to end at `at`."""

    key: AllowanceKey
    request_id: str
    staff_ref: str
    at: datetime

    @property
    def content(self) -> bytes:
        """What makes two requests the same."""
        return fingerprint(1, self.key.allowance_id, self.staff_ref)


async def end(conn: db.Conn, ends: Sequence[End], wait: bool) -> list[Allowance]:
    """End one allowance (a list of one); its own lock orders it with what is taken of it."""
    del wait
    (wish,) = ends
    await store.lock(conn, [wish.key])
    before = await store.queries.find_end(conn, merchant_id=wish.key.merchant_id, request_id=wish.request_id)
    if before is not None and before["end_fingerprint"] != wish.content:
        raise IdempotencyConflict("request", wish.request_id)
    allowance = (await store.read(conn, [wish.key])).get(wish.key)
    if allowance is None:
        raise AllowanceNotFound(wish.key.allowance_id)
    if before is not None:
        return [allowance]
    if wish.at >= allowance.ends_at:
        raise AllowanceEnded(wish.key.allowance_id)
    try:
        await store.queries.end_early(
            conn,
            merchant_id=wish.key.merchant_id,
            allowance_id=wish.key.allowance_id,
            at=wish.at,
            staff_ref=wish.staff_ref,
            request_id=wish.request_id,
            fingerprint=wish.content,
        )
    except asyncpg.UniqueViolationError as error:  # the id ended another allowance in this very moment
        raise IdempotencyConflict("request", wish.request_id) from error
    return list((await store.read(conn, [wish.key])).values())
