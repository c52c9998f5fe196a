"""The only SQL of purchases: what is kept of sales and returns."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from kit import db
from kit.db import Conn
from loyalty.accounts.model import Book
from loyalty.accounts.store import Key, account_from
from loyalty.purchases.model import BookedReturn, Purchase, Return, Sale

_queries = db.load(__file__)
Named = tuple[str, str, str]
"""(merchant_id, customer_id, id of the purchase or return)"""


def _columns(named: Sequence[Named], id_: str) -> dict[str, list[str]]:
    return {
        "merchant_ids": [n[0] for n in named],
        "customer_ids": [n[1] for n in named],
        id_: [n[2] for n in named],
    }


@dataclass(frozen=True, slots=True)
class Ground:
    """What sales are booked on: the books behind their customers, which are booked, (merchant, version)."""

    books: dict[Key, Book]
    booked: set[Named]
    versions: set[tuple[str, int]]


async def ground_of(conn: Conn, sales: Sequence[Sale]) -> Ground:
    """Return, in one round trip, what these sales need; an alias and its survivor share a book."""
    shared: dict[Key, Book] = {}
    ground = Ground({}, set(), set())
    named = [(sale.merchant_id, sale.customer_id, sale.purchase_id) for sale in sales]
    async for row in _queries.ground_of(conn, **_columns(named, "purchase_ids")):
        own = (row["merchant_id"], row["customer_id"])
        if own not in shared:
            shared[own] = Book(account_from(row))
        ground.books[own[0], row["asked"]] = shared[own]
        ground.versions.update((own[0], version) for version in row["versions"])
        if row["booked"]:
            ground.booked.add((*own, str(row["purchase_id"])))
    return ground


async def known_returns(conn: Conn, named: Sequence[Named]) -> set[Named]:
    """Return those that have been booked."""
    rows = _queries.known_returns(conn, **_columns(named, "return_ids"))
    return {(r["merchant_id"], r["customer_id"], str(r["return_id"])) async for r in rows}


@dataclass(frozen=True, slots=True)
class KeptPurchase:
    """A purchase and whose it is."""

    merchant_id: str
    customer_id: str
    purchase: Purchase


@dataclass(frozen=True, slots=True)
class KeptReturn:
    """A return, what it did, and whose it is: the survivor of a merged customer."""

    customer_id: str
    back: Return
    booked: BookedReturn


async def insert_purchases(conn: Conn, made: Sequence[KeptPurchase]) -> None:
    """Keep sales."""
    if made:
        await _queries.insert_purchases(
            conn,
            **_columns(
                [(k.merchant_id, k.customer_id, k.purchase.purchase_id) for k in made], "purchase_ids"
            ),
            effective_ats=[k.purchase.at for k in made],
            spends=[k.purchase.spend for k in made],
            points=[k.purchase.points for k in made],
            line_points=[json.dumps(k.purchase.line_points) for k in made],
            entry_nos=[k.purchase.entry_no for k in made],
            tiers=[k.purchase.tier for k in made],
            multipliers=[k.purchase.multiplier_bp for k in made],
            versions=[k.purchase.program_version for k in made],
        )


async def purchases_of(conn: Conn, named: Sequence[Named]) -> dict[Named, Purchase]:
    """Return the purchases that returns name."""
    found: dict[Named, Purchase] = {}
    async for row in _queries.purchases_of(conn, **_columns(named, "purchase_ids")):
        purchase = Purchase(
            str(row["purchase_id"]),
            row["effective_at"],
            row["spend"],
            row["spend_left"],
            row["points"],
            json.loads(row["line_points_text"]),
            row["entry_no"],
            row["tier"],
            row["multiplier_bp"],
            row["program_version"],
            row["expired"] + row["expired_now"],
            row["spared"],
        )
        found[row["merchant_id"], row["customer_id"], purchase.purchase_id] = purchase
    return found


async def update_purchases(conn: Conn, changed: Sequence[KeptPurchase]) -> None:
    """Write what returns have left."""
    if changed:
        await _queries.update_purchases(
            conn,
            **_columns(
                [(k.merchant_id, k.customer_id, k.purchase.purchase_id) for k in changed], "purchase_ids"
            ),
            lefts=[k.purchase.spend_left for k in changed],
            spareds=[k.purchase.spared for k in changed],
            line_points=[json.dumps(k.purchase.line_points) for k in changed],
        )


async def insert_returns(conn: Conn, made: Sequence[KeptReturn]) -> None:
    """Keep returns."""
    if made:
        await _queries.insert_returns(
            conn,
            **_columns([(k.back.merchant_id, k.customer_id, k.back.return_id) for k in made], "return_ids"),
            purchase_ids=[k.back.purchase_id for k in made],
            effective_ats=[k.back.at for k in made],
            taken_backs=[k.booked.taken_back for k in made],
            restoreds=[k.booked.restored for k in made],
        )
