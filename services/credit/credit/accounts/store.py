"""The only code that locks accounts, and that writes the ledger and the balances cached from it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from credit.accounts.model import Account, Cause, Entry, Key, Made, Override, PolicyLimit, Status, StoreLimit
from credit.errors import AccountNotFound
from credit.pages import BeforeNumber
from kit import db
from kit.errors import IdempotencyConflict
from kit.ids import derived_uuid

queries = db.load(__file__)


def _columns(keys: Iterable[Key]) -> dict[str, list[str]]:
    ordered = sorted(set(keys))
    return {"merchants": [k.merchant_id for k in ordered], "customers": [k.customer_id for k in ordered]}


async def _keys(rows: AsyncIterator[Any]) -> set[Key]:
    return {_key(row) async for row in rows}


def _key(row: Any) -> Key:
    return Key(row["merchant_id"], row["customer_id"])


async def lock(conn: db.Conn, keys: Iterable[Key], *, wait: bool) -> dict[Key, Key]:
    """Lock the accounts of customers, in id order, making the rows that are missing.

    Returns, of those that are ours, customer → account: the survivor's for one that was merged into another.
    The lock of an account guards everything of its customer, and whom that absorbed, for whoever merges it
    further holds it. So an alias itself is never locked. wait=False leaves out what others hold.
    Read only in a later statement: it alone sees what the last holder committed.
    """
    leads = {key: key for key in keys}
    take = queries.lock if wait else queries.lock_free
    ours = await _keys(take(conn, **_columns(leads)))
    while missing := set(leads.values()) - ours:
        made: set[Key] = set()
        merged: dict[Key, Key] = {}
        async for row in queries.add_missing(conn, **_columns(missing)):
            if row["merged_into"]:
                merged[_key(row)] = Key(row["merchant_id"], row["merged_into"])
            else:
                made.add(_key(row))
        ours |= made
        leads = {key: merged.get(account, account) for key, account in leads.items()}
        missing = set(leads.values()) - ours
        if not missing or not (wait or merged):  # what is left is held by others
            break
        # Survivors, and what somebody else made or merged between the statements.
        ours |= await _keys(take(conn, **_columns(missing)))
    return {key: account for key, account in leads.items() if account in ours}


async def read(conn: db.Conn, keys: Iterable[Key]) -> dict[Key, Account]:
    """Return the accounts behind the customers that are known here, UNOPENED ones included.

    That of a customer who was merged into another is the survivor's, and has the survivor's key.
    """
    rows = queries.read(conn, **_columns(keys))
    return {Key(row["merchant_id"], row["asked"]): decode(row) async for row in rows}


async def aliases(conn: db.Conn, key: Key) -> list[Key]:
    """Return who was merged into a customer."""
    rows = queries.aliases(conn, merchant_id=key.merchant_id, customer_id=key.customer_id)
    return [Key(key.merchant_id, row["customer_id"]) async for row in rows]


async def read_open(conn: db.Conn, key: Key) -> Account:
    """Return the open account of a customer, or of the survivor; raise ACCOUNT_NOT_FOUND."""
    account = (await read(conn, [key])).get(key)
    if account is None or not account.is_open:
        raise AccountNotFound(key.customer_id)
    return account


def decode(row: Any) -> Account:
    """Return the account in a row of accounts."""
    return Account(
        merchant_id=row["merchant_id"],
        customer_id=row["customer_id"],
        status=Status(row["status"]),
        currency_code=row["currency_code"],
        minor_digits=row["minor_digits"],
        time_zone=row["time_zone"],
        limit=row["credit_limit"],
        posted=row["posted"],
        held=row["held"],
        credit_balance=row["credit_balance"],
        net_days=row["net_days"],
        due_day=row["due_day"],
        override=_override(row),
        limit_wished=row["limit_wished"],
        erased=row["erased_at"] is not None,
        merged_into=row["merged_into"],
        opened_at=row["opened_at"],
        revision=row["revision"],
        store_limited=row["store_limited"],
        by_policy=PolicyLimit(row["limit_policy"], row["limit_again_on"]) if row["limit_policy"] else None,
    )


def _override(row: Any) -> Override | None:
    until = row["override_until"]
    return None if until is None else Override(row["override_limit"], until)


async def zones(conn: db.Conn) -> list[str]:
    """Return the time zones that accounts are in."""
    return [row["time_zone"] async for row in queries.zones(conn)]


async def overdue(conn: db.Conn, account: Account, today: date) -> tuple[int, date | None]:
    """Return what of the account is past its due date on a local day, minor units, and since when."""
    found = await queries.overdue(
        conn, merchant_id=account.merchant_id, customer_id=account.customer_id, today=today
    )
    return found["amount"], found["oldest_due"]


async def is_booked(conn: db.Conn, account: Account) -> bool:
    """Tell whether anything was ever booked on a locked account."""
    found = await queries.is_booked(conn, merchant_id=account.merchant_id, customer_id=account.customer_id)
    return bool(found)


async def has_payments(conn: db.Conn, account: Account) -> bool:
    """Tell whether a locked account has a payment, be it one that has not cleared."""
    found = await queries.has_payments(conn, merchant_id=account.merchant_id, customer_id=account.customer_id)
    return bool(found)


async def pending_payment(conn: db.Conn, account: Account) -> str | None:
    """Return a payment of a locked account that has not cleared yet."""
    found = await queries.pending_payment(
        conn, merchant_id=account.merchant_id, customer_id=account.customer_id
    )
    return None if found is None else str(found)


async def forget_held_amounts(conn: db.Conn, account: Account) -> None:
    """Forget the amounts of a locked account's holds, none of which is pending or captured."""
    await queries.forget_held_amounts(conn, merchant_id=account.merchant_id, customer_id=account.customer_id)


