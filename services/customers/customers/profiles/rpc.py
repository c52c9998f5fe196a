"""CustomerService: decode, write or read, encode."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any

from customers.contacts.model import EMAIL, PHONE, normal_email, normal_phone
from customers.erasures import codec as erasing
from customers.erasures.steps import Erasures
from customers.errors import MerchantNotSet
from customers.exports.export import Exports
from customers.merchants.model import Shop
from customers.merchants.store import Shops
from customers.profiles import decode, encode, reading
from customers.profiles.identify import Candidate, Question
from customers.profiles.model import greeting_name, mask, normal_code
from customers.profiles.writing import Profiles, Registration, Update
from customers.vault.read import Reader
from customers.vault.vault import Vault
from kit import auth, db, pan
from kit.batch import Batcher
from kit.clock import Clock
from kit.errors import InvalidArgument
from kit.ids import canonical_uuid, check_customer_id, normal_customer_id
from kit.money import to_minor
from langganan.customers.v1 import erasures_pb2, exports_pb2, profiles_pb2, profiles_pb2_grpc
from langganan.types.v1.origin_pb2 import Origin, RecognisedBy


def reader(origin: Origin) -> Reader:
    """Who reads: the caller, at the till that the request names."""
    who = auth.caller()
    return Reader(who.merchant_id, who.subject, origin.store_id, origin.register_id, origin.staff_ref)


def registration(
    request: profiles_pb2.CreateCustomerRequest, who: Reader, shop: Shop, now: datetime
) -> Registration:
    """Decode a CreateCustomer."""
    customer, wished = request.customer, 0
    if customer.HasField("credit_limit_wished"):
        wished = to_minor(customer.credit_limit_wished, shop.currency, "customer.credit_limit_wished")
        if wished < 0:
            raise InvalidArgument("a credit limit is not negative", reason="INVALID_MONEY")
    return Registration(
        request_id=canonical_uuid(request.request_id, "request_id"),
        draft=decode.creation(customer, now),
        kind=decode.kind(customer),
        credit_limit_wished=wished,
        registered_at=decode.registered_at(customer, now),
        take_over=request.take_over,
        reader=who,
        shop=shop,
        now=now,
    )


def update(request: profiles_pb2.UpdateCustomerRequest, who: Reader, now: datetime) -> Update:
    """Decode an UpdateCustomer."""
    return Update(
        request_id=canonical_uuid(request.request_id, "request_id"),
        customer_id=check_customer_id(request.customer.customer_id, "customer.customer_id"),
        draft=decode.changes(request, now),
        etag=request.etag,
        take_over=request.take_over,
        reader=who,
        now=now,
    )


class CustomerService(profiles_pb2_grpc.CustomerServiceServicer):
    """Customers of the caller's merchant."""

    def __init__(
        self,
        pool: db.Pool,
        vault: Vault,
        shops: Shops,
        profiles: Profiles,
        identifying: Batcher[Question, list[Candidate]],
        erasures: Erasures,
        exports: Exports,
        clock: Clock,
    ) -> None:
        self._pool, self._vault, self._shops = pool, vault, shops
        self._profiles, self._identifying, self._clock = profiles, identifying, clock
        self._erasures, self._exports = erasures, exports

    async def CreateCustomer(
        self, request: profiles_pb2.CreateCustomerRequest, context: Any
    ) -> profiles_pb2.CreateCustomerResponse:
        """Register a customer."""
        now, who = self._clock.now(), reader(request.origin)
        shop = await self._shop(who.store_id)
        customer_id = await self._profiles.create(registration(request, who, shop, now))
        return profiles_pb2.CreateCustomerResponse(
            customer=await self._read(customer_id, who, "CREATE", "", shop)
        )

    async def GetCustomer(
        self, request: profiles_pb2.GetCustomerRequest, context: Any
    ) -> profiles_pb2.GetCustomerResponse:
        """Answer a profile."""
        customer_id = check_customer_id(request.customer_id)
        pan.refuse([request.reason])
        customer = await self._read(customer_id, reader(request.origin), "GET", request.reason)
        return profiles_pb2.GetCustomerResponse(customer=customer)

    async def UpdateCustomer(
        self, request: profiles_pb2.UpdateCustomerRequest, context: Any
    ) -> profiles_pb2.UpdateCustomerResponse:
        """Change the fields of the mask."""
        now, who = self._clock.now(), reader(request.origin)
        customer_id = await self._profiles.update(update(request, who, now))
        return profiles_pb2.UpdateCustomerResponse(customer=await self._read(customer_id, who, "UPDATE", ""))

    async def Identify(
        self, request: profiles_pb2.IdentifyRequest, context: Any
    ) -> profiles_pb2.IdentifyResponse:
        """Recognise a customer."""
        candidates = await self._identifying.submit(self._question(request))
        shown = [c for c in candidates if c.person is not None]
        opened = await self._vault.open_fields([c.person for c in shown if c.person is not None])
        names = {c.customer_id: fields for c, fields in zip(shown, opened, strict=True)}
        several = len(candidates) > 1
        return profiles_pb2.IdentifyResponse(
            matches=[_match(c, names.get(c.customer_id, {}), several=several) for c in candidates]
        )

    async def EraseCustomer(
        self, request: erasures_pb2.EraseCustomerRequest, context: Any
    ) -> erasures_pb2.EraseCustomerResponse:
        """Erase a customer, as far as it goes now; the sweep does the rest."""
        asked = erasing.ask(request, self._clock.now(), self._erasures.retry_s)
        return erasing.answer(await self._erasures.erase(asked))

    async def ExportCustomer(
        self, request: exports_pb2.ExportCustomerRequest, context: Any
    ) -> AsyncIterator[exports_pb2.ExportCustomerResponse]:
        """Stream all that is known of a customer."""
        customer_id, who = check_customer_id(request.customer_id), reader(request.origin)
        pan.refuse([request.reason])
        answers = self._exports.answers(customer_id, who, request.reason, self._clock.now())
        async for answer in answers:
            yield answer

    def _question(self, request: profiles_pb2.IdentifyRequest) -> Question:
        who = reader(request.origin)
        reason = RecognisedBy.Name(request.recognised_by).removeprefix("RECOGNISED_BY_")
        by = request.WhichOneof("by") or ""
        if by == "phone":
            address = normal_phone(request.phone, "phone")
            return Question(by, who, reason, self._vault.address_token(who.merchant_id, PHONE, address))
        if by == "email":
            address = normal_email(request.email, "email")
            return Question(by, who, reason, self._vault.address_token(who.merchant_id, EMAIL, address))
        if by == "member_code":
            return Question(by, who, reason, member_code=normal_code(request.member_code, "member_code"))
        customer_id = check_customer_id(normal_customer_id(request.customer_id))
        return Question(by, who, reason, customer_id=customer_id)

    async def _shop(self, store_id: str) -> Shop:
        key = (auth.caller().merchant_id, store_id)
        shop = (await self._shops.look_up(self._pool, [key], self._clock.now())).get(key)
        if shop is None:
            raise MerchantNotSet(key[0])
        return shop

    async def _read(
        self, customer_id: str, who: Reader, action: str, reason: str, shop: Shop | None = None
    ) -> profiles_pb2.Customer:
        profile = await reading.profile(self._pool, self._vault, customer_id, who, action, reason)
        return encode.customer(profile, (shop or await self._shop("")).currency)


def _match(candidate: Candidate, names: Mapping[str, str], *, several: bool) -> profiles_pb2.Match:
    name = mask(names.get("full_name", "")) if several else greeting_name(names)
    return profiles_pb2.Match(
        customer_id=candidate.customer_id,
        name=name,
        masked=several,
        category=candidate.category,
        status=encode.status(candidate.status),
        kind=profiles_pb2.CustomerKind.Value("CUSTOMER_KIND_" + candidate.kind),
        language=candidate.language,
    )
