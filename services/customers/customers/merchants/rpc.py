"""MerchantService: decode, write or read, encode."""

from __future__ import annotations

from datetime import time
from typing import Any

from google.type.timeofday_pb2 import TimeOfDay

from customers.errors import Invalid
from customers.instants import stamp
from customers.merchants import store
from customers.merchants.model import (
    DEFAULT_LOCALE,
    GREETING,
    QUIET,
    Hours,
    Merchant,
    Store,
    check_hours,
    check_language,
    check_zone,
    currency,
)
from kit import auth, db, paging, pan
from kit.batch import once
from kit.clock import Clock
from kit.ids import canonical_uuid
from langganan.customers.v1 import contacts_pb2, merchants_pb2, merchants_pb2_grpc


class MerchantService(merchants_pb2_grpc.MerchantServiceServicer):
    """The caller's merchant and its stores."""

    def __init__(self, pool: db.Pool, shops: store.Shops, clock: Clock) -> None:
        self._pool, self._shops, self._clock = pool, shops, clock

    async def SetMerchant(
        self, request: merchants_pb2.SetMerchantRequest, context: Any
    ) -> merchants_pb2.SetMerchantResponse:
        """Set the merchant."""
        m, merchant_id = request.merchant, auth.caller().merchant_id
        merchant = Merchant(
            merchant_id,
            m.name,
            currency(m.currency_code, m.minor_digits if m.HasField("minor_digits") else None),
            check_zone(m.time_zone, "merchant.time_zone"),
            check_language(m.locale or DEFAULT_LOCALE, "merchant.locale", "INVALID_LOCALE"),
            _hours(m.quiet_hours, "merchant.quiet_hours") if m.HasField("quiet_hours") else QUIET,
            _hours(m.greeting_hours, "merchant.greeting_hours") if m.HasField("greeting_hours") else GREETING,
        )
        pan.refuse([m.name])
        write = store.SetMerchant(
            canonical_uuid(request.request_id, "request_id"), merchant, self._clock.now()
        )
        after = await once(self._pool, store.set_merchants, write)
        self._shops.forget(merchant_id)
        return merchants_pb2.SetMerchantResponse(merchant=_merchant(after))

    async def GetMerchant(
        self, request: merchants_pb2.GetMerchantRequest, context: Any
    ) -> merchants_pb2.GetMerchantResponse:
        """Answer the merchant."""
        async with self._pool.acquire(timeout=5) as conn:
            merchant = await store.read_merchant(conn, auth.caller().merchant_id)
        return merchants_pb2.GetMerchantResponse(merchant=_merchant(merchant))

    async def SetStore(
        self, request: merchants_pb2.SetStoreRequest, context: Any
    ) -> merchants_pb2.SetStoreResponse:
        """Set a store."""
        s, merchant_id = request.store, auth.caller().merchant_id
        wanted = Store(
            merchant_id,
            s.store_id,
            s.name,
            check_zone(s.time_zone, "store.time_zone") if s.time_zone else "",
            s.city,
            s.province,
            _hours(s.quiet_hours, "store.quiet_hours") if s.HasField("quiet_hours") else None,
            _hours(s.greeting_hours, "store.greeting_hours") if s.HasField("greeting_hours") else None,
        )
        pan.refuse([s.store_id, s.name, s.city, s.province])
        write = store.SetStore(canonical_uuid(request.request_id, "request_id"), wanted, self._clock.now())
        after = await once(self._pool, store.set_stores, write)
        self._shops.forget(merchant_id)
        return merchants_pb2.SetStoreResponse(store=_store(after))

    async def ListStores(
        self, request: merchants_pb2.ListStoresRequest, context: Any
    ) -> merchants_pb2.ListStoresResponse:
        """List stores by id."""
        merchant_id, only = auth.caller().merchant_id, request.self_registered_only
        after = paging.after(request.page_token, str, "stores", merchant_id, only) or ""
        size = paging.page_size(request.page_size)
        async with self._pool.acquire(timeout=5) as conn:
            stores = await store.list_stores(conn, merchant_id, after, size + 1, only)
        more = len(stores) > size
        token = paging.encode([stores[size - 1].store_id], "stores", merchant_id, only) if more else ""
        return merchants_pb2.ListStoresResponse(stores=map(_store, stores[:size]), next_page_token=token)


def _hours(hours: contacts_pb2.DailyHours, field: str) -> Hours:
    def minute(value: TimeOfDay) -> time:
        try:
            return time(value.hours, value.minutes)
        except ValueError:
            raise Invalid("INVALID_HOURS", f"{field} must lie between 00:00 and 23:59", field) from None

    return check_hours(Hours(minute(getattr(hours, "from")), minute(hours.to)), field)


def hours_message(hours: Hours) -> contacts_pb2.DailyHours:
    """Return a span of local time as its message; its field `from` is a word of Python."""
    begin = TimeOfDay(hours=hours.start.hour, minutes=hours.start.minute)
    end = TimeOfDay(hours=hours.end.hour, minutes=hours.end.minute)
    return contacts_pb2.DailyHours(**{"from": begin, "to": end})


def _merchant(m: Merchant) -> merchants_pb2.Merchant:
    return merchants_pb2.Merchant(
        merchant_id=m.merchant_id,
        name=m.name,
        currency_code=m.currency.code,
        minor_digits=m.currency.digits,
        time_zone=m.time_zone,
        locale=m.locale,
        quiet_hours=hours_message(m.quiet),
        greeting_hours=hours_message(m.greeting),
        updated_at=stamp(m.updated_at),
    )


def _store(s: Store) -> merchants_pb2.Store:
    return merchants_pb2.Store(
        store_id=s.store_id,
        name=s.name,
        time_zone=s.time_zone,
        city=s.city,
        province=s.province,
        quiet_hours=hours_message(s.quiet) if s.quiet else None,
        greeting_hours=hours_message(s.greeting) if s.greeting else None,
        self_registered=s.self_registered,
        updated_at=stamp(s.updated_at),
    )