async def save(conn: db.Conn, accounts: Sequence[Account]) -> None:
    """Write status, currency, zone, limit, terms, wish and alias of locked accounts; no balances."""
    await queries.save(
        conn,
        merchants=[a.merchant_id for a in accounts],
        customers=[a.customer_id for a in accounts],
        statuses=[a.status for a in accounts],
        currencies=[a.currency_code for a in accounts],
        digits=[a.minor_digits for a in accounts],
        zones=[a.time_zone for a in accounts],
        limits=[a.limit for a in accounts],
        net_days=[a.net_days for a in accounts],
        wishes=[a.limit_wished for a in accounts],
        merged=[a.merged_into for a in accounts],
        opened=[a.opened_at for a in accounts],
        revisions=[a.revision for a in accounts],
        due_days=[a.due_day for a in accounts],
        override_limits=[a.override.limit if a.override else None for a in accounts],
        override_untils=[a.override.until if a.override else None for a in accounts],
        store_limited=[a.store_limited for a in accounts],
        limit_policies=[a.limit_policy for a in accounts],
        limit_agains=[a.by_policy.again_on if a.by_policy else None for a in accounts],
    )


async def mark_erased(conn: db.Conn, erased: Mapping[Key, datetime]) -> None:
    """Note that customers are erased, and when; their accounts are locked."""
    await queries.mark_erased(
        conn,
        merchants=[k.merchant_id for k in erased],
        customers=[k.customer_id for k in erased],
        at=list(erased.values()),
    )


async def clear_texts(conn: db.Conn, keys: Iterable[Key]) -> None:
    """Empty what was written by hand of erased customers, whose accounts are locked; the books stay."""
    await queries.clear_texts(conn, **_columns(keys))


async def post(conn: db.Conn, entries: Sequence[Entry]) -> None:
    """Append entries of locked accounts and move their balances by them, in one statement."""
    if not entries:
        return
    await queries.post(
        conn,
        merchants=[e.key.merchant_id for e in entries],
        customers=[e.key.customer_id for e in entries],
        causes=[e.cause for e in entries],
        cause_ids=[e.cause_id for e in entries],
        lines=[e.line for e in entries],
        effects=[e.effect for e in entries],
        invoices=[e.invoice_id for e in entries],
        posted=[e.posted for e in entries],
        credit=[e.credit for e in entries],
        effective_at=[e.effective_at for e in entries],
    )


async def booked(conn: db.Conn, cause: Cause, causes: Sequence[tuple[Key, str]]) -> set[tuple[str, str, str]]:
    """Return (merchant, cause id, line) of what the causes, each with its account, have booked already."""
    rows = queries.find_entries(
        conn,
        merchants=[key.merchant_id for key, _ in causes],
        customers=[key.customer_id for key, _ in causes],
        cause_ids=[id_ for _, id_ in causes],
        cause_type=cause,
    )
    return {(r["merchant_id"], str(r["cause_id"]), r["line"]) async for r in rows}


