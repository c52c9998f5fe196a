"""Requests of the CustomerService as drafts: normal forms, and every rule that needs no database."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from customers.contacts.model import EMAIL, BirthDate, ContactPoint, check_birth_date, normal_address
from customers.errors import Invalid
from customers.merchants.model import check_language, check_zone
from customers.profiles.model import NEUTRAL, SEALED, SETTABLE_STATUS, UPDATABLE, Draft, normal_code
from kit import pan
from kit.rpc.times import instant
from langganan.customers.v1 import contacts_pb2, profiles_pb2
from langganan.types.v1.origin_pb2 import Origin

_AHEAD = timedelta(minutes=5)
_OUTPUT_ONLY = ("customer_id", "category", "etag")


def creation(customer: profiles_pb2.Customer, now: datetime) -> Draft:
    """Return the draft of a registration: all fields."""
    for name in _OUTPUT_ONLY:
        if getattr(customer, name):
            message = f"customer.{name} is given by the service; leave it empty"
            raise Invalid("OUTPUT_ONLY_FIELD", message, f"customer.{name}")
    if customer.status not in (
        profiles_pb2.CUSTOMER_STATUS_UNSPECIFIED,
        profiles_pb2.CUSTOMER_STATUS_ACTIVE,
    ):
        raise Invalid("INVALID_STATUS", "a customer is registered ACTIVE", "customer.status")
    return _draft(customer, UPDATABLE - {"status"}, now, creating=True)


def changes(request: profiles_pb2.UpdateCustomerRequest, now: datetime) -> Draft:
    """Return the draft of an update: the fields of its mask."""
    paths = set(request.update_mask.paths)
    unknown = paths - UPDATABLE
    if unknown or not paths:
        message = f"update_mask must name fields among {', '.join(sorted(UPDATABLE))}"
        raise Invalid("INVALID_UPDATE_MASK", message, "update_mask")
    return _draft(request.customer, paths, now, creating=False)


def _draft(
    customer: profiles_pb2.Customer, paths: Collection[str], now: datetime, *, creating: bool
) -> Draft:
    sealed = {name: _sealed(customer, name, now) for name in SEALED if name in paths}
    neutral = {name: _neutral(customer, name, creating=creating) for name in NEUTRAL if name in paths}
    if "full_name" in sealed and not sealed["full_name"]:
        message = "customer.full_name is needed; for an anonymous sale register nobody"
        raise Invalid("NAME_REQUIRED", message, "customer.full_name")
    codes = _codes(customer) if "member_codes" in paths else None
    points = _points(customer) if "contact_points" in paths else None
    # Not phone numbers: every tenth that begins like a card would pass as one.
    emails = [p.address for p in points or () if p.channel == EMAIL]
    pan.refuse([*sealed.values(), *neutral.values(), *(codes or ()), *emails])
    return Draft(sealed, neutral, points, codes)


def _sealed(customer: profiles_pb2.Customer, name: str, now: datetime) -> str:
    if name != "birth_date":
        return str(getattr(customer, name)).strip()
    date = customer.birth_date
    if not (customer.HasField("birth_date") and (date.month or date.day or date.year)):
        return ""
    # A day ahead of UTC at most: nobody is born tomorrow anywhere.
    today = (now + timedelta(days=1)).date()
    return str(check_birth_date(BirthDate(date.year, date.month, date.day), today))


def _neutral(customer: profiles_pb2.Customer, name: str, *, creating: bool) -> str:
    field = f"customer.{name}"
    if name == "gender":
        return _name(profiles_pb2.Gender.Name(customer.gender), "GENDER_")
    if name == "status":
        status = _name(profiles_pb2.CustomerStatus.Name(customer.status), "CUSTOMER_STATUS_")
        if status not in SETTABLE_STATUS:
            raise Invalid("INVALID_STATUS", f"{field} can be set to ACTIVE, INACTIVE or RESTRICTED", field)
        return status
    value = str(getattr(customer, name)).strip()
    if name == "language" and (value or not creating):
        return check_language(value, field)
    if name == "time_zone" and value:
        return check_zone(value, field)
    return value


def _name(name: str, prefix: str) -> str:
    short = name.removeprefix(prefix)
    return "" if short == "UNSPECIFIED" else short


def channel_name(channel: contacts_pb2.Channel.ValueType) -> str:
    """Return "PHONE", "EMAIL" or "WHATSAPP"."""
    return contacts_pb2.Channel.Name(channel).removeprefix("CHANNEL_")


def _points(customer: profiles_pb2.Customer) -> tuple[ContactPoint, ...]:
    """The live addresses, in their order; those that ended are the service's own record and ignored."""
    points: list[ContactPoint] = []
    for number, point in enumerate(customer.contact_points):
        if point.HasField("valid_to"):
            continue
        where = f"customer.contact_points[{number}]"
        channel, field = channel_name(point.channel), f"{where}.address"
        address = normal_address(channel, point.address, field)
        if any(p.channel == channel and p.address == address for p in points):
            raise Invalid("DUPLICATE_CONTACT_POINT", f"{field} is there twice; send it once", field)
        verified = (
            instant(point.verified_at, f"{where}.verified_at") if point.HasField("verified_at") else None
        )
        since = instant(point.valid_from, f"{where}.valid_from") if point.HasField("valid_from") else None
        points.append(ContactPoint(channel, address, point.shared, verified, since))
    return tuple(points)


def _codes(customer: profiles_pb2.Customer) -> tuple[str, ...]:
    codes = [normal_code(c, f"customer.member_codes[{n}]") for n, c in enumerate(customer.member_codes)]
    return tuple(dict.fromkeys(codes))


def registered_at(customer: profiles_pb2.Customer, now: datetime) -> datetime | None:
    """When the books say the customer registered; None: now. Never in the future."""
    if not customer.HasField("registered_at"):
        return None
    value = instant(customer.registered_at, "customer.registered_at")
    if value > now + _AHEAD:
        field = "customer.registered_at"
        raise Invalid("INVALID_REGISTERED_AT", f"{field} lies in the future; leave it empty for now", field)
    return value


def kind(customer: profiles_pb2.Customer) -> str:
    """Return "PERSON" or "ORGANISATION"."""
    return _name(profiles_pb2.CustomerKind.Name(customer.kind), "CUSTOMER_KIND_") or "PERSON"


def origin_key(origin: Origin) -> tuple[str, str, str]:
    """What of an origin is business content: store, register, staff; never the till's clock."""
    return (origin.store_id, origin.register_id, origin.staff_ref)
