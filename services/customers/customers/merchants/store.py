"""The only code that reads and writes merchants and stores; other features read them through Shops."""

from __future__ import annotations

import time as wall
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

import asyncpg
import structlog

from customers import metrics
from customers.errors import CurrencyFixed, MerchantNotSet
from customers.merchants.model import Hours, Merchant, Shop, Store
from kit import db
from kit.counts import count
from kit.errors import IdempotencyConflict
from kit.fingerprint import Field, fingerprint
from kit.money import Currency

queries = db.load(__file__)
log = structlog.get_logger()
_CACHE_MAX = 10_000


class Shops:
    """Settings of merchants and stores, remembered for a few seconds of wall time."""

    def __init__(self, ttl_s: float = 5.0) -> None:
        self._ttl_s = ttl_s
        self._seen: dict[tuple[str, str], tuple[float, Shop]] = {}

    def forget(self, merchant_id: str) -> None:
        """Drop what is remembered of a merchant: this process has just set something of it."""
        for key in [k for k in self._seen if k[0] == merchant_id]:
            del self._seen[key]

    async def read(
        self, conn: db.Conn, wanted: Iterable[tuple[str, str]], now: datetime
    ) -> dict[tuple[str, str], Shop]:
        """Return the shop of each (merchant_id, store_id); store_id "" is the merchant itself.

        A store that is not known registers itself in this transaction. Absent from the answer: those of a
        merchant that is not set.
        """
        asked = set(wanted)
        found = self._remembered(asked)
        missing = sorted(asked - found.keys())
        if missing:
            found_rows = queries.read_shops(
                conn, merchants=[m for m, _ in missing], stores=[s for _, s in missing]
            )
            rows = [row async for row in found_rows]
            unknown = [(r["merchant_id"], r["store_id"]) for r in rows if not r["known"]]
            if unknown:
                await self._register(conn, unknown, now)
            for row in rows:
                shop = _shop(row)
                key = (shop.merchant_id, shop.store_id)
                found[key] = shop
                # A store whose registration may yet roll back is not remembered.
                if row["known"]:
                    self._remember(key, shop)
        return found

    async def look_up(
        self, pool: db.Pool, wanted: Iterable[tuple[str, str]], now: datetime
    ) -> dict[tuple[str, str], Shop]:
        """The same as `read` for who holds no connection; takes one only for what is not remembered."""
        asked = set(wanted)
        found = self._remembered(asked)
        if len(found) < len(asked):
            async with db.transaction(pool) as conn:
                found = await self.read(conn, asked, now)
        return found

    async def one(self, conn: db.Conn, merchant_id: str, store_id: str, now: datetime) -> Shop:
        """Return one shop or raise MERCHANT_NOT_SET."""
        key = (merchant_id, store_id)
        shop = (await self.read(conn, [key], now)).get(key)
        if shop is None:
            raise MerchantNotSet(merchant_id)
        return shop

    def _remembered(self, asked: Collection[tuple[str, str]]) -> dict[tuple[str, str], Shop]:
        oldest = wall.monotonic() - self._ttl_s
        return {k: kept[1] for k in asked if (kept := self._seen.get(k)) and kept[0] > oldest}

    def _remember(self, key: tuple[str, str], shop: Shop) -> None:
        if len(self._seen) >= _CACHE_MAX:
            self._seen.clear()
        self._seen[key] = (wall.monotonic(), shop)

    async def _register(self, conn: db.Conn, unknown: list[tuple[str, str]], now: datetime) -> None:
        fresh = queries.register_stores(
            conn, merchants=[m for m, _ in unknown], stores=[s for _, s in unknown], now=now
        )
        async for row in fresh:
            count(metrics.STORES_SELF_REGISTERED)
            log.warning("store_registered_itself", merchant=row["merchant_id"], store=row["store_id"])


def _hours(row: asyncpg.Record, name: str) -> Hours:
    return Hours(row[name + "_from"], row[name + "_to"])


def _own_hours(row: asyncpg.Record, name: str) -> Hours | None:
    return None if row[name + "_from"] is None else _hours(row, name)


def _shop(row: asyncpg.Record) -> Shop:
    return Shop(
        row["merchant_id"],
        row["store_id"],
        row["name"],
        Currency(row["currency_code"], row["minor_digits"]),
        row["time_zone"],
        row["locale"],
        _hours(row, "quiet"),
        _hours(row, "greeting"),
    )


def _merchant(row: asyncpg.Record) -> Merchant:
    return Merchant(
        row["merchant_id"],
        row["name"],
        Currency(row["currency_code"], row["minor_digits"]),
        row["time_zone"],
        row["locale"],
        _hours(row, "quiet"),
        _hours(row, "greeting"),
        row["updated_at"],
    )


