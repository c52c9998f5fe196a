"""Every read of personal data is in the access log with who, whom and why; the list is the contract's own."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor
from google.type.date_pb2 import Date

import langganan.customers.v1
from kit.ids import new_uuid
from langganan.customers.v1 import contacts_pb2, exports_pb2, profiles_pb2
from langganan.types.v1.origin_pb2 import RECOGNISED_BY_PHONE_SPOKEN, Origin

ORIGIN = Origin(store_id="pusat", register_id="r5", staff_ref="staff-5")
PHONES = iter(f"0816{n:08}" for n in range(1, 1000))
# What names or describes a person, by field and by message.
FIELDS = {"full_name", "nickname", "birth_date", "contact_points", "address", "notes", "postal_code"}
MESSAGES = {"Match", "CustomerContact", "Birthday", "Consent", "ExportRecord"}


def personal(message: Descriptor, seen: frozenset[str] = frozenset()) -> bool:
    """Whether a message, or one inside it, tells something of a person that lies in the vault."""
    if message.full_name in seen:
        return False
    seen |= {message.full_name}
    return message.name in MESSAGES or any(
        field.name in FIELDS or (field.message_type is not None and personal(field.message_type, seen))
        for field in message.fields
    )


def reading_methods() -> Iterator[str]:
    """The methods of the contract whose answers tell something of a person."""
    for module in pkgutil.iter_modules(langganan.customers.v1.__path__):
        if module.name.endswith("_pb2"):
            pb2 = importlib.import_module(f"langganan.customers.v1.{module.name}")
            for service in pb2.DESCRIPTOR.services_by_name.values():
                yield from (method.name for method in service.methods if personal(method.output_type))


async def create(shop: Any, person: str, phone: str) -> None:
    point = contacts_pb2.ContactPoint(channel=contacts_pb2.CHANNEL_PHONE, address=next(PHONES))
    customer = profiles_pb2.Customer(full_name="Ani", contact_points=[point])
    request = profiles_pb2.CreateCustomerRequest(request_id=new_uuid(), customer=customer, origin=ORIGIN)
    await shop.profiles.CreateCustomer(request)


async def get(shop: Any, person: str, phone: str) -> None:
    request = profiles_pb2.GetCustomerRequest(customer_id=person, origin=ORIGIN, reason="COMPLAINT")
    await shop.profiles.GetCustomer(request)


async def update(shop: Any, person: str, phone: str) -> None:
    customer = profiles_pb2.Customer(customer_id=person, nickname="Bud")
    request = profiles_pb2.UpdateCustomerRequest(request_id=new_uuid(), customer=customer, origin=ORIGIN)
    request.update_mask.paths.append("nickname")
    await shop.profiles.UpdateCustomer(request)


async def identify(shop: Any, person: str, phone: str) -> None:
    by = RECOGNISED_BY_PHONE_SPOKEN
    await shop.profiles.Identify(profiles_pb2.IdentifyRequest(phone=phone, origin=ORIGIN, recognised_by=by))


async def export(shop: Any, person: str, phone: str) -> None:
    request = exports_pb2.ExportCustomerRequest(customer_id=person, origin=ORIGIN, reason="LETTER")
    async for _ in shop.profiles.ExportCustomer(request):
        pass


async def contacts(shop: Any, person: str, phone: str) -> None:
    purpose = contacts_pb2.PURPOSE_CONFIRMATION
    await shop.contacts.GetContacts(contacts_pb2.GetContactsRequest(customer_ids=[person], purpose=purpose))


async def consent(shop: Any, person: str, phone: str) -> None:
    await shop.contacts.SetConsent(
        contacts_pb2.SetConsentRequest(
            request_id=new_uuid(), customer_id=person, purpose=contacts_pb2.PURPOSE_MARKETING,
            channel=contacts_pb2.CHANNEL_PHONE, state=contacts_pb2.CONSENT_STATE_GIVEN, origin=ORIGIN,
            method=contacts_pb2.CONSENT_METHOD_TILL_SCREEN, notice_version="2026-1", notice_language="id",
        )
    )  # fmt: skip


async def consents(shop: Any, person: str, phone: str) -> None:
    await shop.contacts.ListConsents(contacts_pb2.ListConsentsRequest(customer_id=person, origin=ORIGIN))


async def birthdays(shop: Any, person: str, phone: str) -> None:
    async for _ in shop.contacts.ListBirthdays(contacts_pb2.ListBirthdaysRequest(month=3, day=2)):
        pass


Call = Callable[[Any, str, str], Awaitable[None]]
# Method → the call, the action that is logged, the reason, and whether a till with staff asks.
READS: dict[str, tuple[Call, str, str, bool]] = {
    "CreateCustomer": (create, "CREATE", "", True),
    "GetCustomer": (get, "GET", "COMPLAINT", True),
    "UpdateCustomer": (update, "UPDATE", "", True),
    "Identify": (identify, "IDENTIFY", "PHONE_SPOKEN", True),
    "ExportCustomer": (export, "EXPORT", "LETTER", True),
    "GetContacts": (contacts, "GET_CONTACTS", "CONFIRMATION", False),
    "SetConsent": (consent, "SET_CONSENT", "CONSENT_AGE", True),
    "ListConsents": (consents, "LIST_CONSENTS", "", True),
    "ListBirthdays": (birthdays, "LIST_BIRTHDAYS", "GREETING", False),
}


def test_no_method_that_tells_of_a_person_is_forgotten() -> None:
    assert set(reading_methods()) == set(READS), "log what it reads, and say here how"


@pytest.mark.parametrize("method", READS)
async def test_a_read_is_logged_with_who_whom_and_why(shop: Any, method: str) -> None:
    call, action, reason, at_a_till = READS[method]
    phone = next(PHONES)
    person = await shop.customer("Budi", phone, birth_date=Date(year=1990, month=3, day=2))
    await shop.four.vault.execute("DELETE FROM access_log WHERE merchant_id = $1", shop.merchant)
    await call(shop, person, phone)
    rows = await shop.four.vault.fetch(
        "SELECT * FROM access_log WHERE merchant_id = $1 AND action = $2", shop.merchant, action
    )
    assert len(rows) == 1
    (row,) = rows
    assert (row["subject"], row["reason"]) == ("till-1", reason)
    if at_a_till:
        assert (row["store_id"], row["register_id"], row["staff_ref"]) == ("pusat", "r5", "staff-5")
    if method != "CreateCustomer":
        assert row["customer_ids"] == [person]


async def test_who_is_told_that_somebody_holds_an_address_is_logged(shop: Any, refused: Any) -> None:
    phone = next(PHONES)
    holder = await shop.customer("Budi", phone)
    point = contacts_pb2.ContactPoint(channel=contacts_pb2.CHANNEL_PHONE, address=phone)
    customer = profiles_pb2.Customer(full_name="Ani", contact_points=[point])
    request = profiles_pb2.CreateCustomerRequest(request_id=new_uuid(), customer=customer, origin=ORIGIN)
    assert (await refused(shop.profiles.CreateCustomer(request))) == "CONTACT_HELD"
    rows = await shop.four.vault.fetch(
        "SELECT subject, register_id, customer_ids FROM access_log"
        " WHERE merchant_id = $1 AND action = 'CONTACT_HELD'",
        shop.merchant,
    )
    assert [tuple(row) for row in rows] == [("till-1", "r5", [holder])]
