"""What staff and tills write by hand names nobody: whatever looks like an address is refused."""

from __future__ import annotations

import pytest

from kit.ids import new_customer_id, new_uuid
from langganan.credit.v1 import (
    accounts_pb2,
    allowances_pb2,
    holds_pb2,
    invoices_pb2,
    payments_pb2,
    statements_pb2,
)
from tests.credit.conftest import rupiah
from tests.credit.paying import giving_up, method_of, paying_out, resolving, reversing, transferring

CONTRACTS = (accounts_pb2, allowances_pb2, holds_pb2, invoices_pb2, payments_pb2, statements_pb2)
# Fields of requests that are no text of a person: ids, codes with a form of their own, tokens.
NO_TEXTS = {
    "request_id", "customer_id", "allowance_id", "hold_id", "payment_id", "payout_id", "exception_id",
    "invoice_id", "purchase_id", "invoice_ids", "store_id", "currency_code", "time_zone", "page_token",
    "staff_ref",  # of the employee, who is not the customer
}  # fmt: skip


def texts_of_requests():
    """Each (message, field) of a request that takes a text, from the contract."""
    found = set()
    for contract in CONTRACTS:
        for service in contract.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                for field in method.input_type.fields:
                    if field.type == field.TYPE_STRING and field.name not in NO_TEXTS:
                        found.add((method.name, field.name))
    return found


def changing(**fields):
    return {"request_id": new_uuid(), "customer_id": new_customer_id()} | fields


WRITING = {
    ("SetLimit", "reason"): lambda: accounts_pb2.SetLimitRequest(**changing(limit=rupiah(1))),
    ("SetStoreLimit", "reason"): lambda: accounts_pb2.SetStoreLimitRequest(**changing(store_id="s1")),
    ("SetTerms", "reason"): lambda: accounts_pb2.SetTermsRequest(**changing(net_days=7)),
    ("OverrideLimit", "reason"): lambda: accounts_pb2.OverrideLimitRequest(**changing()),
    ("SuspendAccount", "reason"): lambda: accounts_pb2.SuspendAccountRequest(**changing()),
    ("ResumeAccount", "reason"): lambda: accounts_pb2.ResumeAccountRequest(**changing()),
    ("CloseAccount", "reason"): lambda: accounts_pb2.CloseAccountRequest(**changing()),
    ("WriteOff", "reason"): lambda: giving_up(new_customer_id(), new_uuid()),
    ("ResolveException", "note"): lambda: resolving(new_customer_id(), new_uuid()),
    ("RecordPayment", "reference"): lambda: transferring(new_customer_id()),
    ("ReversePayment", "note"): lambda: reversing(transferring(new_customer_id())),
    ("PayOut", "reference"): lambda: paying_out(new_customer_id(), 1),
}


def test_every_text_that_a_request_takes_is_tried():
    assert set(WRITING) == texts_of_requests()


@pytest.mark.parametrize("place", WRITING, ids=".".join)
async def test_a_text_that_looks_like_an_address_or_a_card_is_refused(credit, refused, place):
    name, field = place
    for text, reason in (
        ("ask budi@example.com", "TEXT_NOT_NEUTRAL"),
        ("+62 812-3456-7890", "TEXT_NOT_NEUTRAL"),
        ("4111 1111 1111 1111", "PAN_NOT_ALLOWED"),
    ):
        request = WRITING[place]()
        setattr(request, field, text)
        assert await refused(method_of(credit, name)(request)) == reason