def _store(row: asyncpg.Record) -> Store:
    return Store(
        row["merchant_id"],
        row["store_id"],
        row["name"],
        row["time_zone"],
        row["city"],
        row["province"],
        _own_hours(row, "quiet"),
        _own_hours(row, "greeting"),
        row["self_registered"],
        row["updated_at"],
    )


@dataclass(frozen=True, slots=True)
class SetMerchant:
    """One write of a merchant."""

    request_id: str
    merchant: Merchant
    now: datetime

    def fingerprint(self) -> bytes:
        """What the write means."""
        m = self.merchant
        money = (m.currency.code, m.currency.digits)
        return fingerprint(1, m.name, money, m.time_zone, m.locale, _plain(m.quiet), _plain(m.greeting))


@dataclass(frozen=True, slots=True)
class SetStore:
    """One write of a store."""

    request_id: str
    store: Store
    now: datetime

    def fingerprint(self) -> bytes:
        """What the write means."""
        s = self.store
        names = (s.store_id, s.name, s.time_zone, s.city, s.province)
        return fingerprint(1, names, _plain(s.quiet), _plain(s.greeting))


def _plain(hours: Hours | None) -> Field:
    return None if hours is None else (hours.start.isoformat(), hours.end.isoformat())


async def set_merchants(conn: db.Conn, requests: Sequence[SetMerchant], wait: bool) -> list[Merchant]:
    """Set merchants, once for each request_id; answers the present state."""
    del wait  # waits for the merchant's row: nobody holds it for long
    return [await _set_merchant(conn, r) for r in requests]


async def _set_merchant(conn: db.Conn, request: SetMerchant) -> Merchant:
    merchant = request.merchant
    fresh = await remember(
        conn, merchant.merchant_id, "SetMerchant", request.request_id, request.fingerprint(), request.now
    )
    if fresh:
        known = await queries.lock_merchant(conn, merchant_id=merchant.merchant_id)
        if known and Currency(known["currency_code"], known["minor_digits"]) != merchant.currency:
            raise CurrencyFixed(
                f"this merchant counts in {known['currency_code']} with {known['minor_digits']} minor digits "
                "for good; another currency needs another merchant"
            )
        await queries.put_merchant(
            conn,
            merchant_id=merchant.merchant_id,
            name=merchant.name,
            currency_code=merchant.currency.code,
            minor_digits=merchant.currency.digits,
            time_zone=merchant.time_zone,
            locale=merchant.locale,
            now=request.now,
            **_columns(merchant.quiet, merchant.greeting),
        )
    return await read_merchant(conn, merchant.merchant_id)


async def set_stores(conn: db.Conn, requests: Sequence[SetStore], wait: bool) -> list[Store]:
    """Set stores, once for each request_id; answers the present state."""
    del wait
    return [await _set_store(conn, r) for r in requests]


async def _set_store(conn: db.Conn, request: SetStore) -> Store:
    store = request.store
    await read_merchant(conn, store.merchant_id)
    fresh = await remember(
        conn, store.merchant_id, "SetStore", request.request_id, request.fingerprint(), request.now
    )
    if fresh:
        await queries.put_store(
            conn,
            merchant_id=store.merchant_id,
            store_id=store.store_id,
            name=store.name,
            time_zone=store.time_zone,
            city=store.city,
            province=store.province,
            now=request.now,
            **_columns(store.quiet, store.greeting),
        )
    return _store(await queries.store(conn, merchant_id=store.merchant_id, store_id=store.store_id))


def _columns(quiet: Hours | None, greeting: Hours | None) -> dict[str, time | None]:
    return {
        "quiet_from": quiet.start if quiet else None,
        "quiet_to": quiet.end if quiet else None,
        "greeting_from": greeting.start if greeting else None,
        "greeting_to": greeting.end if greeting else None,
    }


async def remember(
    conn: db.Conn, merchant_id: str, kind: str, request_id: str, content: bytes, now: datetime
) -> bool:
    """Remember a write without personal data; False: it was done before. Raises IDEMPOTENCY_CONFLICT."""
    key: dict[str, Any] = {"merchant_id": merchant_id, "kind": kind, "request_id": request_id}
    if await queries.remember_request(conn, fingerprint=content, now=now, **key) is not None:
        return True
    if await queries.request_fingerprint(conn, **key) != content:
        raise IdempotencyConflict(kind, request_id)
    return False


async def read_merchant(conn: db.Conn, merchant_id: str) -> Merchant:
    """Return a merchant or raise MERCHANT_NOT_SET."""
    row = await queries.merchant(conn, merchant_id=merchant_id)
    if row is None:
        raise MerchantNotSet(merchant_id)
    return _merchant(row)


async def list_stores(
    conn: db.Conn, merchant_id: str, after: str, size: int, self_registered_only: bool
) -> list[Store]:
    """Return a page of stores by id."""
    rows = queries.list_stores(
        conn, merchant_id=merchant_id, after=after, size=size, self_registered_only=self_registered_only
    )
    return [_store(r) async for r in rows]
