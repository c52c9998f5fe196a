"""ResolveException: staff have dealt with something that was posted all the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from credit.accounts import store as accounts
from credit.accounts.model import Key
from credit.errors import ExceptionNotFound, ExceptionResolved
from credit.invoices import store
from credit.invoices.model import Marked
from kit import db
from kit.errors import IdempotencyConflict
from kit.fingerprint import fingerprint


@dataclass(frozen=True, slots=True)
class Resolution:
    """What was done about an exception."""

    key: Key
    request_id: str
    exception_id: str
    note: str
    staff_ref: str
    at: datetime

    @property
    def content(self) -> bytes:
        """What makes two requests the same."""
        return fingerprint(1, self.key.customer_id, self.exception_id, self.note, self.staff_ref)


async def resolve(conn: db.Conn, resolutions: Sequence[Resolution], wait: bool) -> list[Marked]:
    """Resolve one exception (a list of one); the account's lock orders two who try, else its own."""
    (wish,) = resolutions
    if wish.key.customer_id:
        await accounts.lock(conn, [wish.key], wait=wait)
    else:
        await store.queries.lock_exception(
            conn, merchant_id=wish.key.merchant_id, exception_id=wish.exception_id
        )
    row = await store.queries.find_exception(
        conn, merchant_id=wish.key.merchant_id, exception_id=wish.exception_id
    )
    before = await store.queries.find_resolution(
        conn, merchant_id=wish.key.merchant_id, request_id=wish.request_id
    )
    if before is not None and before["fingerprint"] != wish.content:
        raise IdempotencyConflict("request", wish.request_id)
    # Nobody's exceptions have no account; a shop's word about them is about no customer.
    owner = (await accounts.read(conn, [wish.key])).get(wish.key)
    if row is None or row["customer_id"] != (owner.customer_id if owner else wish.key.customer_id):
        raise ExceptionNotFound(wish.exception_id)
    if before is not None:
        return [store.decode_marked(row)]
    if row["resolved_at"] is not None:
        raise ExceptionResolved(wish.exception_id)
    try:
        resolved = await store.queries.resolve(
            conn,
            merchant_id=wish.key.merchant_id,
            exception_id=wish.exception_id,
            at=wish.at,
            note=owner.kept(wish.note) if owner else wish.note,
            staff_ref=wish.staff_ref,
            request_id=wish.request_id,
            fingerprint=wish.content,
        )
    except asyncpg.UniqueViolationError as error:  # the id resolved another exception in this very moment
        raise IdempotencyConflict("request", wish.request_id) from error
    return [store.decode_marked(resolved)]
