"""The only code that reads and writes holds, and the held that accounts cache of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from credit.accounts import store as accounts
from credit.accounts.model import Account, Key
from credit.holds.model import Hold, HoldKey, Reason, State, Till
from kit import db

queries = db.load(__file__)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a request before it is decided.

    Its account, the hold of its id, and when the longest due of the account's open invoices is due.
    """

    account: Account | None
    hold: Hold | None
    oldest_due: date | None

    @property
    def store_limited(self) -> bool:
        """Whether some stores have a limit of their own on the account."""
        return self.account is not None and self.account.store_limited

    @property
    def merged_into(self) -> Key | None:
        """The account that the one asked for was merged into."""
        if self.account is None or not self.account.merged_into:
            return None
        return Key(self.account.merchant_id, self.account.merged_into)


async def read_for_authorize(
    conn: db.Conn, asked: Sequence[tuple[Key, str]], at: datetime
) -> tuple[list[Known], dict[str, int]]:
    """Return what is known of each (account, hold id), and each merchant's policy version in force at `at`.

    In one statement; the accounts are locked. Version 0: the merchant has set no policy.
    """
    shops = sorted({key.merchant_id for key, _ in asked})
    rows = queries.read_for_authorize(
        conn,
        shops=shops,
        at=at,
        merchants=[key.merchant_id for key, _ in asked],
        customers=[key.customer_id for key, _ in asked],
        hold_ids=[hold_id for _, hold_id in asked],
    )
    versions: dict[str, int] = {}
    known: list[Known] = []
    async for row in rows:
        if row["policy_versions"] is not None:
            versions = dict(zip(shops, row["policy_versions"], strict=True))
        known.append(
            Known(
                None if row["status"] is None else accounts.decode(row),
                None if row["state"] is None else decode(row),
                row["oldest_due"],
            )
        )
    return known, versions


async def read(conn: db.Conn, keys: Iterable[HoldKey]) -> dict[HoldKey, Hold]:
    """Return the holds that exist."""
    wanted = list(keys)
    rows = queries.read(conn, merchants=[k.merchant_id for k in wanted], hold_ids=[k.hold_id for k in wanted])
    found = [decode(row) async for row in rows]
    return {hold.key: hold for hold in found}


async def store_of(conn: db.Conn, key: HoldKey) -> str:
    """Return the store at which a hold that exists was decided; empty: at none."""
    return str(await queries.store_of(conn, merchant_id=key.merchant_id, hold_id=key.hold_id))


def decode(row: Any) -> Hold:
    """Return the hold in a row of a query here; its till stays in the table."""
    return Hold(
        merchant_id=row["hold_merchant_id"],
        hold_id=str(row["hold_id"]),
        customer_id=row["hold_customer_id"],
        state=State(row["state"]),
        amount=row["amount"],
        decided_at=row["decided_at"],
        expires_at=row["expires_at"],
        captured=row["captured"],
        reason=Reason(row["reason"]) if row["reason"] else None,
        available=row["available"],
        invoice_id=None if row["invoice_id"] is None else str(row["invoice_id"]),
        fingerprint=row["fingerprint"],
        allowance_id=None if row["allowance_id"] is None else str(row["allowance_id"]),
    )


async def add(conn: db.Conn, holds: Sequence[Hold]) -> set[HoldKey]:
    """Write new holds of locked accounts; return those written: another customer may have taken an id."""
    if not holds:
        return set()
    rows = queries.add(
        conn,
        merchants=[h.merchant_id for h in holds],
        hold_ids=[h.hold_id for h in holds],
        customers=[h.customer_id for h in holds],
        states=[h.state for h in holds],
        amounts=[h.amount for h in holds],
        reasons=[h.reason or "" for h in holds],
        available=[h.available for h in holds],
        fingerprints=[h.fingerprint for h in holds],
        stores=[h.till.store_id for h in holds],
        registers=[h.till.register_id for h in holds],
        staff=[h.till.staff_ref for h in holds],
        recognised=[h.till.recognised_by for h in holds],
        origins=[h.till.origin or None for h in holds],
        decided_at=[h.decided_at for h in holds],
        expires_at=[h.expires_at for h in holds],
        store_limited=[h.store_limited for h in holds],
    )
    return {HoldKey(r["merchant_id"], str(r["hold_id"])) async for r in rows}


async def put_under(conn: db.Conn, allowance_id: str, holds: Iterable[HoldKey]) -> None:
    """Note under which allowance new holds were made: apart from `add`, whose every hold would pay for it."""
    keys = list(holds)
    await queries.put_under(
        conn,
        allowance_id=allowance_id,
        merchants=[k.merchant_id for k in keys],
        hold_ids=[k.hold_id for k in keys],
    )


async def close(conn: db.Conn, closed: Sequence[tuple[Hold, Hold]]) -> None:
    """Write (before, after) of holds that leave PENDING, and release what they kept aside."""
    if not closed:
        return
    await queries.close(
        conn,
        merchants=[after.merchant_id for _, after in closed],
        hold_ids=[after.hold_id for _, after in closed],
        states=[after.state for _, after in closed],
        captured=[after.captured for _, after in closed],
        invoices=[after.invoice_id for _, after in closed],
        origins=[after.closed_by.origin if after.closed_by else None for _, after in closed],
        released=[before.held - after.held for before, after in closed],
    )


async def claim_lapsed(conn: db.Conn, until: datetime, size: int) -> set[Key]:
    """Lock up to `size` accounts with pending holds that are over at `until`; read in a later statement."""
    rows = queries.claim_lapsed(conn, until=until, size=size)
    return {Key(r["merchant_id"], r["customer_id"]) async for r in rows}


async def lapsed(conn: db.Conn, keys: Iterable[Key], until: datetime) -> list[tuple[Hold, bool]]:
    """Return the pending holds of locked accounts over at `until`, and whether their customer is parked."""
    wanted = list(keys)
    rows = queries.lapsed(
        conn,
        merchants=[k.merchant_id for k in wanted],
        customers=[k.customer_id for k in wanted],
        until=until,
    )
    return [(decode(row), row["parked"]) async for row in rows]


async def is_due_between(conn: db.Conn, after: datetime, until: datetime) -> bool:
    """Tell whether a hold that nothing parked protects is over after one instant and by another."""
    return bool(await queries.is_due_between(conn, after=after, until=until))


async def keep(conn: db.Conn, hold: Hold, till: Till) -> None:
    """Write until when a pending hold of a locked account is kept, and which till had it kept."""
    await queries.keep(
        conn,
        merchant_id=hold.merchant_id,
        hold_id=hold.hold_id,
        expires_at=hold.expires_at,
        origin=till.origin,
    )
