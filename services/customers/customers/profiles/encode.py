"""Profiles as messages of the CustomerService."""

from __future__ import annotations

from google.type.date_pb2 import Date

from customers.contacts.model import BirthDate, ContactPoint
from customers.instants import stamp
from customers.profiles.model import Profile
from kit.money import Currency, to_money
from langganan.customers.v1 import contacts_pb2, profiles_pb2


def customer(profile: Profile, currency: Currency) -> profiles_pb2.Customer:
    """Return a profile as its message."""
    facts, sealed = profile.facts, profile.sealed
    message = profiles_pb2.Customer(
        customer_id=facts.customer_id,
        kind=profiles_pb2.CustomerKind.Value("CUSTOMER_KIND_" + facts.kind),
        full_name=sealed.get("full_name", ""),
        nickname=sealed.get("nickname", ""),
        gender=profiles_pb2.Gender.Value("GENDER_" + (facts.gender or "UNSPECIFIED")),
        contact_points=[contact_point(p) for p in profile.points],
        member_codes=facts.member_codes,
        address=sealed.get("address", ""),
        city=facts.city,
        province=facts.province,
        postal_code=sealed.get("postal_code", ""),
        status=status(facts.status),
        category=facts.category,
        notes=sealed.get("notes", ""),
        language=facts.language,
        time_zone=facts.time_zone,
        acquisition_source=facts.acquisition_source,
        home_store_id=facts.home_store_id,
        registered_at=stamp(facts.registered_at),
        updated_at=stamp(facts.updated_at),
        etag=profile.etag,
    )
    if sealed.get("birth_date"):
        born = BirthDate.parse(sealed["birth_date"])
        message.birth_date.CopyFrom(Date(year=born.year, month=born.month, day=born.day))
    if facts.credit_limit_wished:
        message.credit_limit_wished.CopyFrom(to_money(facts.credit_limit_wished, currency))
    return message


def status(name: str) -> profiles_pb2.CustomerStatus.ValueType:
    """Return a status by its short name."""
    return profiles_pb2.CustomerStatus.Value("CUSTOMER_STATUS_" + name)


def contact_point(point: ContactPoint) -> contacts_pb2.ContactPoint:
    """Return an address as its message."""
    return contacts_pb2.ContactPoint(
        channel=contacts_pb2.Channel.Value("CHANNEL_" + point.channel),
        address=point.address,
        verified_at=stamp(point.verified_at),
        valid_from=stamp(point.valid_from),
        valid_to=stamp(point.valid_to),
        shared=point.shared,
    )
