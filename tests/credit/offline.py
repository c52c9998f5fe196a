"""What tests do with tills that lost their line: allowances, sales under them, holds that are handed in."""

from __future__ import annotations

from datetime import timedelta

from google.rpc import error_details_pb2

from kit.ids import new_uuid
from langganan.credit.v1 import allowances_pb2 as pb
from langganan.types.v1 import origin_pb2
from tests.credit.conftest import NOON, instant, rupiah

DAY = timedelta(days=1)


def at(store_id):
    return origin_pb2.Origin(store_id=store_id, register_id="r1", mode=origin_pb2.MODE_OFFLINE)


def granting(amount, *, customer_limit=None, start=NOON - DAY, end=NOON + DAY, **fields):
    whole = {"allowance_id": new_uuid(), "store_id": "s1", "time_zone": "Asia/Makassar", "staff_ref": "boss"}
    return pb.GrantAllowanceRequest(
        **whole | fields,
        amount=rupiah(amount),
        customer_limit=None if customer_limit is None else rupiah(customer_limit),
        valid_from=instant(start),
        valid_until=instant(end),
    )


async def grant(credit, amount, **fields):
    """Grant store s1 an allowance around NOON; return its id."""
    reply = await credit.allowances.GrantAllowance(granting(amount, **fields))
    return reply.allowance.allowance_id


async def allowance(credit, allowance_id):
    request = pb.GetAllowanceRequest(allowance_id=allowance_id)
    return (await credit.allowances.GetAllowance(request)).allowance


async def spent(credit, allowance_id):
    """What was taken of an allowance, and what went over."""
    found = await allowance(credit, allowance_id)
    return found.used.units, found.over.units


def under(credit, allowance_id, customer, *amounts, store_id="s1", **fields):
    """A finished sale of a till without a line, with an on-account tender of each amount."""
    sale = credit.sale(customer, *((amount, None) for amount in amounts), **fields)
    sale.payload.store_id = store_id
    sale.payload.mode = origin_pb2.MODE_OFFLINE
    for tender in sale.payload.tenders:
        tender.on_account.allowance_id = allowance_id
    return sale


def promise(customer, amount, hold_id=None, when=NOON):
    return pb.OfflineHold(
        hold_id=hold_id or new_uuid(),
        customer_id=customer,
        amount=rupiah(amount),
        decided_at=None if when is None else instant(when),
    )


def handing(allowance_id, *promises, store_id="s1"):
    return pb.HandInRequest(allowance_id=allowance_id, holds=promises, origin=at(store_id))


async def hand_in(credit, allowance_id, *promises, **fields):
    """Hand in what was promised; return what became of each."""
    return list((await credit.allowances.HandIn(handing(allowance_id, *promises, **fields))).holds)


def why(handed):
    """Why a hold was not taken in; "": it was."""
    found = error_details_pb2.ErrorInfo()
    return found.reason if any(detail.Unpack(found) for detail in handed.error.details) else ""


async def open_marks(credit, customer):
    """What staff still must look at: (kind, amount), as if of a set."""
    return sorted((x.kind, x.amount.units) for x in await credit.exceptions_of(customer))
