"""Records finished sales: one transaction for a batch, and one row a sale."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from customers import metrics
from customers.errors import MerchantNotSet
from customers.events import TOPIC
from customers.merchants.store import Shops
from customers.purchases import exceptions
from customers.purchases.decode import Sale
from customers.purchases.errors import CustomerUnknown
from customers.purchases.exceptions import Noticed, notice
from customers.purchases.model import Bought
from customers.purchases.sql import queries
from customers.purchases.tenders import as_told
from kit import events
from kit.batch import LOCKED, LockedType
from kit.counts import count
from kit.db import Conn
from kit.errors import IdempotencyConflict
from langganan.events.v1.purchases_pb2 import PurchaseCompleted

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A sale as it stands: its event, what staff will look at, what became of it."""

    event: PurchaseCompleted
    fingerprint: bytes
    exceptions: tuple[str, ...] = ()
    status: str = "COMPLETED"
    revision: int = 1


Answer = Recorded | Exception | LockedType


@dataclass(slots=True)
class _Fold:
    """A batch being decided: what is refused unless it was recorded before, what is to be written.

    `zones`: the customers' own, "" where the store's counts.
    """

    refused: dict[int, Exception] = field(default_factory=dict)
    fresh: dict[Key, Sale] = field(default_factory=dict)
    zones: dict[Key, str] = field(default_factory=dict)
    noticed: dict[Key, list[Noticed]] = field(default_factory=dict)


class Recorder:
    """Records batches of sales; `shops` tells each store's zone."""

    def __init__(self, shops: Shops) -> None:
        self._shops = shops

    async def record(self, conn: Conn, sales: Sequence[Sale], wait: bool) -> list[Answer]:
        """Record each sale once and answer it; a sale recorded before gets its first answer."""
        known, locked = await _lock(conn, sales, wait)
        fold = _fold(sales, known, locked)
        unset = await self._zones(conn, fold)
        recorded = await _write(conn, fold)
        # Most sales are new: those recorded before are looked for only after the insert passed them over.
        rest = [s for s in sales if _key(s) not in recorded and (s.merchant_id, s.customer_id) not in locked]
        recorded |= await _recorded(conn, rest)
        answers: list[Answer] = []
        for i, sale in enumerate(sales):
            first = recorded.get(_key(sale))
            if (sale.merchant_id, sale.customer_id) in locked:
                answers.append(LOCKED)
            elif first is None:
                answers.append(MerchantNotSet(sale.merchant_id) if _key(sale) in unset else fold.refused[i])
            elif first.fingerprint != sale.fingerprint:
                answers.append(IdempotencyConflict("purchase", sale.purchase_id))
            else:
                answers.append(first)
        return answers

    async def _zones(self, conn: Conn, fold: _Fold) -> set[Key]:
        """Put the zone of local dates into each event: the customer's, else the store's.

        Returns (and takes out) sales of unset merchants.
        """
        if not fold.fresh:
            return set()
        wanted = {(s.merchant_id, s.store_id) for s in fold.fresh.values()}
        shops = await self._shops.read(conn, wanted, max(s.received_at for s in fold.fresh.values()))
        unset = {k for k, s in fold.fresh.items() if (s.merchant_id, s.store_id) not in shops}
        for key in unset:
            del fold.fresh[key]
        for sale in fold.fresh.values():
            own = fold.zones.get((sale.merchant_id, sale.customer_id), "")
            sale.event.time_zone = own or shops[sale.merchant_id, sale.store_id].time_zone
        return unset


def _key(sale: Sale) -> Key:
    return sale.merchant_id, sale.purchase_id


def _fold(sales: Sequence[Sale], known: dict[Key, str], locked: set[Key]) -> _Fold:
    fold = _Fold(zones=known)
    for i, sale in enumerate(sales):
        key = _key(sale)
        customer = (sale.merchant_id, sale.customer_id)
        if customer in locked or key in fold.fresh:
            continue
        if sale.customer_id and customer not in known and not sale.offline:
            fold.refused[i] = CustomerUnknown(sale.customer_id)
        else:
            fold.fresh[key] = sale
            fold.noticed[key] = _notice(sale, customer in known)
    return fold


def _notice(sale: Sale, known: bool) -> list[Noticed]:
    """Settle whose sale and whose debt it is; returns what staff should look at."""
    sale.event.customer_id = sale.customer_id if known else ""
    noticed = []
    if sale.customer_id and not known:
        noticed.append(notice(sale, "CUSTOMER_UNKNOWN", sale.customer_id))
        if sale.personal_tender:
            _name_debtor(sale)
    if sale.personal_tender and not known:
        noticed.append(notice(sale, "TENDER_WITHOUT_CUSTOMER", sale.personal_tender))
    return noticed


