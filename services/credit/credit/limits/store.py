"""The only code that reads and writes what customers bought, and writes limits that a policy decided."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import NamedTuple

from credit.accounts.model import Account, Key
from credit.limits.model import Spent
from kit import db
from kit.ids import derived_uuid

queries = db.load(__file__)
WHO = "policy"
"""Who changed a limit, in the history."""


async def add(conn: db.Conn, spent: Sequence[Spent]) -> None:
    """Count what was bought and given back; a cause that is counted already is left out."""
    await queries.add(
        conn,
        merchants=[s.key.merchant_id for s in spent],
        customers=[s.key.customer_id for s in spent],
        months=[s.month for s in spent],
        causes=[s.cause_id for s in spent],
        amounts=[s.amount for s in spent],
    )


async def forget(conn: db.Conn, keys: Iterable[Key]) -> None:
    """Forget what customers bought."""
    wanted = list(keys)
    await queries.forget(
        conn, merchants=[k.merchant_id for k in wanted], customers=[k.customer_id for k in wanted]
    )


class Window(NamedTuple):
    """Months: from the first day of one to before the first day of another."""

    since: date
    until: date


async def bought(conn: db.Conn, windows: Mapping[Key, Window]) -> dict[Key, dict[date, int]]:
    """Return what customers, and whom they absorbed, bought in each month of a window; minor units."""
    rows = queries.bought(
        conn,
        merchants=[k.merchant_id for k in windows],
        customers=[k.customer_id for k in windows],
        sinces=[w.since for w in windows.values()],
        untils=[w.until for w in windows.values()],
    )
    found: dict[Key, dict[date, int]] = {key: {} for key in windows}
    async for row in rows:
        found[Key(row["merchant_id"], row["customer_id"])][row["month"]] = row["amount"]
    return found


async def claim(conn: db.Conn, todays: Mapping[str, date], size: int) -> set[Key]:
    """Lock up to `size` accounts whose policy decides their limit again by the local date of their zone.

    Read only in a later statement: it alone sees what the last holder of a lock committed.
    """
    rows = queries.claim(conn, zones=list(todays), todays=list(todays.values()), size=size)
    return {Key(r["merchant_id"], r["customer_id"]) async for r in rows}


async def save(conn: db.Conn, decided: Sequence[tuple[Account, Account]], at: datetime) -> None:
    """Write (before, after) of locked accounts; a changed limit or policy is a change of the account."""
    changed = [(b.limit, b.limit_policy) != (a.limit, a.limit_policy) for b, a in decided]
    revisions = [b.revision + made for (b, _), made in zip(decided, changed, strict=True)]
    await queries.save(
        conn,
        merchants=[a.merchant_id for _, a in decided],
        customers=[a.customer_id for _, a in decided],
        limits=[a.limit for _, a in decided],
        policies=[a.limit_policy for _, a in decided],
        agains=[a.by_policy.again_on if a.by_policy else None for _, a in decided],
        revisions=revisions,
        changed=changed,
        requests=[
            derived_uuid(a.merchant_id, a.customer_id, "LIMIT", str(revision))
            for (_, a), revision in zip(decided, revisions, strict=True)
        ],
        who=WHO,
        at=at,
    )
