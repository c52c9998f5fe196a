"""Who has a birthday on a day of the calendar: found by blind index, logged before it is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, datetime

from customers.contacts.model import BirthDate
from customers.errors import Invalid, MerchantNotSet
from customers.merchants.store import Shops
from customers.profiles.model import birthday
from customers.vault.read import Access, Reader, log_access
from customers.vault.vault import Vault
from kit import db
from langganan.customers.v1 import contacts_pb2

queries = db.load(__file__)
BATCH_MAX = 200


def check_day(month: int, day: int) -> BirthDate:
    """Return a month and day that some year has, else raise INVALID_DATE."""
    try:
        date(2000, month, day)  # a leap year
    except ValueError as error:
        raise Invalid("INVALID_DATE", f"there is no day {day} in month {month}", "day") from error
    return BirthDate(0, month, day)


class Birthdays:
    """Lists active persons by month and day of birth; nothing that is sealed is opened for it."""

    def __init__(self, pool: db.Pool, vault: Vault, shops: Shops) -> None:
        self._pool, self._vault, self._shops = pool, vault, shops

    async def batches(
        self, born: BirthDate, who: Reader, now: datetime
    ) -> AsyncIterator[list[contacts_pb2.Birthday]]:
        """Yield batches of up to 200, none of them empty; between two no connection is held."""
        merchant_id = who.merchant_id
        if not await self._shops.look_up(self._pool, [(merchant_id, "")], now):
            raise MerchantNotSet(merchant_id)
        tokens = list(self._vault.index.token(merchant_id, "birth_date", birthday(born)).every)
        after = ""
        while True:
            async with db.transaction_beside(self._vault.pool, self._pool) as (conn, customers):
                found = [
                    row["customer_id"]
                    async for row in queries.born_on(
                        conn, merchant_id=merchant_id, tokens=tokens, after=after, size=BATCH_MAX
                    )
                ]
                people = [
                    row
                    async for row in queries.celebrating(customers, merchant_id=merchant_id, customers=found)
                ]
                if people:
                    told = [row["customer_id"] for row in people]
                    await log_access(conn, "LIST_BIRTHDAYS", [Access(who, told, "GREETING")])
            if people:
                stores = {(merchant_id, row["home_store_id"]) for row in people}
                shops = await self._shops.look_up(self._pool, stores, now)
                yield [
                    contacts_pb2.Birthday(
                        customer_id=row["customer_id"],
                        month=born.month,
                        day=born.day,
                        time_zone=row["time_zone"] or shops[merchant_id, row["home_store_id"]].time_zone,
                    )
                    for row in people
                ]
            if len(found) < BATCH_MAX:
                return
            after = found[-1]
