"""Opens the shop: merchant, stores, loyalty program, customers and credit accounts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping

from google.protobuf.timestamp_pb2 import Timestamp
from google.type.timeofday_pb2 import TimeOfDay

from langganan.credit.v1 import accounts_pb2 as credit_pb2
from langganan.customers.v1 import contacts_pb2, merchants_pb2, profiles_pb2
from langganan.loyalty.v1 import programs_pb2
from langganan.types.v1 import tender_pb2
from local.demo.gateway import Gateway
from local.demo.messages import CURRENCY, Ids, customer, money, origin, store_id
from local.demo.people import ZONES, Person, zone_of

AT_ONCE = 32
# The demo's program. The oracle has its own copy of these numbers, on purpose.
TIERS = (
    ("New", 0, 10_000, 0),
    ("Regular", 2_000_000, 11_000, 0),
    ("VIP", 6_000_000, 12_500, 200),
    ("Premium", 12_000_000, 15_000, 500),
)
RUPIAH_A_POINT = 1_000
POINT_WORTH = 10
# Short enough that within a year tiers fall and points expire.
WINDOW_DAYS = 90
EXPIRY_MONTHS = 3
EXPIRY_NOTICE_DAYS = 14
# At the day's end, 07:00 to 09:00 in the stores, nobody is written to but with confirmations; at 10:00 all
# that waited goes out. So no message's fate depends on which of two events is heard first.
QUIET_HOURS = contacts_pb2.DailyHours(
    **{"from": TimeOfDay(hours=21), "to": TimeOfDay(hours=9, minutes=30)},
)


async def open_shop(
    gateway: Gateway,
    ids: Ids,
    stores: Iterable[int],
    begins: int,
    quiet: contacts_pb2.DailyHours = QUIET_HOURS,
) -> None:
    """Set merchant, stores and program; the program decides from `begins`, seconds since 1970."""
    merchant = merchants_pb2.Merchant(
        name="Toko Langganan",
        currency_code=CURRENCY,
        time_zone=ZONES[0],
        locale="id-ID",
        quiet_hours=quiet,
    )
    await gateway.call(
        "SetMerchant",
        gateway.merchants.SetMerchant,
        merchants_pb2.SetMerchantRequest(request_id=ids("merchant"), merchant=merchant),
    )
    for store in stores:
        await gateway.call(
            "SetStore",
            gateway.merchants.SetStore,
            merchants_pb2.SetStoreRequest(request_id=ids("store", store), store=_store(store)),
        )
    await gateway.call(
        "SetProgram",
        gateway.programs.SetProgram,
        programs_pb2.SetProgramRequest(request_id=ids("program"), program=_program(begins)),
    )


def _store(store: int) -> merchants_pb2.Store:
    return merchants_pb2.Store(
        store_id=store_id(store), name=f"Toko Langganan {store}", time_zone=zone_of(store)
    )


def _program(begins: int) -> programs_pb2.Program:
    thresholds = {name: least for name, least, _, _ in TIERS}
    return programs_pb2.Program(
        effective_from=Timestamp(seconds=begins),
        currency_code=CURRENCY,
        earning=[
            programs_pb2.PluginChoice(plugin="per_amount", config_json=json.dumps({"step": RUPIAH_A_POINT}))
        ],
        tier_plugin=programs_pb2.PluginChoice(
            plugin="rolling_spend",
            config_json=json.dumps({"window_days": WINDOW_DAYS, "thresholds": thresholds}),
        ),
        tiers=[
            programs_pb2.Tier(
                name=name,
                benefits=programs_pb2.Benefits(
                    multiplier_basis_points=multiplier, discount_basis_points=discount, priority=rank
                ),
            )
            for rank, (name, _, multiplier, discount) in enumerate(TIERS)
        ],
        point_value=money(POINT_WORTH),
        expiry_months=EXPIRY_MONTHS,
        expiry_notice_days=EXPIRY_NOTICE_DAYS,
        excluded_tenders=[tender_pb2.TENDER_KIND_VOUCHER],
    )


async def register(
    gateway: Gateway, ids: Ids, people: Mapping[int, Person], homes: Mapping[int, int], *, credit: bool
) -> dict[int, str]:
    """Register everyone at their home store, with consents and credit accounts; household → customer id."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(person: Person) -> tuple[int, str]:
        async with gate:
            home = homes[person.household]
            request = profiles_pb2.CreateCustomerRequest(
                request_id=ids("customer", person.household),
                customer=customer(person),
                origin=origin(home, person.household),
            )
            made = await gateway.call("CreateCustomer", gateway.profiles.CreateCustomer, request)
            customer_id = made.customer.customer_id
            if credit and person.credit_limit:
                await _open_account(gateway, ids, person, customer_id, zone_of(home))
            if person.greets:
                await _agree(gateway, ids, person, customer_id, home)
            return person.household, customer_id

    return dict(await asyncio.gather(*(one(person) for person in people.values())))


async def _open_account(gateway: Gateway, ids: Ids, person: Person, customer_id: str, zone: str) -> None:
    request = credit_pb2.OpenAccountRequest(
        request_id=ids("account", person.household),
        customer_id=customer_id,
        currency_code=CURRENCY,
        minor_digits=0,
        time_zone=zone,
        limit=money(person.credit_limit),
        net_days=person.terms_days,
        staff_ref="staff-1",
    )
    await gateway.call("OpenAccount", gateway.credit.OpenAccount, request)


async def _agree(gateway: Gateway, ids: Ids, person: Person, customer_id: str, home: int) -> None:
    """Keep the customer's word that greetings may come by e-mail."""
    request = contacts_pb2.SetConsentRequest(
        request_id=ids("consent", person.household),
        customer_id=customer_id,
        purpose=contacts_pb2.PURPOSE_GREETING,
        channel=contacts_pb2.CHANNEL_EMAIL,
        state=contacts_pb2.CONSENT_STATE_GIVEN,
        notice_version="2017-01",
        notice_language=person.language,
        method=contacts_pb2.CONSENT_METHOD_SPOKEN,
        origin=origin(home, person.household),
    )
    await gateway.call("SetConsent", gateway.contacts.SetConsent, request)