async def already(conn: db.Conn, key: Key, kind: str, request_id: str, content: bytes) -> bool:
    """Tell whether a request was done before; raise IDEMPOTENCY_CONFLICT if it was another."""
    found = await queries.find_change(conn, merchant_id=key.merchant_id, kind=kind, request_id=request_id)
    if found is None:
        return False
    if found["fingerprint"] != content:
        raise IdempotencyConflict("request", request_id)
    return True


async def change(
    conn: db.Conn,
    account: Account,
    *,
    kind: str,
    request_id: str,
    content: bytes,
    reason: str,
    staff_ref: str,
    at: datetime,
    of_store: StoreLimit | None = None,
) -> Account:
    """Save a changed account under the next revision and remember the request that changed it."""
    account = replace(account, revision=account.revision + 1)
    await save(conn, [account])
    if not await _add_change(conn, account, kind, request_id, content, reason, staff_ref, at, of_store):
        raise IdempotencyConflict("request", request_id)
    return account


async def note(
    conn: db.Conn,
    account: Account,
    kind: str,
    at: datetime,
    *,
    absorbed: str = "",
    of_store: StoreLimit | None = None,
) -> None:
    """Remember, once, a change of a locked account that an event made and no request.

    `absorbed`: the customer that was merged into the account's.
    """
    of = (of_store.store_id,) if of_store else ()
    request_id = derived_uuid(account.merchant_id, absorbed or account.customer_id, kind, *of)
    await _add_change(conn, account, kind, request_id, b"", "", "", at, of_store, absorbed)


async def _add_change(
    conn: db.Conn,
    account: Account,
    kind: str,
    request_id: str,
    content: bytes,
    reason: str,
    staff_ref: str,
    at: datetime,
    of_store: StoreLimit | None = None,
    absorbed: str = "",
) -> bool:
    taken = await queries.add_change(
        conn,
        merchant_id=account.merchant_id,
        kind=kind,
        request_id=request_id,
        customer_id=account.customer_id,
        fingerprint=content,
        credit_limit=account.limit,
        net_days=account.net_days,
        reason=reason,
        staff_ref=staff_ref,
        changed_at=at,
        status=account.status,
        due_day=account.due_day,
        override_limit=account.override.limit if account.override else None,
        override_until=account.override.until if account.override else None,
        revision=account.revision,
        store_id=of_store.store_id if of_store else "",
        store_limit=of_store.limit if of_store else None,
        merged_customer_id=absorbed or None,
        limit_policy=account.limit_policy,
    )
    return taken is not None


async def opened_by_staff(conn: db.Conn, accounts: Iterable[Account]) -> set[Key]:
    """Return which locked accounts staff ever opened: what approves, somebody did."""
    opened = {a.key for a in accounts if a.status is Status.ACTIVE}
    unsure = {a.key for a in accounts} - opened
    return opened | await _keys(queries.opened_by_staff(conn, **_columns(unsure))) if unsure else opened


async def changes(conn: db.Conn, key: Key, *, before: BeforeNumber, size: int) -> list[Made]:
    """Return a page of what changed an account, newest first."""
    rows = queries.changes(
        conn,
        merchant_id=key.merchant_id,
        customer_id=key.customer_id,
        before_at=before.at,
        before_no=before.no,
        size=size,
    )
    return [
        Made(
            kind=row["kind"],
            request_id=str(row["request_id"]),
            changed_at=row["changed_at"],
            reason=row["reason"],
            staff_ref=row["staff_ref"],
            status=row["status"],
            limit=row["credit_limit"],
            net_days=row["net_days"],
            due_day=row["due_day"],
            override=_override(row),
            revision=row["revision"],
            of_store=StoreLimit(row["store_id"], row["store_limit"]) if row["store_id"] else None,
            merged_customer_id=row["merged_customer_id"] or "",
            absorbed_from=row["absorbed_from"] or "",
            limit_policy=row["limit_policy"],
        )
        async for row in rows
    ]