def _name_debtor(sale: Sale) -> None:
    """Put the customer that the sale names in vain into its on-account tenders.

    The sale becomes anonymous, but its debt is somebody's: credit opens an account for that id, suspended.
    """
    for tender in sale.event.tenders:
        if tender.WhichOneof("means") == "on_account" and not tender.on_account.account_customer_id:
            tender.on_account.account_customer_id = sale.customer_id


async def _lock(conn: Conn, sales: Sequence[Sale], wait: bool) -> tuple[dict[Key, str], set[Key]]:
    """Lock the customers' rows; returns (those that exist and their zones, those that somebody else holds).

    An erased customer is as good as unknown.
    """
    wanted = {(s.merchant_id, s.customer_id) for s in sales if s.customer_id}
    if not wanted:
        return {}, set()
    lock = queries.lock_customers if wait else queries.lock_free_customers
    rows = lock(conn, merchants=[m for m, _ in wanted], customers=[c for _, c in wanted])
    held = {(r["merchant_id"], r["customer_id"]): r async for r in rows}
    missing = wanted - held.keys()
    locked: set[Key] = set()
    if missing and not wait:
        found = queries.existing_customers(
            conn, merchants=[m for m, _ in missing], customers=[c for _, c in missing]
        )
        locked = {(r["merchant_id"], r["customer_id"]) async for r in found}
    gone = ("ERASING", "ERASED")
    return {key: row["time_zone"] for key, row in held.items() if row["status"] not in gone}, locked


async def _recorded(conn: Conn, sales: Sequence[Sale]) -> dict[Key, Recorded]:
    """Return the sales that are recorded already, as they stand."""
    if not sales:
        return {}
    found = queries.recorded_purchases(
        conn, merchants=[s.merchant_id for s in sales], purchases=[s.purchase_id for s in sales]
    )
    rows = [row async for row in found]
    if not rows:
        return {}
    keys = [(r["merchant_id"], str(r["purchase_id"])) for r in rows]
    reasons = await exceptions.reasons_of(conn, keys)
    return {
        key: Recorded(
            PurchaseCompleted.FromString(row["body"]),
            row["fingerprint"],
            reasons.get(key, ()),
            row["status"],
            row["revision"],
        )
        for key, row in zip(keys, rows, strict=True)
    }


async def _write(conn: Conn, fold: _Fold) -> dict[Key, Recorded]:
    """Write sales, statistics, exceptions and events; returns those that are new."""
    if not fold.fresh:
        return {}
    sales = list(fold.fresh.values())
    rows = queries.insert_purchases(
        conn,
        merchants=[s.merchant_id for s in sales],
        purchases=[s.purchase_id for s in sales],
        customers=[s.event.customer_id for s in sales],
        stores=[s.store_id for s in sales],
        receipts=[s.event.receipt_number for s in sales],
        origins=[s.origin for s in sales],
        effective=[s.effective_at for s in sales],
        received=[s.received_at for s in sales],
        totals=[s.total for s in sales],
        fingerprints=[s.fingerprint for s in sales],
        bodies=[s.event.SerializeToString() for s in sales],
    )
    written = {(r["merchant_id"], str(r["purchase_id"])) async for r in rows}
    new = {k: s for k, s in fold.fresh.items() if k in written}
    await _count(conn, new.values())
    await exceptions.write(conn, [n for k in new for n in fold.noticed[k]])
    await events.publish(conn, TOPIC, [_outgoing(s) for s in new.values()])
    for sale in new.values():
        count(metrics.PURCHASES.labels("replaced" if sale.event.occurred_at_implausible else "believed"))
    return {
        k: Recorded(s.event, s.fingerprint, tuple(n.reason for n in fold.noticed[k])) for k, s in new.items()
    }


async def _count(conn: Conn, sales: Iterable[Sale]) -> None:
    bought: dict[Key, Bought] = {}
    for sale in sales:
        if sale.event.customer_id:
            customer = (sale.merchant_id, sale.event.customer_id)
            bought.setdefault(customer, Bought()).add(sale.total, sale.effective_at)
    if bought:
        await queries.count_bought(
            conn,
            merchants=[m for m, _ in bought],
            customers=[c for _, c in bought],
            visits=[b.visits for b in bought.values()],
            spend=[b.spend for b in bought.values()],
            first_at=[b.first_at for b in bought.values()],
            last_at=[b.last_at for b in bought.values()],
        )


def _outgoing(sale: Sale) -> events.Outgoing:
    return events.Outgoing(
        type="purchase-completed",
        merchant_id=sale.merchant_id,
        key=sale.event.customer_id or sale.purchase_id,
        payload=as_told(sale.event),
        time=sale.received_at,
    )
