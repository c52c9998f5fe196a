"""ContactService: decode, read or append, encode."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any

from customers.contacts.birthdays import Birthdays, check_day
from customers.contacts.consents import Consents, local_minor
from customers.contacts.model import agreed, refusal
from customers.contacts.reading import Found, Inquiry, Reachable, Standing
from customers.errors import MerchantNotSet
from customers.instants import stamp
from customers.merchants.model import Shop
from customers.merchants.rpc import hours_message
from customers.merchants.store import Shops
from customers.profiles.model import greeting_name
from customers.profiles.rpc import reader
from customers.vault.vault import Vault
from kit import auth, db, paging
from kit.batch import Batcher
from kit.clock import Clock
from kit.ids import check_customer_id
from langganan.customers.v1 import contacts_pb2, contacts_pb2_grpc
from langganan.types.v1.origin_pb2 import Origin


class ContactService(contacts_pb2_grpc.ContactServiceServicer):
    """How customers can be reached, and what they agreed to."""

    def __init__(
        self, pool: db.Pool, vault: Vault, shops: Shops, inquiring: Batcher[Inquiry, Found], clock: Clock
    ) -> None:
        self._pool, self._vault, self._shops = pool, vault, shops
        self._inquiring, self._clock = inquiring, clock
        self._consents = Consents(pool, vault, shops)
        self._birthdays = Birthdays(pool, vault, shops)

    async def GetContacts(
        self, request: contacts_pb2.GetContactsRequest, context: Any
    ) -> contacts_pb2.GetContactsResponse:
        """Say which channels may be used now."""
        now, purpose = self._clock.now(), contacts_pb2.Purpose.Name(request.purpose).removeprefix("PURPOSE_")
        ids = tuple(check_customer_id(c, "customer_ids") for c in request.customer_ids)
        found = await self._inquiring.submit(Inquiry(reader(Origin()), purpose, ids))
        opened = await self._vault.open_fields([r.person for r in found.reachable.values()])
        names = dict(zip(found.reachable, opened, strict=True))
        speakers = await self._speakers(request.store_id, found, now)
        contacts = []
        for customer_id in ids:
            standing, reachable = found.standing.get(customer_id), found.reachable.get(customer_id)
            store_id = request.store_id or (standing.home_store_id if standing else "")
            message = _bare(customer_id, standing, speakers[store_id])
            if reachable is not None:
                await self._fill(message, purpose, reachable, names[customer_id], now)
            else:
                # In customers but not in the vault any more: erased this very moment.
                why = refusal(standing.status if standing else None, purpose) or "ERASED"
                message.refusal = contacts_pb2.Refusal.Value("REFUSAL_" + why)
            contacts.append(message)
        return contacts_pb2.GetContactsResponse(contacts=contacts)

    async def _speakers(
        self, store_id: str, found: Found, now: datetime
    ) -> dict[str, contacts_pb2.CustomerContact]:
        merchant_id = auth.caller().merchant_id
        wanted = {store_id, *(store_id or s.home_store_id for s in found.standing.values())}
        shops = await self._shops.look_up(self._pool, [(merchant_id, s) for s in wanted], now)
        if not shops:
            raise MerchantNotSet(merchant_id)
        return {shop.store_id: _speaker(shop) for shop in shops.values()}

    async def _fill(
        self,
        message: contacts_pb2.CustomerContact,
        purpose: str,
        reachable: Reachable,
        fields: Mapping[str, str],
        now: datetime,
    ) -> None:
        """Add the channels that are allowed now, in the customer's order, and the name; or the refusal."""
        if not reachable.addresses:
            message.refusal = contacts_pb2.REFUSAL_NO_CONTACT_POINT
            return
        minor = local_minor(fields.get("birth_date", ""), message.time_zone, now)
        sealer = await self._vault.keyring.sealer(reachable.person.key)
        for channel, token, sealed, verified_at in reachable.addresses:
            if agreed(reachable.evidence, purpose, channel, token, minor=minor):
                message.allowed.add(
                    channel=contacts_pb2.Channel.Value("CHANNEL_" + channel),
                    address=sealer.open(channel, sealed),
                    verified_at=stamp(verified_at),
                )
        if message.allowed:
            message.name = greeting_name(fields)
        else:
            message.refusal = contacts_pb2.REFUSAL_NO_CONSENT

    async def SetConsent(
        self, request: contacts_pb2.SetConsentRequest, context: Any
    ) -> contacts_pb2.SetConsentResponse:
        """Append evidence."""
        check_customer_id(request.customer_id)
        consent = await self._consents.append(request, reader(request.origin), self._clock.now())
        return contacts_pb2.SetConsentResponse(consent=consent)

    async def ListConsents(
        self, request: contacts_pb2.ListConsentsRequest, context: Any
    ) -> contacts_pb2.ListConsentsResponse:
        """List evidence, newest first."""
        customer_id, who = check_customer_id(request.customer_id), reader(request.origin)
        bound = ("consents", who.merchant_id, customer_id)
        before = paging.after(request.page_token, _seq, *bound)
        size = paging.page_size(request.page_size)
        consents, following = await self._consents.page(customer_id, who, before, size)
        token = "" if following is None else paging.encode([following], *bound)
        return contacts_pb2.ListConsentsResponse(consents=consents, next_page_token=token)

    async def ListBirthdays(
        self, request: contacts_pb2.ListBirthdaysRequest, context: Any
    ) -> AsyncIterator[contacts_pb2.ListBirthdaysResponse]:
        """Stream who has a birthday on a day of the calendar."""
        born, who = check_day(request.month, request.day), reader(Origin())
        async for batch in self._birthdays.batches(born, who, self._clock.now()):
            yield contacts_pb2.ListBirthdaysResponse(birthdays=batch)


def _seq(id_: str | int) -> int:
    """Read the number of a piece of evidence; a forged token may hold anything."""
    number = int(id_)
    if not 0 < number < 2**63:
        raise ValueError("no number of evidence")
    return number


def _speaker(shop: Shop) -> contacts_pb2.CustomerContact:
    """What is the same for whomever a shop speaks to, unless the customer says otherwise."""
    return contacts_pb2.CustomerContact(
        language=shop.language,
        time_zone=shop.time_zone,
        quiet_hours=hours_message(shop.quiet),
        greeting_hours=hours_message(shop.greeting),
        shop_name=shop.name,
        locale=shop.locale,
        currency_code=shop.currency.code,
        minor_digits=shop.currency.digits,
    )


def _bare(
    customer_id: str, standing: Standing | None, speaker: contacts_pb2.CustomerContact
) -> contacts_pb2.CustomerContact:
    """What may be said of anybody: the shop, and the customer's language and zone."""
    message = contacts_pb2.CustomerContact(customer_id=customer_id)
    message.MergeFrom(speaker)
    if standing is not None:
        message.language = standing.language
        message.time_zone = standing.time_zone or speaker.time_zone
    return message
