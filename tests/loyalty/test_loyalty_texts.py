"""What staff write by hand names nobody: what looks like an address is refused, in every request."""

from __future__ import annotations

import pytest

from kit.ids import new_customer_id
from langganan.loyalty.v1 import accounts_pb2, redemptions_pb2, tiers_pb2
from tests.loyalty.writing import WRITING

CONTRACTS = (accounts_pb2, redemptions_pb2, tiers_pb2)
# Fields of requests that are no text of a person: ids, names of the program's own, tokens.
NO_TEXTS = {
    "request_id", "customer_id", "reservation_id", "exception_id", "adjustment_id", "page_token", "tier",
}  # fmt: skip


def texts_of_requests():
    """Each (method, field) of a request that takes a text, from the contract."""
    found = set()
    for contract in CONTRACTS:
        for service in contract.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                for field in method.input_type.fields:
                    if field.type == field.TYPE_STRING and field.name not in NO_TEXTS:
                        found.add((method.name, field.name))
    return found


def test_every_text_that_a_request_takes_is_tried():
    assert set(WRITING) == texts_of_requests()


@pytest.mark.parametrize("place", WRITING, ids=".".join)
async def test_a_text_that_looks_like_an_address_or_a_card_is_refused(loyalty, refused, place):
    call, made = WRITING[place](loyalty)
    for text, reason in (
        ("ask budi@example.com", "TEXT_NOT_NEUTRAL"),
        ("0812-3456-7890", "TEXT_NOT_NEUTRAL"),
        ("4111 1111 1111 1111", "PAN_NOT_ALLOWED"),
    ):
        assert await refused(call(made(new_customer_id(), text))) == reason
