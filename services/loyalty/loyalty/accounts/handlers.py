"""Customer events, and the lock that the consumer takes for a whole poll."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from kit import events
from kit.db import Conn
from kit.events import Received
from langganan.events.v1 import customers_pb2, purchases_pb2
from loyalty.accounts import store
from loyalty.accounts.merge import merge
from loyalty.accounts.store import Key, Opening
from loyalty.events import TOPIC
from loyalty.programs.store import Programs
from loyalty.tiers import store as tiers
from loyalty.tiers.model import PLUGIN, first_tier, move


async def lock(conn: Conn, received: list[Received]) -> None:
    """Open the missing accounts and lock all that these events name, in (merchant, customer) order."""
    await store.lock_all(conn, [opening for event in received for opening in _openings(event)])


def _openings(event: Received) -> list[Opening]:
    payload, merchant_id = event.payload, event.merchant_id
    if isinstance(payload, customers_pb2.CustomerMerged):
        ids = (payload.absorbed_customer_id, payload.surviving_customer_id)
        return [Opening(merchant_id, id_, event.time) for id_ in ids]
    if not payload.customer_id:
        return []
    if isinstance(payload, customers_pb2.CustomerRegistered | purchases_pb2.PurchaseCompleted):
        return [
            Opening(
                merchant_id,
                payload.customer_id,
                event.time,
                payload.currency_code,
                payload.minor_digits,
                payload.time_zone,
            )
        ]
    return [Opening(merchant_id, payload.customer_id, event.time)]


class CustomerHandlers:
    """What loyalty does when customers say something about a customer."""

    def __init__(self, programs: Programs) -> None:
        self._programs = programs

    async def registered(self, conn: Conn, received: list[Received]) -> None:
        """A new customer starts in the lowest tier; the account is open by now."""
        books = await store.load(conn, {_key(event) for event in received})
        catalogue = await self._programs.catalogue(conn, {event.merchant_id for event in received})
        changes = []
        for event in received:
            payload, account = event.payload, books[_key(event)].account
            if not account.currency_code:
                account.currency_code, account.minor_digits = payload.currency_code, payload.minor_digits
                books[_key(event)].changed = True
            if not account.time_zone:
                account.time_zone = payload.time_zone
                books[_key(event)].changed = True
            at = _instant(payload.registered_at)
            tier = first_tier(account, catalogue.at(event.merchant_id, at))
            change = move(account, tier, PLUGIN, account.customer_id, at)
            if change is not None:
                changes.append(change)
                books[_key(event)].changed = True
        await store.write(conn, books.values())
        await tiers.append(conn, changes)
        await events.publish(conn, TOPIC, [tiers.event_of(change) for change in changes])

    async def updated(self, conn: Conn, received: list[Received]) -> None:
        """The customer's zone is the account's from now on; an unset one says nothing."""
        books = await store.load(conn, {_key(event) for event in received})
        for event in received:
            book, zone = books[_key(event)], event.payload.time_zone
            if zone and zone != book.account.time_zone:
                book.account.time_zone = zone
                book.changed = True
        await store.write(conn, books.values())

    async def erased(self, conn: Conn, received: list[Received]) -> None:
        """The account stays, for sales and returns still book; new reservations are declined.

        What staff wrote is forgotten, also of who was merged into the customer: points given by hand and
        pins stay under the id that they were given to.
        """
        books = await store.load(conn, {_key(event) for event in received})
        for event in received:
            book = books[_key(event)]
            if book.account.erased_at is None:
                book.account.erased_at = _instant(event.payload.erased_at)
                book.changed = True
        await store.write(conn, books.values())
        gone = {_key(event) for event in received}
        gone |= {(book.account.merchant_id, book.account.customer_id) for book in books.values()}
        gone |= await store.aliases(conn, gone)
        await store.clear_reasons(conn, gone)
        await tiers.clear_reasons(conn, gone)

    async def merged(self, conn: Conn, received: list[Received]) -> None:
        """The survivor takes over points, reservations and purchases; the absorbed id becomes an alias."""
        for event in received:
            payload = event.payload
            await merge(
                conn,
                event.merchant_id,
                payload.absorbed_customer_id,
                payload.surviving_customer_id,
                _instant(payload.merged_at),
            )


def _key(event: Received) -> Key:
    return (event.merchant_id, event.payload.customer_id)


def _instant(stamp: Timestamp) -> datetime:
    return stamp.ToDatetime(tzinfo=UTC)
